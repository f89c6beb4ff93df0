#ifndef YDOC_TYPING_H
#define YDOC_TYPING_H

/* typing - a text that continues the last one of its client, remote or local:
 * nine of ten edits of an editor. */
#include "ydoc/store.h"

/* Applies the update if it is one keystroke that can be appended in place. */
bool typing_apply(struct ydoc *doc, const uint8_t *update, size_t len);

/* The same for an edit of the document's own. Works only right behind the last
 * edit: typing_expect says after an insertion where that is. */
bool typing_insert(struct ydoc *doc, uint32_t type, uint32_t index, struct ydoc_slice text,
                   uint32_t units);
void typing_expect(struct ydoc *doc, uint32_t type, uint32_t index);

#endif
