/* store - memory, items, the slab and the clients of a document; see store.h.
 *
 * THE SLAB holds the bytes of all contents, appended in the order they come.
 * An item keeps a range of it, so splitting copies nothing and joining two
 * neighbours that came one after the other copies nothing either. The last
 * item of a client has some room kept free behind it: who types gets every
 * character appended in place, also when a hundred people type at once and
 * their contents alternate. Ranges that are no longer used are counted, and
 * store_compact_slab() writes a new slab when they outgrow the rest.
 */
#include "ydoc/store.h"

#include <assert.h>
#include <string.h>

#include "ydoc/heap_sort.h"
#include "ydoc/place.h"

/* ---- memory ---- */

void *store_resize(struct ydoc *doc, void *p, size_t old_size, size_t new_size)
{
    void *q;

    if (old_size == 0 && new_size == 0)
        return NULL;
    q = doc->alloc.resize(doc->alloc.ctx, old_size == 0 ? NULL : p, old_size, new_size);
    if (q == NULL && new_size > 0)
        return NULL;
    doc->memory_used += new_size - old_size;
    return q;
}

void *store_grow(struct ydoc *doc, void *p, uint32_t *cap, uint64_t need, size_t each)
{
    uint64_t n = (uint64_t)*cap + *cap / 2;
    void *q;

    if (need <= *cap)
        return p;
    if (n < need)
        n = need;
    if (*cap == 0 && n < 4 && each < 12)
        n = 4;
    if (n > UINT32_MAX)
        n = need;
    q = n > UINT32_MAX ? NULL : store_resize(doc, p, *cap * each, (size_t)n * each);
    if (q == NULL)
        store_fail(doc, YDOC_ENOMEM);
    *cap = (uint32_t)n;
    return q;
}

_Noreturn void store_fail(struct ydoc *doc, int code)
{
    assert(doc->on_failure != NULL);
    doc->failure = code;
    longjmp(*doc->on_failure, 1);
}

/* ---- items ---- */

uint32_t store_new_item(struct ydoc *doc)
{
    uint32_t h = doc->items_free;

    if (h != 0) {
        doc->items_free = doc->items.p[h].right;
    } else {
        if (doc->items.n == doc->items.cap)
            VEC_RESERVE(doc, doc->items, doc->items.n == 0 ? 2 : 1);
        if (doc->items.n == 0)
            memset(&doc->items.p[doc->items.n++], 0, sizeof(struct item));
        if (doc->items.n >= ENTRY_DELETED)
            store_fail(doc, YDOC_ELIMIT);
        h = doc->items.n++;
    }
    doc->items_live++;
    return h;
}

void store_free_item(struct ydoc *doc, uint32_t h)
{
    doc->items.p[h].right = doc->items_free;
    doc->items_free = h;
    doc->items_live--;
}

void store_drop_content(struct ydoc *doc, struct item *it)
{
    if (item_kind(it) != WIRE_TYPE)
        doc->slab_waste += it->bytes;
    it->content = 0;
    it->bytes = 0;
}

/* ---- slab ---- */

uint32_t store_slab_take(struct ydoc *doc, uint32_t n)
{
    uint32_t at = doc->slab.n;

    VEC_RESERVE(doc, doc->slab, n);
    doc->slab.n += n;
    return at;
}

bool store_slab_try(struct ydoc *doc, uint32_t n)
{
    uint64_t cap = (uint64_t)doc->slab.n + doc->slab.n / 2 + n;
    uint8_t *p;

    if (doc->slab.cap - doc->slab.n >= n)
        return true;
    p = cap > UINT32_MAX ? NULL : store_resize(doc, doc->slab.p, doc->slab.cap, (size_t)cap);
    if (p == NULL)
        return false;
    doc->slab.p = p;
    doc->slab.cap = (uint32_t)cap;
    return true;
}

static bool is_text(const struct item *it)
{
    return item_kind(it) == WIRE_STRING;
}

/* Cuts a text in two inside a surrogate pair: both halves get a U+FFFD, six
 * bytes where four were. The shorter side moves, so that cutting a long text
 * into pieces copies O(n log n) bytes however it is done. */
static void split_pair(struct ydoc *doc, struct item *left, struct item *right, uint32_t pair)
{
    static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd};
    uint32_t rest = left->bytes - pair - 4, to;
    uint8_t *slab;

    if (pair <= rest) {
        to = store_slab_take(doc, pair + 3);
        slab = doc->slab.p;
        memcpy(slab + to, slab + left->content, pair);
        memcpy(slab + to + pair, replacement, 3);
        right->content = left->content + pair + 1;
        right->bytes = rest + 3;
        memcpy(slab + right->content, replacement, 3);
        left->content = to;
        doc->slab_waste += pair + 1;
    } else {
        to = store_slab_take(doc, rest + 3);
        slab = doc->slab.p;
        memcpy(slab + to, replacement, 3);
        memcpy(slab + to + 3, slab + left->content + pair + 4, rest);
        memcpy(slab + left->content + pair, replacement, 3);
        right->content = to;
        right->bytes = rest + 3;
        doc->slab_waste += rest + 1;
    }
    left->bytes = pair + 3;
}

/* The contents of the two halves; left->len is still the whole. */
static void split_content(struct ydoc *doc, struct item *left, struct item *right, uint32_t at)
{
    const uint8_t *p = item_bytes(doc, left);
    size_t cut;

    if (is_text(left)) {
        struct ydoc__cut c;

        if (left->bytes != left->len)
            store_spend(doc, at < left->len - at ? at : left->len - at);
        c = ydoc__utf8_cut(p, left->bytes, left->len, at);
        if (c.inside) {
            split_pair(doc, left, right, (uint32_t)c.bytes);
            return;
        }
        cut = c.bytes;
    } else if (item_kind(left) == WIRE_ANY || item_kind(left) == WIRE_JSON) {
        store_spend(doc, at);
        cut = wire_elements_len(item_kind(left), p, left->bytes, at);
    } else {
        return; /* Deleted: no bytes */
    }
    right->content = left->content + (uint32_t)cut;
    right->bytes = left->bytes - (uint32_t)cut;
    left->bytes = (uint32_t)cut;
}

uint32_t store_split(struct ydoc *doc, struct client *c, struct place *place, uint32_t at)
{
    uint32_t lh = index_at(c, *place), rh = store_new_item(doc);
    struct item *left = &doc->items.p[lh], *right = &doc->items.p[rh];
    struct span merge = {item_client(left), left->clock + at, 0};
    struct slot *slot = &doc->slots.p[left->slot];

    assert(at > 0 && at < left->len);
    if (left->origin_flags & ITEM_REDONE)
        store_split_redone(doc, left, at);
    *right = *left;
    right->clock += at;
    right->len -= at;
    right->left = lh;
    right->origin_clock = right->clock - 1;
    right->origin_flags =
        item_client(left) << 8 | (left->origin_flags & 0xff & ~(uint32_t)ITEM_PICKED);
    split_content(doc, left, right, at);
    left->len = at;
    left->right = rh;
    if (right->right != 0)
        doc->items.p[right->right].left = rh;
    else if (slot->key != 0)
        slot->head = rh;
    *place = index_insert_after(doc, c, *place, rh);
    if (place_has_tree(doc, lh)) {
        place__update(doc, lh);
        place__insert(doc, rh);
    }
    VEC_PUSH(doc, doc->cur.merge, merge);
    return rh;
}

/* Room to keep behind a text that grows: half as much again, so that growing by
 * one character at a time copies every byte a constant number of times. */
static uint32_t room_for(uint32_t bytes)
{
    return bytes < 32 ? 16 : bytes / 2;
}

static void append_bytes(struct ydoc *doc, struct item *left, const struct item *right)
{
    memcpy(doc->slab.p + left->content + left->bytes, doc->slab.p + right->content, right->bytes);
    doc->slab_waste += right->bytes;
    left->bytes += right->bytes;
}

void store_join_content(struct ydoc *doc, struct item *left, const struct item *right,
                        bool left_is_last)
{
    struct client *c = &doc->clients.p[item_client(left)];
    uint32_t end = left->content + left->bytes, room, to;

    if (right->bytes == 0)
        return;
    if (end == right->content) {
        left->bytes += right->bytes;
        return;
    }
    if (end == doc->slab.n) {
        store_slab_take(doc, right->bytes);
        append_bytes(doc, left, right);
        return;
    }
    room = left_is_last ? room_for(left->bytes + right->bytes) : 0;
    to = store_slab_take(doc, left->bytes + right->bytes + room);
    memcpy(doc->slab.p + to, doc->slab.p + left->content, left->bytes);
    doc->slab_waste += left->bytes;
    left->content = to;
    append_bytes(doc, left, right);
    if (left_is_last) {
        c->room_end = doc->slab.n;
        c->room_kept = false;
        doc->slab_waste += room;
    }
}

/* The room to keep behind a client's last item when the slab is written anew:
 * none if nobody has typed into it since the last time. */
static uint32_t room_to_keep(const struct client *c, const struct item *last)
{
    uint32_t end = last->content + last->bytes;

    if (item_kind(last) != WIRE_STRING || last->bytes == 0 || c->room_end < end ||
        (c->room_kept && c->room_end - end >= room_for(last->bytes)))
        return 0;
    return room_for(last->bytes);
}

/* Where the contents go. The first of two walks only finds out the size. */
struct compaction {
    uint8_t *slab;
    uint64_t n;
    uint32_t room; /* of n */
    bool keep_room, moving;
};

static void compact_client(struct ydoc *doc, struct client *c, struct compaction *to)
{
    struct place at = {0, 0};
    struct item *it;

    if (c->state == 0)
        return;
    do {
        it = &doc->items.p[index_at(c, at)];
        if (item_kind(it) == WIRE_TYPE || it->bytes == 0)
            continue;
        if (to->moving) {
            memcpy(to->slab + to->n, doc->slab.p + it->content, it->bytes);
            it->content = (uint32_t)to->n;
        }
        to->n += it->bytes;
    } while (index_next(c, &at));
}

/* In client order, so that what may be joined one day lies side by side. */
static void compact(struct ydoc *doc, struct compaction *to)
{
    for (uint32_t k = 0; k < doc->clients.n; k++) {
        struct client *c = &doc->clients.p[k];
        struct place at;
        uint32_t room = 0;

        if (to->keep_room && c->room_end > 0)
            room = room_to_keep(c, &doc->items.p[index_last(c, &at)]);
        compact_client(doc, c, to);
        to->n += room;
        to->room += room;
        if (to->moving) {
            c->room_end = room > 0 ? (uint32_t)to->n : 0;
            c->room_kept = room > 0;
        }
    }
}

void store_compact_slab(struct ydoc *doc, bool keep_room)
{
    struct compaction size = {NULL, 0, 0, keep_room, false};
    struct compaction to = {NULL, 0, 0, keep_room, true};

    compact(doc, &size);
    if (size.n > UINT32_MAX)
        return;
    to.slab = store_resize(doc, NULL, 0, (size_t)size.n);
    if (to.slab == NULL && size.n > 0)
        return;
    compact(doc, &to);
    VEC_FREE(doc, doc->slab);
    doc->slab.p = to.slab;
    doc->slab.n = doc->slab.cap = (uint32_t)size.n;
    doc->slab_waste = doc->slab_room = size.room;
}

/* The walk over all items has to be worth it, and the room that was left the
 * last time is no reason to do it again. */
void store_compact_if_worth(struct ydoc *doc)
{
    /* Formats may share a range, which is then counted when each of them goes. */
    uint64_t worth = doc->slab.n > doc->slab_waste ? doc->slab.n - doc->slab_waste : 0;

    if (worth < doc->items_live)
        worth = doc->items_live;
    if (doc->slab_waste > 4096 + (uint64_t)doc->slab_room &&
        doc->slab_waste - doc->slab_room > worth)
        store_compact_slab(doc, true);
}

/* ---- clients ---- */

static uint32_t hash_client(uint64_t id)
{
    return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

uint32_t store_find_client_const(const struct ydoc *doc, uint64_t id)
{
    uint32_t mask = doc->client_table.n - 1;

    if (doc->client_table.n == 0)
        return CLIENT_UNKNOWN;
    for (uint32_t i = hash_client(id) & mask; doc->client_table.p[i] != 0; i = (i + 1) & mask) {
        if (doc->clients.p[doc->client_table.p[i] - 1].id == id)
            return doc->client_table.p[i] - 1;
    }
    return CLIENT_UNKNOWN;
}

uint32_t store_find_client(struct ydoc *doc, uint64_t id)
{
    uint32_t c;

    if (doc->client_last < doc->clients.n && doc->clients.p[doc->client_last].id == id)
        return doc->client_last;
    c = store_find_client_const(doc, id);
    if (c != CLIENT_UNKNOWN)
        doc->client_last = c;
    return c;
}

static void clients_rehash(struct ydoc *doc)
{
    uint32_t size = doc->client_table.n == 0 ? 4 : doc->client_table.n * 2, mask = size - 1;

    VEC_RESERVE(doc, doc->client_table, size - doc->client_table.n);
    doc->client_table.n = size;
    memset(doc->client_table.p, 0, size * sizeof(uint32_t));
    for (uint32_t c = 0; c < doc->clients.n; c++) {
        uint32_t i = hash_client(doc->clients.p[c].id) & mask;

        while (doc->client_table.p[i] != 0)
            i = (i + 1) & mask;
        doc->client_table.p[i] = c + 1;
    }
}

uint32_t store_add_client(struct ydoc *doc, uint64_t id)
{
    uint32_t c = store_find_client(doc, id), i;
    struct client new_client = {0};

    if (c != CLIENT_UNKNOWN)
        return c;
    if (doc->clients.n >= NO_CLIENT - 1)
        store_fail(doc, YDOC_ELIMIT);
    if ((uint64_t)(doc->clients.n + 1) * 4 > (uint64_t)doc->client_table.n * 3)
        clients_rehash(doc);
    c = doc->clients.n;
    new_client.id = id;
    VEC_RESERVE(doc, doc->client_order, 1);
    VEC_PUSH(doc, doc->clients, new_client);
    VEC_PUSH(doc, doc->client_order, c);
    for (i = hash_client(id) & (doc->client_table.n - 1); doc->client_table.p[i] != 0;)
        i = (i + 1) & (doc->client_table.n - 1);
    doc->client_table.p[i] = c + 1;
    return c;
}

static bool id_above(const uint32_t *a, const uint32_t *b, const struct client *clients)
{
    return clients[*a].id > clients[*b].id;
}
HEAP_SORT(sort_clients, uint32_t, const struct client *, id_above)

/* New clients are appended and put in order when somebody needs the order: a
 * peer that brings a million of them costs one sort. */
void store_sort_clients(struct ydoc *doc)
{
    uint32_t sorted = doc->client_sorted, n = doc->client_order.n;
    uint32_t *order = doc->client_order.p;

    if (sorted == n)
        return;
    if (n - sorted <= 8) {
        for (; sorted < n; sorted++) {
            uint32_t c = order[sorted], i = sorted;

            for (; i > 0 && doc->clients.p[order[i - 1]].id < doc->clients.p[c].id; i--)
                order[i] = order[i - 1];
            order[i] = c;
        }
    } else {
        sort_clients(order, n, doc->clients.p);
    }
    doc->client_sorted = n;
}
