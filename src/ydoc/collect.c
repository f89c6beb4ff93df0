/* collect - the end of a transaction: garbage collection and merging.
 *
 * The order of the steps, and which neighbours are tried at all, are Yjs's
 * (Transaction.js, cleanupTransactions): they decide where one struct ends and
 * the next begins, and so every byte that is encoded afterwards.
 */
#include "ydoc/place.h"

#include <assert.h>
#include <string.h>

/* ---- garbage collection ---- */

static void become_gc(struct ydoc *doc, uint32_t h)
{
    struct item *it = &doc->items.p[h];

    if (item_kind(it) == WIRE_TYPE)
        VEC_PUSH(doc, doc->work, it->content);
    it = &doc->items.p[h];
    if (it->origin_flags & ITEM_REDONE)
        store_forget_redone(doc, it);
    store_drop_content(doc, it);
    it->left = it->right = it->slot = 0;
    it->client_kind = item_client(it) << 8 | WIRE_GC;
    it->origin_flags = NO_CLIENT << 8 | ITEM_DELETED;
    it->right_client = NO_CLIENT;
}

static void collect_chain(struct ydoc *doc, uint32_t h, bool leftwards)
{
    while (h != 0) {
        const struct item *it = &doc->items.p[h];
        uint32_t next = leftwards ? it->left : it->right;

        become_gc(doc, h);
        h = next;
    }
}

/* Everything inside a collected type goes without trace. */
static void collect_types(struct ydoc *doc)
{
    while (doc->work.n > 0) {
        uint32_t type = doc->work.p[--doc->work.n];

        collect_chain(doc, doc->slots.p[doc->types.p[type].list].head, false);
        for (uint32_t s = doc->types.p[type].first; s != 0; s = doc->slots.p[s].next)
            collect_chain(doc, doc->slots.p[s].head, true);
        store_free_type(doc, type);
    }
}

static void collect_item(struct ydoc *doc, uint32_t h)
{
    struct item *it = &doc->items.p[h];

    if (item_kind(it) == WIRE_GC || item_kind(it) == WIRE_DELETED || !item_deleted(it) ||
        (it->origin_flags & ITEM_KEEP) != 0)
        return;
    if (item_kind(it) == WIRE_TYPE) {
        VEC_PUSH(doc, doc->work, it->content);
        collect_types(doc);
        it = &doc->items.p[h];
    }
    store_drop_content(doc, it);
    it->client_kind = item_client(it) << 8 | WIRE_DELETED;
}

static void collect_deleted(struct ydoc *doc, const struct tx *tx)
{
    for (uint32_t i = tx->deleted.n; i-- > 0;) {
        struct span gone = tx->deleted.p[i];
        struct client *c = &doc->clients.p[gone.client];
        struct place at = index_find(doc, c, gone.clock);

        do {
            uint32_t h = index_at(c, at);

            if (doc->items.p[h].clock - gone.clock >= gone.len &&
                doc->items.p[h].clock > gone.clock)
                break;
            collect_item(doc, h);
        } while (index_next(c, &at));
    }
}

/* ---- merging ---- */

static bool can_merge(const struct ydoc *doc, uint32_t lh, uint32_t rh)
{
    const struct item *l = &doc->items.p[lh], *r = &doc->items.p[rh];
    uint8_t kind = item_kind(l);

    if (kind != item_kind(r) || item_deleted(l) != item_deleted(r))
        return false;
    if (kind == WIRE_GC)
        return true;
    if (kind != WIRE_STRING && kind != WIRE_DELETED && kind != WIRE_ANY && kind != WIRE_JSON)
        return false;
    return l->right == rh && item_origin_client(r) == item_client(l) &&
           r->origin_clock == item_end(l) - 1 && item_same_right(l, r) &&
           ((l->origin_flags | r->origin_flags) & ITEM_REDONE) == 0;
}

static void merge_pair(struct ydoc *doc, uint32_t lh, uint32_t rh, bool is_last)
{
    struct item *l = &doc->items.p[lh], *r = &doc->items.p[rh];

    if (item_kind(l) != WIRE_GC) {
        struct slot *slot = &doc->slots.p[r->slot];

        if (slot->key != 0 && slot->head == rh)
            slot->head = lh;
        place_on_remove(doc, rh);
        l->right = r->right;
        if (r->right != 0)
            doc->items.p[r->right].left = lh;
        l->origin_flags |= r->origin_flags & ITEM_KEEP;
        store_join_content(doc, l, r, is_last);
    }
    l->len += r->len;
    if (item_kind(l) != WIRE_GC)
        place_on_change(doc, lh);
    if (l->bytes != l->len && l->len > doc->longest)
        doc->longest = l->len;
    store_free_item(doc, rh);
}

/* Yjs merges from the right end of a run leftwards, and copies the tail of a
 * long run again for each step. What merges is decided pair by pair, so the
 * run's extent is found first and its contents are joined from the left. */
uint32_t store_merge_left(struct ydoc *doc, uint32_t client, struct place *at)
{
    struct client *c = &doc->clients.p[client];
    struct place first = *at, last, prev;
    uint32_t merged = 0, lh;
    bool is_last;

    for (prev = first; index_prev(c, &prev); first = prev) {
        if (!can_merge(doc, index_at(c, prev), index_at(c, first)))
            break;
        merged++;
    }
    if (merged == 0)
        return 0;
    index_last(c, &last);
    is_last = last.chunk == at->chunk && last.i == at->i;
    lh = index_at(c, first);
    prev = first;
    for (uint32_t i = 0; i < merged; i++) {
        index_next(c, &prev);
        merge_pair(doc, lh, index_at(c, prev), is_last);
    }
    for (uint32_t i = 0; i < merged; i++) {
        prev = *at;
        index_prev(c, &prev);
        index_remove(doc, c, *at);
        *at = prev;
    }
    return merged;
}

/* Cannot merge with whatever is before it: what nearly all items say. */
static bool starts_anew(const struct item *it)
{
    return item_kind(it) != WIRE_GC && it->origin_clock + 1 != it->clock;
}

/* Tries every pair from `at` leftwards while the right one starts at or after `clock`. */
static void merge_down_to(struct ydoc *doc, uint32_t client, struct place at, uint32_t clock)
{
    struct client *c = &doc->clients.p[client];
    uint32_t right = index_at(c, at);
    struct place prev = at;

    while (index_prev(c, &prev) && doc->items.p[right].clock >= clock) {
        uint32_t left = index_at(c, prev);

        if (!starts_anew(&doc->items.p[right]) && can_merge(doc, left, right)) {
            store_merge_left(doc, client, &at);
            prev = at;
            if (!index_prev(c, &prev))
                return;
            left = index_at(c, prev);
        }
        at = prev;
        right = left;
    }
}

static void merge_deleted(struct ydoc *doc, const struct tx *tx)
{
    for (uint32_t i = tx->deleted.n; i-- > 0;) {
        struct span gone = tx->deleted.p[i];
        struct client *c = &doc->clients.p[gone.client];
        struct place at;

        /* merge_added() tries the same pairs. Of a transaction that waited in the
         * queue the marks are no longer there to tell. */
        if (tx == &doc->cur && c->tx_mark == doc->tx && gone.clock >= c->tx_before)
            continue;
        at = index_find(doc, c, gone.clock + gone.len - 1);

        index_next(c, &at);
        merge_down_to(doc, gone.client, at, gone.clock);
    }
}

/* Yjs stops by position, at the struct that holds the first new clock. */
static void merge_added(struct ydoc *doc, const struct tx *tx)
{
    for (uint32_t i = 0; i < tx->touched.n; i++) {
        uint32_t client = tx->touched.p[i].client;
        struct client *c = &doc->clients.p[client];
        uint32_t h = index_at(c, index_find(doc, c, tx->touched.p[i].from));
        struct place at;

        index_last(c, &at);
        merge_down_to(doc, client, at, doc->items.p[h].clock);
    }
}

static void merge_split(struct ydoc *doc, const struct tx *tx)
{
    for (uint32_t i = tx->merge.n; i-- > 0;) {
        uint32_t client = tx->merge.p[i].client;
        struct client *c = &doc->clients.p[client];
        struct place at = index_find(doc, c, tx->merge.p[i].clock), next = at;

        if (index_next(c, &next)) {
            uint32_t merged = store_merge_left(doc, client, &next);

            if (merged > 1)
                continue;
            if (merged == 1)
                at = next;
        }
        store_merge_left(doc, client, &at);
    }
}

/* ---- the transaction's deletions ---- */

uint32_t store_merge_spans(struct ydoc *doc, struct span *v, uint32_t n)
{
    uint32_t kept = 0;

    store_sort_spans(doc, v, n);
    for (uint32_t i = 0; i < n; i++) {
        struct span *last = kept > 0 ? &v[kept - 1] : NULL;

        if (last != NULL && last->client == v[i].client && v[i].clock - last->clock <= last->len) {
            uint32_t end = v[i].clock - last->clock + v[i].len;

            if (end > last->len)
                last->len = end;
        } else {
            v[kept++] = v[i];
        }
    }
    return kept;
}

/* Deleting forwards or backwards, character by character, makes one range. */
bool store_join_span(struct span *last, const struct span *s)
{
    if (last->client != s->client)
        return false;
    if (last->clock + last->len == s->clock) {
        last->len += s->len;
        return true;
    }
    if (s->clock + s->len == last->clock) {
        last->clock = s->clock;
        last->len += s->len;
        return true;
    }
    return false;
}

void store_sort_deleted(struct ydoc *doc, struct tx *tx)
{
    tx->deleted.n = store_merge_spans(doc, tx->deleted.p, tx->deleted.n);
    store_accumulate_deleted(doc, tx);
}

void store_collect(struct ydoc *doc, struct tx *tx)
{
    if (!doc->keep_deleted && tx->collects)
        collect_deleted(doc, tx);
    merge_deleted(doc, tx);
    merge_added(doc, tx);
    merge_split(doc, tx);
    store_compact_if_worth(doc);
}
