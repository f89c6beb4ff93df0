/* index - each client's items in clock order.
 *
 * Most clients have a handful of items, a few have hundreds of thousands. So a
 * client's first items lie inside struct client, then in one array, and from
 * CHUNK_MAX on in a directory of arrays: an insertion moves at most 2 KB
 * however large the document is, and a peer that splits a long history at its
 * front half a million times pays for nothing but its own bytes.
 */
#include "ydoc/store.h"

#include <assert.h>
#include <string.h>

static struct entry *entries(struct chunk *k)
{
    return k->cap > CHUNK_INLINE ? k->u.p : k->u.in;
}

static const struct entry *entries_const(const struct chunk *k)
{
    return k->cap > CHUNK_INLINE ? k->u.p : k->u.in;
}

static const struct chunk *chunk_const(const struct client *c, uint32_t i)
{
    return c->chunks <= 1 ? &c->one : &c->dir[i];
}

/* Number of the last chunk whose clock is not above `clock`. Without branches
 * to mispredict, as search(): where an edit points to is anybody's guess. */
static uint32_t find_chunk(const struct client *c, uint32_t clock)
{
    const struct chunk *base = c->dir;
    uint32_t n = c->chunks;

    while (n > 1) {
        uint32_t half = n / 2;

        base += base[half].clock <= clock ? half : 0;
        n -= half;
    }
    return (uint32_t)(base - c->dir);
}

/* Number of the last entry whose clock is not above `clock`. */
static uint32_t search(const struct entry *v, uint32_t n, uint32_t clock)
{
    const struct entry *base = v;

    while (n > 1) {
        uint32_t half = n / 2;

        base += base[half].clock <= clock ? half : 0;
        n -= half;
    }
    return (uint32_t)(base - v);
}

/* Who asks for one item asks for one nearby next, deletions above all: a few
 * entries to either side of entry `*i`. */
#define NEAR 6u
static bool search_near(const struct entry *v, uint32_t n, uint32_t clock, uint32_t *i)
{
    uint32_t k = *i, end;

    if (v[k].clock <= clock) {
        end = n - k > NEAR ? k + NEAR : n - 1;
        while (k < end && v[k + 1].clock <= clock)
            k++;
        *i = k;
        return k < end;
    }
    end = k > NEAR ? k - NEAR : 0;
    while (k > end && v[k].clock > clock)
        k--;
    *i = k;
    return v[k].clock <= clock;
}

struct place index_find(const struct ydoc *doc, struct client *c, uint32_t clock)
{
    struct place at = {c->hint_chunk, c->hint_i};
    const struct chunk *k;

    (void)doc;
    assert(clock < c->state);
    if (at.chunk < (c->chunks > 1 ? c->chunks : 1) && at.i < (k = chunk_const(c, at.chunk))->n &&
        search_near(entries_const(k), k->n, clock, &at.i)) {
        c->hint_i = (uint16_t)at.i;
        return at;
    }
    at.chunk = c->chunks > 1 ? c->chunks - 1 : 0;
    k = chunk_const(c, at.chunk);
    at.i = k->n - 1;
    if (entries_const(k)[at.i].clock > clock) {
        if (k->clock > clock)
            at.chunk = find_chunk(c, clock);
        k = chunk_const(c, at.chunk);
        at.i = search(entries_const(k), k->n, clock);
    }
    c->hint_chunk = at.chunk;
    c->hint_i = (uint16_t)at.i;
    return at;
}

bool index_next(const struct client *c, struct place *at)
{
    if (at->i + 1 < chunk_const(c, at->chunk)->n) {
        at->i++;
        return true;
    }
    if (at->chunk + 1 >= c->chunks)
        return false;
    at->chunk++;
    at->i = 0;
    return true;
}

bool index_prev(const struct client *c, struct place *at)
{
    if (at->i > 0) {
        at->i--;
        return true;
    }
    if (at->chunk == 0)
        return false;
    at->chunk--;
    at->i = chunk_const(c, at->chunk)->n - 1;
    return true;
}

uint32_t index_last(const struct client *c, struct place *at)
{
    at->chunk = c->chunks > 1 ? c->chunks - 1 : 0;
    at->i = chunk_const(c, at->chunk)->n - 1;
    return index_at(c, *at);
}

/* Makes room for one more entry at least: as many as are expected if somebody
 * knows, which leaves a loaded document without slack. */
static void chunk_grow(struct ydoc *doc, struct chunk *k, uint32_t expected)
{
    uint32_t cap = k->cap < CHUNK_INLINE ? CHUNK_INLINE : k->cap < 4 ? 4 : k->cap + k->cap / 2;
    struct entry *p;

    if (expected > 1)
        cap = expected < CHUNK_MAX ? k->n + expected : CHUNK_MAX;
    if (cap > CHUNK_MAX)
        cap = CHUNK_MAX;
    if (cap == CHUNK_INLINE) {
        k->cap = cap;
        return;
    }
    if (k->cap > CHUNK_INLINE) {
        p = store_resize(doc, k->u.p, k->cap * sizeof(*p), cap * sizeof(*p));
        if (p == NULL)
            store_fail(doc, YDOC_ENOMEM);
    } else {
        p = store_resize(doc, NULL, 0, cap * sizeof(*p));
        if (p == NULL)
            store_fail(doc, YDOC_ENOMEM);
        memcpy(p, k->u.in, k->n * sizeof(*p));
    }
    k->u.p = p;
    k->cap = cap;
}

/* Makes room for one more chunk after number `i` and returns it, empty. */
static struct chunk *dir_insert_after(struct ydoc *doc, struct client *c, uint32_t i)
{
    if (c->chunks + 1 > c->dir_cap) {
        uint32_t cap = c->dir_cap + c->dir_cap / 2 + 2;
        struct chunk *dir =
            store_resize(doc, c->dir, c->dir_cap * sizeof(*dir), cap * sizeof(*dir));

        if (dir == NULL)
            store_fail(doc, YDOC_ENOMEM);
        c->dir = dir;
        c->dir_cap = cap;
    }
    if (c->chunks <= 1) {
        c->dir[0] = c->one;
        c->chunks = 1;
    }
    memmove(&c->dir[i + 2], &c->dir[i + 1], (c->chunks - i - 1) * sizeof(*c->dir));
    memset(&c->dir[i + 1], 0, sizeof(*c->dir));
    c->chunks++;
    return &c->dir[i + 1];
}

/* Moves the upper half of a full chunk into a new one behind it. */
static void chunk_halve(struct ydoc *doc, struct client *c, uint32_t i)
{
    struct chunk *k = dir_insert_after(doc, c, i);
    struct chunk *from = &c->dir[i];
    uint32_t half = from->n / 2;

    chunk_grow(doc, k, from->n - half);
    k->n = from->n - half;
    memcpy(entries(k), entries(from) + half, k->n * sizeof(struct entry));
    k->clock = entries(k)[0].clock;
    from->n = half;
}

static struct entry new_entry(const struct ydoc *doc, uint32_t h)
{
    const struct item *it = &doc->items.p[h];
    struct entry e = {it->clock, item_deleted(it) ? h | ENTRY_DELETED : h};

    return e;
}

void index_append(struct ydoc *doc, struct client *c, uint32_t h)
{
    uint32_t last = c->chunks > 1 ? c->chunks - 1 : 0;
    struct chunk *k = index_chunk(c, last);
    struct entry e = new_entry(doc, h);

    if (k->n == CHUNK_MAX) {
        k = dir_insert_after(doc, c, last);
        chunk_grow(doc, k, doc->coming);
    } else if (k->n == k->cap) {
        chunk_grow(doc, k, doc->coming);
    }
    if (c->chunks == 0)
        c->chunks = 1;
    if (k->n == 0)
        k->clock = e.clock;
    entries(k)[k->n++] = e;
}

struct place index_insert_after(struct ydoc *doc, struct client *c, struct place at, uint32_t h)
{
    struct chunk *k = index_chunk(c, at.chunk);
    struct entry e = new_entry(doc, h), *p;

    if (k->n == CHUNK_MAX) {
        uint32_t half = k->n / 2;

        chunk_halve(doc, c, at.chunk);
        if (at.i >= half) {
            at.chunk++;
            at.i -= half;
        }
        k = &c->dir[at.chunk];
    }
    if (k->n == k->cap)
        chunk_grow(doc, k, 0);
    p = entries(k);
    at.i++;
    memmove(p + at.i + 1, p + at.i, (k->n - at.i) * sizeof(*p));
    p[at.i] = e;
    k->n++;
    return at;
}

static void dir_remove(struct ydoc *doc, struct client *c, uint32_t i)
{
    struct chunk *k = &c->dir[i];

    if (k->cap > CHUNK_INLINE)
        store_resize(doc, k->u.p, k->cap * sizeof(struct entry), 0);
    c->chunks--;
    memmove(k, k + 1, (c->chunks - i) * sizeof(*k));
    if (c->chunks == 1) {
        c->one = c->dir[0];
        store_resize(doc, c->dir, c->dir_cap * sizeof(*c->dir), 0);
        c->dir = NULL;
        c->dir_cap = 0;
    }
}

void index_remove(struct ydoc *doc, struct client *c, struct place at)
{
    struct chunk *k = index_chunk(c, at.chunk);
    struct entry *p = entries(k);

    assert(at.i < k->n);
    memmove(p + at.i, p + at.i + 1, (k->n - at.i - 1) * sizeof(*p));
    k->n--;
    if (k->n == 0 && c->chunks > 1)
        dir_remove(doc, c, at.chunk);
    else if (at.i == 0 && k->n > 0)
        k->clock = p[0].clock;
}

void index_free(struct ydoc *doc, struct client *c)
{
    for (uint32_t i = 0; i < (c->chunks > 1 ? c->chunks : 1); i++) {
        struct chunk *k = index_chunk(c, i);

        if (k->cap > CHUNK_INLINE)
            store_resize(doc, k->u.p, k->cap * sizeof(struct entry), 0);
    }
    store_resize(doc, c->dir, c->dir_cap * sizeof(*c->dir), 0);
}

void index_on_delete(struct ydoc *doc, const struct item *it)
{
    struct client *c = &doc->clients.p[item_client(it)];
    struct place at = index_find(doc, c, it->clock);
    struct entry *e = &entries(index_chunk(c, at.chunk))[at.i];

    assert(e->clock == it->clock);
    e->item |= ENTRY_DELETED;
}

bool index_is_deleted(const struct ydoc *doc, struct client *c, uint32_t clock, uint32_t end)
{
    struct place at = index_find(doc, c, clock);
    bool deleted = (index_entry(c, at)->item & ENTRY_DELETED) != 0;

    while (deleted && index_next(c, &at)) {
        const struct entry *e = index_entry(c, at);

        if (e->clock >= end) {
            /* Who asks goes on from here as a rule. */
            c->hint_chunk = at.chunk;
            c->hint_i = (uint16_t)at.i;
            return true;
        }
        deleted = (e->item & ENTRY_DELETED) != 0;
    }
    return deleted;
}

static_assert(ENTRY_DELETED == UINT32_C(1) << 31, "the flag is the highest bit");

/* Every clock is written and only those that count are kept: a branch here would
 * be mispredicted wherever somebody has changed his mind. */
uint32_t index_flips(const struct client *c, uint32_t chunk, bool *deleted, uint32_t *clocks)
{
    const struct chunk *k = chunk_const(c, chunk);
    const struct entry *v = entries_const(k);
    uint32_t before = *deleted ? 1 : 0, n = 0, i = 0;

    for (; i + 1 < k->n; i += 2) {
        uint32_t first = v[i].item >> 31, second = v[i + 1].item >> 31;

        clocks[n] = v[i].clock;
        n += first ^ before;
        clocks[n] = v[i + 1].clock;
        n += second ^ first;
        before = second;
    }
    if (i < k->n) {
        clocks[n] = v[i].clock;
        n += (v[i].item >> 31) ^ before;
        before = v[i].item >> 31;
    }
    *deleted = before != 0;
    return n;
}

void index_set_clock(struct client *c, struct place at, uint32_t clock)
{
    struct chunk *k = index_chunk(c, at.chunk);

    entries(k)[at.i].clock = clock;
    if (at.i == 0)
        k->clock = clock;
}
