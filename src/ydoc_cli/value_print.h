#ifndef SKEIN_YDOC_CLI_VALUE_PRINT_H
#define SKEIN_YDOC_CLI_VALUE_PRINT_H

/* value_print - contents for a reader's eye. Everything that is not printable is
 * escaped, so that a hostile document cannot speak to a terminal. */
#include <stdio.h>

#include "ydoc/lib0.h"

#define PRINT_WHOLE SIZE_MAX

/* Appends printf's result. */
void print_words(struct ydoc_buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* UTF-8 text in quotes, at most about `max` bytes of it, then "… and how many more". */
void print_string(struct ydoc_buf *out, struct ydoc_slice s, size_t max);

/* Bytes as hexadecimal. */
void print_bytes(struct ydoc_buf *out, struct ydoc_slice s, size_t max);

/* One lib0 `any`, which has been checked, as JavaScript would spell it. */
void print_any(struct ydoc_buf *out, struct lib0_reader *r, size_t max);

#endif
