#include "base/rbuf.h"

#include <assert.h>
#include <string.h>

struct rbuf *rbuf_new(struct mem_account *a, size_t len)
{
    struct rbuf *b;

    if (len > RBUF_LEN_MAX)
        return NULL;
    b = mem_alloc(a, sizeof(*b) + len);
    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->len = (uint32_t)len;
    b->account = a;
    return b;
}

struct rbuf *rbuf_dup(struct mem_account *a, const void *p, size_t len)
{
    struct rbuf *b = rbuf_new(a, len);

    if (b != NULL && len > 0)
        memcpy(b->bytes, p, len);
    return b;
}

struct rbuf *rbuf_ref(struct rbuf *b)
{
    /* relaxed: the caller holds a reference already, nothing is published here */
    unsigned before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
    return b;
}

void rbuf_unref(struct rbuf *b)
{
    if (b == NULL)
        return;
    /* acq_rel: whoever drops the last reference sees all uses by the others */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        mem_free(b->account, b, sizeof(*b) + b->len);
}
