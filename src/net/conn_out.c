#include "net/conn_out.h"

#include <assert.h>
#include <string.h>

/* A slot's two lowest bits say what it is; buffers are aligned to more. */
#define KIND_MASK UINT64_C(3)
#define KIND_RBUF UINT64_C(0)  /* the pointer itself */
#define KIND_ARENA UINT64_C(1) /* offset << 32 | length << 2 */
#define KIND_CONST UINT64_C(2) /* pointer to struct constant */

struct constant {
    struct mem_account *account;
    const uint8_t *p;
    uint32_t len;
};

#define ARENA_PIECE_MAX ((1u << 30) - 1)

static uint64_t *slot_at(const struct conn_out *o, uint32_t i)
{
    uint64_t *slots = (uint64_t *)(uintptr_t)(o->cap > CONN_OUT_FEW ? o->u.slots : o->u.few);
    uint32_t at = o->first + i;

    return &slots[at < o->cap ? at : at - o->cap];
}

static void *slot_pointer(uint64_t slot)
{
    return (void *)(uintptr_t)(slot & ~KIND_MASK);
}

static uint32_t arena_offset(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static uint32_t arena_len(uint64_t slot)
{
    return (uint32_t)slot >> 2;
}

static uint64_t arena_slot(uint32_t offset, uint32_t len)
{
    return (uint64_t)offset << 32 | (uint64_t)len << 2 | KIND_ARENA;
}

static struct iovec slot_bytes(uint64_t slot, const struct arena *r)
{
    const struct constant *c;
    struct rbuf *b;

    switch (slot & KIND_MASK) {
    case KIND_ARENA:
        return (struct iovec){r->bytes + arena_offset(slot), arena_len(slot)};
    case KIND_CONST:
        c = slot_pointer(slot);
        return (struct iovec){(void *)(uintptr_t)c->p, c->len};
    default:
        b = slot_pointer(slot);
        return (struct iovec){b->bytes, b->len};
    }
}

static uint32_t slot_len(uint64_t slot)
{
    static const struct arena none;

    if ((slot & KIND_MASK) == KIND_ARENA)
        return arena_len(slot);
    return (uint32_t)slot_bytes(slot, &none).iov_len;
}

static void free_slot(uint64_t slot)
{
    struct constant *c;

    switch (slot & KIND_MASK) {
    case KIND_ARENA:
        return;
    case KIND_CONST:
        c = slot_pointer(slot);
        mem_free(c->account, c, sizeof(*c));
        return;
    default:
        rbuf_unref(slot_pointer(slot));
    }
}

void conn_out_init(struct conn_out *o)
{
    *o = (struct conn_out){.cap = CONN_OUT_FEW};
}

static void shrink(struct conn_out *o, struct mem_account *a)
{
    assert(o->n == 0);
    if (o->cap > CONN_OUT_FEW)
        mem_free(a, o->u.slots, o->cap * sizeof(uint64_t));
    o->cap = CONN_OUT_FEW;
    o->first = 0;
}

void conn_out_fini(struct conn_out *o, struct mem_account *a)
{
    for (uint32_t i = 0; i < o->n; i++)
        free_slot(*slot_at(o, i));
    o->n = 0;
    shrink(o, a);
    o->sent = 0;
    o->bytes = 0;
}

void conn_out_drop_unsent(struct conn_out *o, struct mem_account *a)
{
    uint32_t keep = o->n > 0 && o->sent > 0 ? 1 : 0;

    while (o->n > keep) {
        uint64_t slot = *slot_at(o, o->n - 1);

        o->bytes -= slot_len(slot);
        free_slot(slot);
        o->n--;
    }
    if (o->n == 0)
        shrink(o, a);
}

static bool grow(struct conn_out *o, struct mem_account *a)
{
    uint32_t cap = o->cap > CONN_OUT_FEW ? o->cap * 2 : 16;
    uint64_t *slots;

    if (cap > CONN_OUT_SLOTS_MAX)
        return false;
    slots = mem_alloc(a, cap * sizeof(uint64_t));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < o->n; i++)
        slots[i] = *slot_at(o, i);
    if (o->cap > CONN_OUT_FEW)
        mem_free(a, o->u.slots, o->cap * sizeof(uint64_t));
    o->u.slots = slots;
    o->cap = cap;
    o->first = 0;
    return true;
}

static bool put(struct conn_out *o, struct mem_account *a, uint64_t slot, uint32_t len)
{
    if (o->n == o->cap && !grow(o, a))
        return false;
    o->n++;
    *slot_at(o, o->n - 1) = slot;
    o->bytes += len;
    return true;
}

bool conn_out_put_take(struct conn_out *o, struct mem_account *a, struct rbuf *b)
{
    if (b->len == 0) {
        rbuf_unref(b); /* an empty piece would look like a socket that takes nothing */
        return true;
    }
    if (put(o, a, (uint64_t)(uintptr_t)b | KIND_RBUF, b->len))
        return true;
    rbuf_unref(b);
    return false;
}

bool conn_out_put_static(struct conn_out *o, struct mem_account *a, const uint8_t *p, size_t n)
{
    struct constant *c;

    assert(n <= UINT32_MAX);
    if (n == 0)
        return true;
    c = mem_alloc(a, sizeof(*c));
    if (c == NULL)
        return false;
    *c = (struct constant){a, p, (uint32_t)n};
    if (put(o, a, (uint64_t)(uintptr_t)c | KIND_CONST, (uint32_t)n))
        return true;
    mem_free(a, c, sizeof(*c));
    return false;
}

/* The last slot grows when it ends where the new piece begins. */
static bool extend_last(struct conn_out *o, const struct arena *r, uint32_t n)
{
    uint64_t *last = o->n > 0 ? slot_at(o, o->n - 1) : NULL;

    if (last == NULL || (*last & KIND_MASK) != KIND_ARENA ||
        arena_offset(*last) + arena_len(*last) != r->used || n > ARENA_PIECE_MAX - arena_len(*last))
        return false;
    *last = arena_slot(arena_offset(*last), arena_len(*last) + n);
    o->bytes += n;
    return true;
}

uint8_t *conn_out_put_arena(struct conn_out *o, struct mem_account *a, struct arena *r, size_t n)
{
    uint8_t *p;

    assert(n > 0);
    if (n > r->cap - r->used)
        return NULL;
    if (!extend_last(o, r, (uint32_t)n) &&
        !put(o, a, arena_slot(r->used, (uint32_t)n), (uint32_t)n))
        return NULL;
    p = r->bytes + r->used;
    r->used += (uint32_t)n;
    return p;
}

int conn_out_get_iov(const struct conn_out *o, const struct arena *r, struct iovec *iov, int max)
{
    int n = 0;

    for (uint32_t i = 0; i < o->n && n < max; i++)
        iov[n++] = slot_bytes(*slot_at(o, i), r);
    if (n > 0) {
        iov[0].iov_base = (uint8_t *)iov[0].iov_base + o->sent;
        iov[0].iov_len -= o->sent;
    }
    return n;
}

void conn_out_consume(struct conn_out *o, struct mem_account *a, size_t n)
{
    assert(n <= o->bytes);
    o->bytes -= n;
    while (n > 0) {
        uint64_t slot = *slot_at(o, 0);
        uint32_t left = slot_len(slot) - o->sent;

        if (n < left) {
            o->sent += (uint32_t)n;
            return;
        }
        n -= left;
        free_slot(slot);
        o->sent = 0;
        o->first = o->first + 1 < o->cap ? o->first + 1 : 0;
        o->n--;
    }
    if (o->n == 0)
        shrink(o, a);
}

bool conn_out_settle(struct conn_out *o, const struct arena *r, struct mem_account *a)
{
    for (uint32_t i = 0; i < o->n; i++) {
        uint64_t *slot = slot_at(o, i);
        struct rbuf *b;

        if ((*slot & KIND_MASK) != KIND_ARENA)
            continue;
        b = rbuf_dup(a, r->bytes + arena_offset(*slot), arena_len(*slot));
        if (b == NULL)
            return false;
        *slot = (uint64_t)(uintptr_t)b | KIND_RBUF;
    }
    return true;
}
