#ifndef YDOC_READ_H
#define YDOC_READ_H

/* read - what a document says, as JSON. */
#include <ydoc.h>

#include "ydoc/text.h"

/* One root as JSON in the given style. TEXT_TAGGED keeps everything that Yjs
 * knows: {"$text": delta}, {"$map": {…}}, {"$el": …} and so on, for comparing. */
int ydoc__read_root(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out);
/* The same for any type. */
int ydoc__read_type(const struct ydoc *doc, uint32_t type, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out);

#endif
