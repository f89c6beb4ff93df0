#ifndef YDOC_JSON_WALK_H
#define YDOC_JSON_WALK_H

/* json_walk - looking into JSON text that is known to be in text_write_canonical's
 * form: awareness states, and the formats and embeds a document keeps. */
#include "ydoc/json.h"
#include "ydoc/text.h"

/* A member of an object, or anything else with a name. */
struct json_member {
    struct ydoc_slice key; /* of a JSON object: with its quotes and escapes */
    struct ydoc_slice value;
    uint32_t number; /* the caller's */
};

typedef int (*json_compare_fn)(struct ydoc_slice a, struct ydoc_slice b);
/* UTF-8 in the order of JavaScript's sort(), which compares UTF-16 units. */
int json_compare(struct ydoc_slice a, struct ydoc_slice b);
/* Decimal numbers without leading zeros. */
int json_compare_index(struct ydoc_slice a, struct ydoc_slice b);
/* By key, in place, O(n log n). */
void json_sort_members(struct json_member *v, size_t n, json_compare_fn compare);
/* A key that JavaScript puts before all others: "0" to "4294967294". */
bool json_is_index(struct ydoc_slice key);

struct json_walk {
    struct ydoc_slice rest;
    bool object;
};
/* False if `value` is no object and no array. */
bool json_open(struct json_walk *w, struct ydoc_slice value);
bool json_next(struct json_walk *w, struct json_member *m); /* of an array: without keys */

/* The member called `name`, which needs no escapes. False if there is none. */
bool json_find(struct ydoc_slice object, const char *name, struct ydoc_slice *value);

static inline bool json_is_string(struct ydoc_slice json)
{
    return json.len >= 2 && json.p[0] == '"';
}

/* What a string says, as UTF-8; half a surrogate pair becomes U+FFFD. */
void json_write_text(struct ydoc_buf *out, struct ydoc_slice string);

/* toLowerCase(), see lowercase.c. */
void json_write_lowercase(struct ydoc_buf *out, struct ydoc_slice utf8);

/* lib0's equalFlat: two objects or two lists with the same members, none of which
 * is itself an object or a list. O(members^2). */
bool json_equal_flat(struct ydoc_slice a, struct ydoc_slice b);

/* Equal but for the order of members: 1, 0, or YDOC_ENOMEM. */
int json_equal(struct ydoc_slice a, struct ydoc_slice b, const struct ydoc_alloc *alloc);

#endif
