#ifndef YDOC_TEXT_H
#define YDOC_TEXT_H

/* text - JSON as JavaScript's JSON.stringify writes it: strings, numbers, lib0
 * values, and JSON text brought into that form. */
#include "ydoc/internal.h"

enum text_style {
    TEXT_PLAIN,  /* what JSON lacks becomes null, or the nearest thing */
    TEXT_TAGGED, /* {"$u":1}, {"$n":"NaN"}, {"$big":"1"}, {"$bin":"base64"}, {"$doc":…} */
};

/* The inside of a string, and one UTF-16 unit as an escape. */
void text_write_chars(struct ydoc_buf *out, struct ydoc_slice utf8);
void text_write_unit(struct ydoc_buf *out, unsigned unit);
/* `utf8` in quotes. */
void text_write_string(struct ydoc_buf *out, struct ydoc_slice utf8);
/* As Number.prototype.toString(); NaN and infinities by name. */
void text_write_number(struct ydoc_buf *out, double v);
/* A Uint8Array: as base64 in quotes. */
void text_write_bytes(struct ydoc_buf *out, struct ydoc_slice bytes, enum text_style style);
/* Reads one value and writes it as JSON. */
void text_write_any(struct ydoc_buf *out, struct lib0_reader *r, enum text_style style);
/* guid and options as a document keeps them. */
void text_write_doc(struct ydoc_buf *out, struct ydoc_slice body, enum text_style style);

/* Valid JSON as JSON.stringify(JSON.parse(json)) has it (json.c). */
void text_write_canonical(struct ydoc_buf *out, struct ydoc_slice json);

#endif
