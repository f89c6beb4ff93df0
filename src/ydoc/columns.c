/* columns - see columns.h. */
#include "ydoc/columns.h"

#include <string.h>

void column_open(struct column *c, struct lib0_reader *r)
{
    struct ydoc_slice bytes = lib0_read_varbytes(r);

    memset(c, 0, sizeof(*c));
    c->r = *r;
    c->r.p = bytes.p;
    c->r.end = bytes.p + bytes.len;
}

static bool at_end(struct column *c)
{
    if (c->r.p == c->r.end)
        lib0_fail(&c->r, "a column ends too early");
    return c->r.why != NULL;
}

uint8_t column__next_run_u8(struct column *c)
{
    if (at_end(c))
        return 0;
    c->value = *c->r.p++;
    c->left = c->r.p == c->r.end ? UINT64_MAX : lib0_read_varuint(&c->r);
    return (uint8_t)c->value;
}

/* The repetitions that follow the first one. */
static uint64_t read_more(struct column *c)
{
    return lib0_read_varuint(&c->r) + 1;
}

uint64_t column__next_run_uint(struct column *c)
{
    bool negative_zero = false;

    if (at_end(c))
        return 0;
    c->value = lib0_read_varint(&c->r, &negative_zero);
    if (c->value < 0 || negative_zero) {
        c->value = -c->value;
        c->left = read_more(c);
    }
    if (c->r.why != NULL) {
        c->left = 0;
        return 0;
    }
    return (uint64_t)c->value;
}

uint64_t column__next_diff(struct column *c)
{
    const uint8_t *at = c->r.p;

    if (c->left > 0) {
        c->left--;
    } else {
        int64_t v;

        if (at_end(c))
            return 0;
        v = lib0_read_varint(&c->r, NULL);
        c->step = v >= 0 ? v / 2 : -((1 - v) / 2);
        if (v & 1)
            c->left = read_more(c);
    }
    c->value += c->step;
    if (c->r.why == NULL && (c->value < 0 || c->value > UINT32_MAX))
        lib0_fail_at(&c->r, at, "clock or length above 2^32-1");
    if (c->r.why != NULL) {
        c->left = 0;
        c->value = c->step = 0;
    }
    return (uint64_t)c->value;
}

void column_writer_init(struct column_writer *c, const struct ydoc_alloc *alloc)
{
    memset(c, 0, sizeof(*c));
    ydoc_buf_init(&c->buf, alloc);
}

void column_writer_fini(struct column_writer *c)
{
    ydoc_buf_fini(&c->buf);
}

void column__end_u8(struct column_writer *c)
{
    if (c->count > 0)
        lib0_write_varuint(&c->buf, c->count - 1);
}

void column__end_uint(struct column_writer *c)
{
    if (c->count == 0)
        return;
    if (c->count == 1) {
        lib0_write_varint(&c->buf, c->value, false);
    } else {
        lib0_write_varint(&c->buf, -c->value, c->value == 0);
        lib0_write_varuint(&c->buf, c->count - 2);
    }
    c->count = 0;
}

void column__end_diff(struct column_writer *c)
{
    if (c->count == 0)
        return;
    lib0_write_varint(&c->buf, c->step * 2 + (c->count > 1), false);
    if (c->count > 1)
        lib0_write_varuint(&c->buf, c->count - 2);
    c->count = 0;
}
