#ifndef YDOC_COLUMNS_H
#define YDOC_COLUMNS_H

/* columns - the run-length coders of update format v2 (lib0 0.2.120).
 *
 *     rle u8       byte, varuint count - 1; the last run's count is left out and
 *                  it goes on for ever
 *     uint opt     varint v (one of them), or varint -v (-0 for 0) and varuint
 *                  count - 2
 *     int diff     varint 2 * difference (one), or 2 * difference + 1 and varuint
 *                  count - 2; each value is the one before plus the difference,
 *                  the first one's is against 0
 *     text         varstring of all strings in one, then uint opt of their
 *                  lengths in UTF-16 units, to the column's end
 *
 * A column read past its end is an error, and so is a value that is no client
 * (uint opt: below 2^53) or no clock (int diff: below 2^32). Offsets in errors
 * are the update's, because every reader keeps its start as base.
 */
#include "ydoc/internal.h"

/* ---- reading ---- */

struct column {
    struct lib0_reader r;
    uint64_t left; /* of the run */
    int64_t value, step;
};

/* Takes the column, a varbytes, off the front of `r`. */
void column_open(struct column *c, struct lib0_reader *r);

uint8_t column__next_run_u8(struct column *c);
uint64_t column__next_run_uint(struct column *c);
uint64_t column__next_diff(struct column *c);

static inline uint8_t column_read_u8(struct column *c)
{
    if (c->left == 0)
        return column__next_run_u8(c);
    c->left--;
    return (uint8_t)c->value;
}

static inline uint64_t column_read_uint(struct column *c)
{
    if (c->left == 0)
        return column__next_run_uint(c);
    c->left--;
    return (uint64_t)c->value;
}

static inline uint32_t column_read_clock(struct column *c)
{
    if (c->left > 0 && c->step >= 0 && c->value + c->step <= UINT32_MAX) {
        c->left--;
        c->value += c->step;
        return (uint32_t)c->value;
    }
    return (uint32_t)column__next_diff(c);
}

/* ---- writing ---- */

struct column_writer {
    struct ydoc_buf buf;
    int64_t value, step;
    uint64_t count;
};

void column_writer_init(struct column_writer *c, const struct ydoc_alloc *alloc);
void column_writer_fini(struct column_writer *c);

void column__end_u8(struct column_writer *c);
void column__end_uint(struct column_writer *c);
void column__end_diff(struct column_writer *c);

static inline void column_write_u8(struct column_writer *c, uint8_t v)
{
    if (c->count == 0 || v != c->value) {
        column__end_u8(c);
        lib0_write_u8(&c->buf, v);
        c->value = v;
        c->count = 0;
    }
    c->count++;
}

static inline void column_write_uint(struct column_writer *c, uint64_t v)
{
    if ((int64_t)v != c->value) {
        column__end_uint(c);
        c->value = (int64_t)v;
    }
    c->count++;
}

static inline void column_write_diff(struct column_writer *c, uint64_t v)
{
    if ((int64_t)v - c->value != c->step) {
        column__end_diff(c);
        c->step = (int64_t)v - c->value;
    }
    c->value = (int64_t)v;
    c->count++;
}

#endif
