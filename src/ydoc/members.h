#ifndef YDOC_MEMBERS_H
#define YDOC_MEMBERS_H

/* members - the members of an object in the order that JavaScript gives them:
 * keys that are array indexes ("0" to "4294967294") ascending, then the others
 * as they were first set; a key that is set twice keeps its first place and its
 * last value. O(n log n), in place. */
#include "ydoc/internal.h"

struct member {
    struct ydoc_slice key, value;
    uint64_t rank; /* set by members_order */
};

/* `v` as read; returns how many are left of `n`. */
size_t members_order(struct member *v, size_t n);

/* Is the key an array index? */
bool members_is_index(struct ydoc_slice key, uint64_t *index);

#endif
