#include "room/ring.h"

#include <assert.h>
#include <string.h>

#define RING_CAP_MIN 4

void ring_init(struct ring *r, struct mem_account *a, uint32_t records_max, size_t bytes_max)
{
    assert(records_max >= RING_CAP_MIN && (records_max & (records_max - 1)) == 0);
    *r = (struct ring){.records_max = records_max, .bytes_max = bytes_max, .account = a};
}

static void record_release(struct room_record *rec)
{
    rbuf_unref(rec->body);
    rbuf_unref(rec->before);
    for (size_t i = 0; i < ROOM_ENCODINGS_MAX; i++)
        rbuf_unref(rec->frames[i]);
}

static void release_slots(struct ring *r)
{
    mem_free(r->account, r->slots, r->cap * sizeof(*r->slots));
    r->slots = NULL;
    r->cap = 0;
}

void ring_fini(struct ring *r)
{
    ring_drop(r, r->head);
    release_slots(r);
}

bool ring_is_full(const struct ring *r, size_t len)
{
    uint64_t n = r->head - r->tail;

    /* One record is always taken, however large: a room cannot stop. */
    return n == r->records_max || (n > 0 && (len > r->bytes_max || r->bytes > r->bytes_max - len));
}

static int grow(struct ring *r)
{
    uint32_t cap = r->cap == 0 ? RING_CAP_MIN : r->cap * 2;
    struct room_record *slots = mem_alloc(r->account, cap * sizeof(*slots));

    if (slots == NULL)
        return SK_ETOOBIG;
    for (uint64_t i = r->tail; i < r->head; i++)
        slots[i & (cap - 1)] = r->slots[i & (r->cap - 1)];
    release_slots(r);
    r->slots = slots;
    r->cap = cap;
    return 0;
}

int ring_push_take(struct ring *r, struct room_record *rec)
{
    assert(r->head - r->tail < r->records_max);
    if (r->head - r->tail == r->cap && grow(r) != 0) {
        record_release(rec);
        return SK_ETOOBIG;
    }
    r->slots[r->head & (r->cap - 1)] = *rec;
    r->head++;
    r->bytes += rec->body->len;
    return 0;
}

void ring_drop(struct ring *r, uint64_t seq)
{
    assert(seq <= r->head);
    for (; r->tail < seq; r->tail++) {
        struct room_record *rec = &r->slots[r->tail & (r->cap - 1)];

        r->bytes -= rec->body->len;
        record_release(rec);
    }
    if (r->tail == r->head && r->cap > RING_CAP_MIN)
        release_slots(r); /* what a slow member has cost is given back */
}

struct room_record *ring_get(struct ring *r, uint64_t seq)
{
    assert(seq >= r->tail && seq < r->head);
    return &r->slots[seq & (r->cap - 1)];
}
