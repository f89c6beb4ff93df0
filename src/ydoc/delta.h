#ifndef YDOC_DELTA_H
#define YDOC_DELTA_H

/* delta - the JSON that callers hand to text edits, taken apart beforehand:
 * attributes, and lists of operations. In the edit itself nothing can be wrong
 * with them any more. */
#include "ydoc/internal.h"

enum delta_kind { DELTA_INSERT, DELTA_EMBED, DELTA_RETAIN, DELTA_DELETE };

struct delta_attr {
    struct ydoc_slice key;   /* UTF-8 */
    struct ydoc_slice value; /* JSON as JSON.stringify has it */
};

struct delta_op {
    enum delta_kind kind;
    struct ydoc_slice insert; /* INSERT: the text; EMBED: its JSON */
    uint32_t len;             /* UTF-16 units */
    uint32_t attr, attrs;     /* which of delta.attrs */
};

struct delta {
    const struct delta_op *ops;
    size_t n;
    const struct delta_attr *attrs;
    /* What the slices point into, and the arrays themselves. */
    struct ydoc_buf json, bytes, op_bytes, attr_bytes;
};

void delta_init(struct delta *d, const struct ydoc_alloc *alloc);
void delta_fini(struct delta *d);

/* `json` is an object of attributes: makes one op that carries them. */
int delta_read_attributes(struct delta *d, struct ydoc_slice json, struct ydoc_error *err);
/* `json` is a list of operations for a text of `length` units. A retain may reach
 * beyond the end by DELTA_NEWLINES_MAX: Yjs fills up with line breaks. */
#define DELTA_NEWLINES_MAX (1u << 20)
int delta_read(struct delta *d, struct ydoc_slice json, uint32_t length, struct ydoc_error *err);

#endif
