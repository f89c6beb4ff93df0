/* ybuf - growing byte strings, the default allocator and error words.
 *
 * Buffers grow by half, so that an idle one wastes little; appends stay
 * amortised O(1).
 */
#include "ydoc/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_BYTES_MIN 64

static void *malloc_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}

struct ydoc_alloc ydoc__alloc_or_default(const struct ydoc_alloc *alloc)
{
    struct ydoc_alloc a = {malloc_resize, NULL};

    return alloc != NULL ? *alloc : a;
}

void ydoc_buf_init(struct ydoc_buf *b, const struct ydoc_alloc *alloc)
{
    b->p = NULL;
    b->len = 0;
    b->cap = 0;
    b->alloc = ydoc__alloc_or_default(alloc);
    b->failed = false;
}

void ydoc_buf_fini(struct ydoc_buf *b)
{
    if (b->p != NULL)
        b->alloc.resize(b->alloc.ctx, b->p, b->cap, 0);
    b->p = NULL;
    b->len = 0;
    b->cap = 0;
}

void ydoc_buf_reset(struct ydoc_buf *b)
{
    b->len = 0;
    b->failed = false;
}

bool ydoc_buf_reserve(struct ydoc_buf *b, size_t more)
{
    size_t cap = b->cap + b->cap / 2;
    void *p;

    if (b->failed)
        return false;
    if (more <= b->cap - b->len)
        return true;
    if (cap < BUF_BYTES_MIN)
        cap = BUF_BYTES_MIN;
    if (cap - b->len < more)
        cap = b->len + more;
    p = cap < b->len ? NULL : b->alloc.resize(b->alloc.ctx, b->p, b->cap, cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void ydoc_buf_append(struct ydoc_buf *b, const void *p, size_t len)
{
    if (len == 0 || !ydoc_buf_reserve(b, len))
        return;
    memcpy(b->p + b->len, p, len);
    b->len += len;
}

int ydoc__buf_finish(struct ydoc_buf *b, size_t len_before, struct ydoc_error *err)
{
    if (!b->failed)
        return 0;
    b->len = len_before;
    return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory for the result");
}

const char *ydoc_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
#define YDOC_X(name, value, words)                                                                 \
    case name:                                                                                     \
        return words;
        YDOC_ERROR_LIST(YDOC_X)
#undef YDOC_X
    default:
        return "unknown error";
    }
}

int ydoc__error(struct ydoc_error *err, int code, size_t offset, const char *fmt, ...)
{
    va_list ap;

    if (err != NULL) {
        err->code = code;
        err->offset = offset;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
    }
    return code;
}

int lib0_error(const struct lib0_reader *r, struct ydoc_error *err)
{
    if (r->why == NULL)
        return 0;
    return ydoc__error(err, YDOC_EMALFORMED, r->fail_at, "byte %zu: %s", r->fail_at, r->why);
}
