/* copy - making, copying, shrinking and freeing a document's arrays. */
#include "ydoc/edit.h"
#include "ydoc/schedule.h"

#include <string.h>

void store_free_scratch(struct ydoc *doc)
{
    if (doc->tx_depth == 0)
        store_free_tx(doc, &doc->cur);
    VEC_FREE(doc, doc->marks);
    doc->mark = 0;
    VEC_FREE(doc, doc->work);
    schedule_forget_notes(doc);
    VEC_FREE(doc, doc->deletions);
    VEC_FREE(doc, doc->sources);
    VEC_FREE(doc, doc->stack);
    VEC_FREE(doc, doc->retry);
    VEC_FREE(doc, doc->missing);
    VEC_FREE(doc, doc->undone);
    VEC_FREE(doc, doc->dirty_texts);
    VEC_FREE(doc, doc->key_marks);
    doc->key_mark = 0;
    if (doc->tx_depth == 0)
        edit_free_frames(doc);
}

/* Who types soon types again; who loads a document may leave it at that. */
#define SCRATCH_KEPT 64u
#define VEC_TRIM(doc, v)                                                                           \
    do {                                                                                           \
        if ((v).cap > SCRATCH_KEPT)                                                                \
            VEC_FREE(doc, v);                                                                      \
    } while (0)

void store_trim_scratch(struct ydoc *doc, uint64_t size)
{
    if (doc->tx_depth > 0 || doc->finishing)
        return;
    if (size > SCRATCH_KEPT) {
        store_free_scratch(doc);
        return;
    }
    VEC_TRIM(doc, doc->cur.deleted);
    VEC_TRIM(doc, doc->cur.merge);
    VEC_TRIM(doc, doc->undone);
}

void store_free_contents(struct ydoc *doc)
{
    place_drop_all(doc);
    for (uint32_t i = 0; i < doc->clients.n; i++)
        index_free(doc, &doc->clients.p[i]);
    VEC_FREE(doc, doc->items);
    VEC_FREE(doc, doc->slab);
    VEC_FREE(doc, doc->clients);
    VEC_FREE(doc, doc->client_table);
    VEC_FREE(doc, doc->client_order);
    VEC_FREE(doc, doc->keys);
    VEC_FREE(doc, doc->key_bytes);
    VEC_FREE(doc, doc->key_table);
    VEC_FREE(doc, doc->types);
    VEC_FREE(doc, doc->slots);
    VEC_FREE(doc, doc->slot_table);
    VEC_FREE(doc, doc->roots);
    VEC_FREE(doc, doc->redone);
    VEC_FREE(doc, doc->acc_touched);
    store_forget_deleted(doc);
    VEC_FREE(doc, doc->acc_deleted);
    VEC_FREE(doc, doc->pending);
    VEC_FREE(doc, doc->pending_missing);
    VEC_FREE(doc, doc->pending_deletes);
    store_free_scratch(doc);
    edit_free_frames(doc);
    store_free_tx(doc, &doc->cur);
}

static void *dup_bytes(struct ydoc *to, const void *p, size_t len, bool *ok)
{
    void *q = NULL;

    if (len > 0 && *ok) {
        q = store_resize(to, NULL, 0, len);
        if (q == NULL)
            *ok = false;
        else
            memcpy(q, p, len);
    }
    return q;
}

#define DUP(member)                                                                                \
    do {                                                                                           \
        to->member.p =                                                                             \
            dup_bytes(to, from->member.p, from->member.n * sizeof(*from->member.p), &ok);          \
        to->member.n = to->member.cap = to->member.p != NULL ? from->member.n : 0;                 \
    } while (0)

static bool dup_chunk(struct ydoc *to, struct chunk *k)
{
    bool ok = true;

    if (k->cap > CHUNK_INLINE) {
        k->u.p = dup_bytes(to, k->u.p, k->cap * sizeof(struct entry), &ok);
        if (!ok)
            k->cap = 0;
    }
    return ok;
}

/* The client's chunks still point into the original: make them its own. */
static bool dup_client(struct ydoc *to, struct client *c)
{
    bool ok = true;

    if (c->chunks <= 1) {
        ok = dup_chunk(to, &c->one);
    } else {
        c->dir = dup_bytes(to, c->dir, c->dir_cap * sizeof(*c->dir), &ok);
        for (uint32_t i = 0; i < c->chunks && c->dir != NULL; i++) {
            if (!ok)
                c->dir[i].cap = 0;
            else
                ok = dup_chunk(to, &c->dir[i]);
        }
    }
    if (!ok && c->dir == NULL) {
        c->chunks = 0;
        c->dir_cap = 0;
        c->one.cap = c->chunks == 0 ? 0 : c->one.cap;
    }
    return ok;
}

static bool dup_contents(struct ydoc *to, const struct ydoc *from)
{
    bool ok = true;
    uint32_t i;

    DUP(items);
    DUP(slab);
    DUP(client_table);
    DUP(client_order);
    DUP(keys);
    DUP(key_bytes);
    DUP(key_table);
    DUP(types);
    for (i = 0; i < to->types.n; i++)
        to->types.p[i].tree = 0;
    DUP(slots);
    DUP(slot_table);
    DUP(roots);
    DUP(redone);
    DUP(acc_touched);
    DUP(acc_deleted);
    DUP(acc_packed);
    DUP(pending);
    DUP(pending_missing);
    DUP(pending_deletes);
    DUP(cur.touched);
    DUP(cur.deleted);
    DUP(cur.merge);
    DUP(cur.changed);
    DUP(cur.subdocs);
    DUP(cur.formatted);
    DUP(cur.order);
    DUP(clients);
    for (i = 0; i < to->clients.n && ok; i++)
        ok = dup_client(to, &to->clients.p[i]);
    to->clients.n = i;
    return ok;
}

struct ydoc *store_copy(struct ydoc *doc)
{
    struct ydoc *copy = doc->alloc.resize(doc->alloc.ctx, NULL, 0, sizeof(*copy));
    static const struct ydoc none;

    if (copy == NULL)
        return NULL;
    *copy = none;
    copy->alloc = doc->alloc;
    copy->limits = doc->limits;
    copy->keep_deleted = doc->keep_deleted;
    copy->no_format_cleanup = doc->no_format_cleanup;
    copy->client_id = doc->client_id;
    copy->applied = doc->applied;
    copy->work_left = doc->work_left; /* a transaction that is open goes on */
    copy->items_free = doc->items_free;
    copy->items_live = doc->items_live;
    copy->slab_waste = doc->slab_waste;
    copy->slab_room = doc->slab_room;
    copy->longest = doc->longest;
    copy->client_sorted = doc->client_sorted;
    copy->types_free = doc->types_free;
    copy->slots_free = doc->slots_free;
    copy->slots_mapped = doc->slots_mapped;
    copy->tx = doc->tx;
    copy->tx_depth = doc->tx_depth;
    copy->begins = doc->begins;
    copy->cur.origin = doc->cur.origin;
    copy->cur.local = doc->cur.local;
    copy->cur.collects = doc->cur.collects;
    copy->finishing = doc->finishing;
    copy->queued = doc->queued;
    copy->order_mark = doc->order_mark;
    copy->redone_used = doc->redone_used;
    copy->acc = doc->acc;
    copy->acc_packed_spans = doc->acc_packed_spans;
    copy->memory_used = sizeof(*copy);
    if (!dup_contents(copy, doc)) {
        store_discard(copy);
        return NULL;
    }
    return copy;
}

void store_discard(struct ydoc *copy)
{
    struct ydoc_alloc alloc = copy->alloc;

    store_free_contents(copy);
    alloc.resize(alloc.ctx, copy, sizeof(*copy), 0);
}

/* Who watches and what waits to be finished is no part of a copy: what is left of the
 * document's memory when its contents are gone is theirs. */
void store_restore(struct ydoc *doc, struct ydoc *copy)
{
    struct watch *watch = doc->watch;
    bool notes_changes = doc->notes_changes, notes_subdocs = doc->notes_subdocs;
    struct tx **queue = doc->queue.p;
    uint32_t queued = doc->queue.n, cap = doc->queue.cap;
    jmp_buf *on_failure = doc->on_failure;
    struct text_frame *frames = doc->frames; /* an edit may be running: see ydoc_value.fill */

    doc->frames = NULL;
    store_free_contents(doc);
    copy->memory_used += doc->memory_used - sizeof(*doc);
    *doc = *copy;
    doc->watch = watch;
    doc->notes_changes = notes_changes;
    doc->notes_subdocs = notes_subdocs;
    doc->queue.p = queue;
    doc->queue.n = queued;
    doc->queue.cap = cap;
    doc->on_failure = on_failure;
    doc->frames = frames;
    doc->alloc.resize(doc->alloc.ctx, copy, sizeof(*copy), 0);
}
