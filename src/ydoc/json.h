#ifndef YDOC_JSON_H
#define YDOC_JSON_H

/* json - valid JSON text, read and brought into JSON.stringify's form
 * (text_write_canonical, in text.h). */
#include "ydoc/internal.h"

/* True for JSON.stringify's form of a value without members; a container is
 * not looked into. */
bool json_is_canonical(struct ydoc_slice json);
/* text_write_canonical, at the cost of a copy for what is canonical already. */
void json_write(struct ydoc_buf *out, struct ydoc_slice json);

/* The inside of a string, as UTF-8. */
void json_unescape(struct ydoc_buf *out, struct ydoc_slice inside);
double json_read_number(struct ydoc_slice text);

/* Takes one value and the white space around it off the front of `s`. */
struct ydoc_slice json_take_value(struct ydoc_slice *s);

/* Walking JSON in JSON.stringify's form (json_walk.c). The inside of an object,
 * list or string is what stands between its brackets or quotes; keys are given
 * without their quotes, escapes and all. */
struct ydoc_slice json_inside(struct ydoc_slice value);
bool json_next_member(struct ydoc_slice *inside, struct ydoc_slice *key, struct ydoc_slice *value);
bool json_next_element(struct ydoc_slice *inside, struct ydoc_slice *value);

/* lib0's equalFlat: two objects or two lists with the same members, none of which
 * is itself an object or a list. O(members^2). */
bool json_equal_flat(struct ydoc_slice a, struct ydoc_slice b);

#endif
