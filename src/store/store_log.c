/* store_log - the records that a load or a read gives back.
 *
 * Blobs are copied as they are, each into a chunk of its own, and the entries
 * point into the chunks: one copy a blob instead of one a record. */
#include "store/store_backend.h"

#include <string.h>

#include "store/store_batch.h"

struct store_chunk {
    struct store_chunk *next;
    size_t len;
    uint8_t bytes[];
};

void store_log_fini(struct store_log *l)
{
    while (l->chunks != NULL) {
        struct store_chunk *c = l->chunks;

        l->chunks = c->next;
        mem_free(l->account, c, sizeof(*c) + c->len);
    }
    mem_free(l->account, l->entries, l->entries_cap * sizeof(l->entries[0]));
    *l = (struct store_log){0};
}

static int push_entry(struct store_log *l, const struct store_entry *e)
{
    if (l->count == l->entries_cap) {
        size_t cap = l->entries_cap == 0 ? 16 : l->entries_cap * 2;
        struct store_entry *p =
            mem_resize(l->account, l->entries, l->entries_cap * sizeof(*p), cap * sizeof(*p));

        if (p == NULL)
            return SK_ETOOBIG;
        l->entries = p;
        l->entries_cap = cap;
    }
    l->entries[l->count++] = *e;
    l->bytes += e->len;
    return 0;
}

static struct store_chunk *add_chunk(struct store_log *l, const struct store_blob *b)
{
    struct store_chunk *c = mem_alloc(l->account, sizeof(*c) + b->len);

    if (c == NULL)
        return NULL;
    c->len = b->len;
    memcpy(c->bytes, b->p, b->len);
    c->next = l->chunks;
    l->chunks = c;
    return c;
}

/* 0, SK_ECORRUPT, or 1 when the log is full. */
static int take_entry(struct store_log *l, const struct store_entry *e, const struct store_range *r)
{
    uint64_t last = l->count > 0 ? l->entries[l->count - 1].seq : 0;

    if (e->seq < r->from || e->seq <= last)
        return 0;
    if (last != 0 && e->seq != last + 1)
        return SK_ECORRUPT;
    if (e->seq > r->to)
        return 1;
    if (l->count > 0 && ((r->count_max != 0 && l->count >= r->count_max) ||
                         (r->bytes_max != 0 && l->bytes + e->len > r->bytes_max))) {
        l->more = true;
        return 1;
    }
    return push_entry(l, e);
}

int store__log_add(struct store_log *l, const struct store_blob *b, const struct store_range *r)
{
    struct batch_reader reader;
    struct store_entry e;
    struct store_chunk *c;
    int rc;

    if (l->more || b->last < r->from || b->first > r->to)
        return 0;
    if (l->count > 0 && b->last <= l->entries[l->count - 1].seq)
        return 0;
    if (b->len < BATCH_HEADER_BYTES)
        return SK_ECORRUPT;
    c = add_chunk(l, b);
    if (c == NULL)
        return SK_ETOOBIG;
    rc = store_batch_open(&reader, c->bytes, c->len, b->room, b->first, b->last);
    while (rc == 0 && (rc = store_batch_next(&reader, &e)) == 1)
        rc = take_entry(l, &e, r);
    return rc < 0 ? rc : 0;
}
