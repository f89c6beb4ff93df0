#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_CAP_MIN 64

void buf_init(struct buf *b, struct mem_account *a, size_t max)
{
    assert(max > 0);
    *b = (struct buf){.max = max, .account = a};
}

void buf_fini(struct buf *b)
{
    mem_free(b->account, b->p, b->cap);
    b->p = NULL;
    b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->err = 0;
}

int buf_err(const struct buf *b)
{
    return b->err;
}

static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap + b->cap / 2;

    if (cap < need)
        cap = need;
    return cap > b->max ? b->max : cap;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    uint8_t *p;
    size_t cap;

    if (b->err != 0)
        return NULL;
    if (n <= b->cap - b->len)
        return b->p + b->len;
    if (n > b->max - b->len) {
        b->err = SK_ETOOBIG;
        return NULL;
    }
    cap = grown_cap(b, b->len + n);
    p = mem_resize(b->account, b->p, b->cap, cap);
    if (p == NULL) {
        b->err = SK_ETOOBIG;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->len;
}

void buf_advance(struct buf *b, size_t n)
{
    assert(n <= b->cap - b->len);
    b->len += n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    uint8_t *to;

    if (n == 0)
        return;
    to = buf_reserve(b, n);
    if (to == NULL)
        return;
    memcpy(to, p, n);
    b->len += n;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_json(struct buf *b, const char *s)
{
    buf_put_u8(b, '"');
    for (; *s != 0; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20) {
            buf_printf(b, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            buf_put_u8(b, '\\');
        buf_put_u8(b, c);
    }
    buf_put_u8(b, '"');
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;
    uint8_t *to;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    to = buf_reserve(b, (size_t)n + 1);
    if (to != NULL) {
        vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *buf_str(struct buf *b)
{
    uint8_t *end = buf_reserve(b, 1);

    if (end == NULL)
        return "";
    *end = 0;
    return (const char *)b->p;
}
