#ifndef YDOC_UPDATE_H
#define YDOC_UPDATE_H

/* update - functions over updates that need no document, for either format and
 * from one to the other: merge.c, rewrite.c. Everything is checked while it is
 * read; after a failure `out` has its old length. */
#include "ydoc/wire.h"

struct update_formats {
    enum wire_version from, to;
};

int update_merge(const struct ydoc_slice *updates, size_t n, struct update_formats formats,
                 struct ydoc_buf *out, struct ydoc_error *err);
int update_diff(struct ydoc_slice update, struct ydoc_slice sv, struct update_formats formats,
                struct ydoc_buf *out, struct ydoc_error *err);

struct update_conversion {
    struct ydoc_slice update;
    struct update_formats formats;
    const struct ydoc_limits *limits; /* with defaults */
};
int update_convert(const struct update_conversion *job, struct ydoc_buf *out,
                   struct ydoc_error *err);

/* Limits for an update of this format: what is OURS has passed its own. */
struct ydoc_limits update_limits(enum wire_version version);

#endif
