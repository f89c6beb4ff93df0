/* ydoc - making, freeing and asking a document. The work is in apply.c (updates
 * in), encode.c (updates out), integrate.c and collect.c (Yjs's algorithms),
 * store.c, index.c and types.c (data). */
#include "ydoc/place.h"
#include "ydoc/watch.h"

#include <string.h>
#include <unistd.h>

int ydoc_new(struct ydoc **out, const struct ydoc_options *options)
{
    static const struct ydoc none;
    struct ydoc_alloc alloc = ydoc__alloc_or_default(options != NULL ? options->alloc : NULL);
    struct ydoc *doc = alloc.resize(alloc.ctx, NULL, 0, sizeof(*doc));

    *out = NULL;
    if (doc == NULL)
        return YDOC_ENOMEM;
    *doc = none;
    doc->alloc = alloc;
    doc->limits = ydoc__limits(options != NULL ? options->limits : NULL);
    if (options != NULL) {
        doc->keep_deleted = options->keep_deleted;
        doc->no_format_cleanup = options->no_format_cleanup;
        doc->client_id = options->client_id;
    }
    if (doc->client_id == 0)
        doc->client_id = ydoc__random_client();
    doc->tx = 1;
    doc->acc = 1;
    doc->memory_used = sizeof(*doc);
    *out = doc;
    return 0;
}

void ydoc_free(struct ydoc *doc)
{
    if (doc == NULL)
        return;
    for (uint32_t i = 0; i < doc->queue.n; i++) {
        store_free_tx(doc, doc->queue.p[i]);
        store_resize(doc, doc->queue.p[i], sizeof(struct tx), 0);
    }
    VEC_FREE(doc, doc->queue);
    store_free_watch(doc);
    store_discard(doc);
}

uint64_t ydoc__random_client(void)
{
    uint32_t id = 0;

    if (getentropy(&id, sizeof(id)) != 0 || id == 0)
        id = (uint32_t)(uintptr_t)&id | 1; /* no entropy: an address is better than a constant */
    return id;
}

bool ydoc_has_pending_structs(const struct ydoc *doc)
{
    return doc->pending.n > 0;
}

bool ydoc_has_pending_deletes(const struct ydoc *doc)
{
    return doc->pending_deletes.n > 0;
}

bool ydoc_has_pending(const struct ydoc *doc)
{
    return ydoc_has_pending_structs(doc) || ydoc_has_pending_deletes(doc);
}

size_t ydoc_memory_used(const struct ydoc *doc)
{
    const struct watch *w = doc->watch;

    return doc->memory_used + (w == NULL ? 0 : w->slices.cap + w->bytes.cap);
}

/* A block that cannot be made smaller is kept as it is. */
static void *shrink(struct ydoc *doc, void *p, uint32_t *cap, uint32_t n, size_t each)
{
    void *q = store_resize(doc, p, *cap * each, n * each);

    if (q == NULL && n > 0)
        return p;
    *cap = n;
    return q;
}

#define SHRINK(v) ((v).p = shrink(doc, (v).p, &(v).cap, (v).n, sizeof(*(v).p)))

static void shrink_clients(struct ydoc *doc)
{
    SHRINK(doc->clients);
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        struct client *c = &doc->clients.p[i];

        for (uint32_t k = 0; k < (c->chunks > 1 ? c->chunks : 1); k++) {
            struct chunk *chunk = index_chunk(c, k);

            if (chunk->cap > CHUNK_INLINE && chunk->n > CHUNK_INLINE)
                chunk->u.p = shrink(doc, chunk->u.p, &chunk->cap, chunk->n, sizeof(struct entry));
        }
    }
}

void ydoc_shrink(struct ydoc *doc)
{
    store_free_scratch(doc);
    if (doc->broken)
        return;
    if (doc->tx_depth == 0)
        place_drop_all(doc);
    if (doc->slab_waste > 0)
        store_compact_slab(doc, false);
    SHRINK(doc->items);
    SHRINK(doc->slab);
    shrink_clients(doc);
    SHRINK(doc->client_order);
    SHRINK(doc->keys);
    SHRINK(doc->key_bytes);
    SHRINK(doc->types);
    SHRINK(doc->slots);
    SHRINK(doc->roots);
    SHRINK(doc->acc_touched);
    SHRINK(doc->acc_deleted);
    SHRINK(doc->acc_packed);
    SHRINK(doc->pending);
    SHRINK(doc->pending_missing);
    SHRINK(doc->pending_deletes);
}

static bool all_deleted(const struct ydoc *doc, uint32_t client, const struct wire_range *range)
{
    struct client *c = &doc->clients.p[client];
    struct place at;

    if (c->state < range->clock + range->len)
        return false;
    at = index_find(doc, c, range->clock);
    do {
        const struct item *it = &doc->items.p[index_at(c, at)];

        if (it->clock >= range->clock + range->len)
            return true;
        if (!item_deleted(it))
            return false;
    } while (index_next(c, &at));
    return true;
}

/* Of structs and deletions that are checked while they are compared; what comes
 * after an answer is checked as well. */
static bool contains_structs(const struct ydoc *doc, struct wire_walk *w)
{
    struct wire_struct s;
    bool all = true;

    while (wire_walk_next(w, &s)) {
        uint32_t c = all ? store_find_client_const(doc, s.client) : 0;

        all = all && c != CLIENT_UNKNOWN && doc->clients.p[c].state >= s.clock + s.len;
    }
    return all;
}

static bool contains_deletes(const struct ydoc *doc, const struct dset *d)
{
    for (size_t i = 0; i < d->n; i++) {
        uint32_t c = store_find_client_const(doc, d->v[i].client);

        if (c == CLIENT_UNKNOWN || !all_deleted(doc, c, &d->v[i]))
            return false;
    }
    return true;
}

static int contains(const struct ydoc *doc, struct ydoc_slice update, enum wire_version version,
                    struct ydoc_error *err)
{
    struct wire_input in = {update, version, &doc->limits, &doc->alloc};
    struct wire_walk w;
    struct dset d;
    bool all;
    int rc;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    dset_init(&d, &doc->alloc);
    wire_walk_open(&w, &in);
    all = contains_structs(doc, &w);
    dset_add_walk(&d, &w);
    rc = wire_walk_error(&w, err);
    if (rc == 0 && d.failed)
        rc = ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    if (rc == 0)
        rc = all && contains_deletes(doc, &d);
    wire_walk_close(&w);
    dset_fini(&d);
    return rc;
}

int ydoc_contains_update_v1(const struct ydoc *doc, const uint8_t *update, size_t len,
                            struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return contains(doc, u, WIRE_V1, err);
}

int ydoc_contains_update_v2(const struct ydoc *doc, const uint8_t *update, size_t len,
                            struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return contains(doc, u, WIRE_V2, err);
}
