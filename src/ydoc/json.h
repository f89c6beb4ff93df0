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

/* A code point as UTF-8. */
void json_write_point(struct ydoc_buf *out, uint32_t c);
/* The inside of a string, as UTF-8. */
void json_unescape(struct ydoc_buf *out, struct ydoc_slice inside);
double json_read_number(struct ydoc_slice text);

/* Takes one value and the white space around it off the front of `s`. */
struct ydoc_slice json_take_value(struct ydoc_slice *s);

#endif
