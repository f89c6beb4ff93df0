/* erase - deleting text at the edge of what is deleted already, which is what
 * the keys for deleting do.
 *
 *     |  text  |gone|            |gone|  text  |
 *     | text |  gone |           | gone  |text |
 *
 * Yjs splits the text, deletes the part, replaces it by a Deleted, and merges that
 * with the Deleted beside it. When the two were written one after the other by the
 * same client with the same right origin, all that has changed in the end is where
 * one item stops and the other begins. Whatever else the end of a transaction might
 * still merge around there makes this the long way's business.
 */
#include "ydoc/typing.h"

#include "ydoc/place.h"

bool typing__follows(const struct ydoc *doc, uint32_t ah, uint32_t bh)
{
    const struct item *a = &doc->items.p[ah], *b = &doc->items.p[bh];

    return a->right == bh && item_client(a) == item_client(b) && item_end(a) == b->clock &&
           item_origin_client(b) == item_client(a) && b->origin_clock == b->clock - 1 &&
           item_same_right(a, b);
}

static bool is_gone_text(const struct item *it)
{
    return item_kind(it) == WIRE_DELETED && (it->origin_flags & 0xff) == ITEM_DELETED;
}

/* Its neighbour in the client's order, or 0. */
static uint32_t next_of(const struct client *c, struct place at)
{
    return index_next(c, &at) ? index_at(c, at) : 0;
}

static uint32_t prev_of(const struct client *c, struct place at)
{
    return index_prev(c, &at) ? index_at(c, at) : 0;
}

static bool note_deleted(struct ydoc *doc, const struct span *gone)
{
    struct span *last = doc->acc_deleted.p + doc->acc_deleted.n;

    if (doc->acc_deleted.n > 0 && store_join_span(last - 1, gone))
        return true;
    if (doc->acc_deleted.n == doc->acc_deleted.cap)
        return false; /* growing, and packing what is old, are the long way's */
    doc->acc_deleted.p[doc->acc_deleted.n++] = *gone;
    return true;
}

/* The text's bytes from unit `from` to unit `to`; false for a cut inside a pair. */
static bool find_bytes(const struct ydoc *doc, const struct item *it, uint32_t from, uint32_t to,
                       struct ydoc_slice *bytes)
{
    const uint8_t *p = doc->slab.p + it->content;
    struct ydoc__cut a = ydoc__utf8_cut(p, it->bytes, it->len, from);
    struct ydoc__cut b = ydoc__utf8_cut(p, it->bytes, it->len, to);

    bytes->p = p + a.bytes;
    bytes->len = b.bytes - a.bytes;
    return !a.inside && !b.inside;
}

static void drop_units(struct ydoc *doc, uint32_t h, uint32_t units, uint32_t bytes)
{
    struct item *it = &doc->items.p[h];

    it->len -= units;
    it->bytes -= bytes;
    doc->slab_waste += bytes;
    doc->types.p[doc->slots.p[it->slot].type].length -= units;
    place_on_change(doc, h);
}

/* The text's end goes to the Deleted behind it. */
static bool erase_end(struct ydoc *doc, struct client *c, struct place at, const struct span *gone)
{
    struct place next = at;
    uint32_t h = index_at(c, at), dh, beyond;
    struct item *it = &doc->items.p[h], *d;
    struct ydoc_slice bytes;

    if (!index_next(c, &next))
        return false;
    dh = index_at(c, next);
    d = &doc->items.p[dh];
    if (!is_gone_text(d) || !typing__follows(doc, h, dh))
        return false;
    beyond = next_of(c, next);
    if (beyond != 0 && is_gone_text(&doc->items.p[beyond]) && typing__follows(doc, dh, beyond))
        return false;
    if (!find_bytes(doc, it, it->len - gone->len, it->len, &bytes) || !note_deleted(doc, gone))
        return false;
    drop_units(doc, h, gone->len, (uint32_t)bytes.len);
    d->clock -= gone->len;
    d->len += gone->len;
    d->origin_clock = d->clock - 1;
    index_set_clock(c, next, d->clock);
    return true;
}

/* The text's beginning goes to the Deleted before it. */
static bool erase_start(struct ydoc *doc, struct client *c, struct place at,
                        const struct span *gone)
{
    struct place prev = at;
    uint32_t h = index_at(c, at), dh, beyond;
    struct item *it = &doc->items.p[h], *d;
    struct ydoc_slice bytes;

    if (!index_prev(c, &prev))
        return false;
    dh = index_at(c, prev);
    d = &doc->items.p[dh];
    if (!is_gone_text(d) || !typing__follows(doc, dh, h))
        return false;
    beyond = prev_of(c, prev);
    if (beyond != 0 && is_gone_text(&doc->items.p[beyond]) && typing__follows(doc, beyond, dh))
        return false;
    beyond = next_of(c, at);
    if (beyond != 0 && typing__is_text(&doc->items.p[beyond]) && typing__follows(doc, h, beyond))
        return false;
    if (!find_bytes(doc, it, 0, gone->len, &bytes) || !note_deleted(doc, gone))
        return false;
    it->content += (uint32_t)bytes.len;
    drop_units(doc, h, gone->len, (uint32_t)bytes.len);
    d->len += gone->len;
    it->clock += gone->len;
    it->origin_clock = it->clock - 1;
    index_set_clock(c, at, it->clock);
    return true;
}

bool typing__erase(struct ydoc *doc, const struct span *gone)
{
    struct client *c = &doc->clients.p[gone->client];
    struct place at = index_find(doc, c, gone->clock);
    const struct item *it = &doc->items.p[index_at(c, at)];

    if (doc->keep_deleted || !typing__is_text(it) || doc->slots.p[it->slot].key != 0 ||
        gone->len >= it->len)
        return false;
    if (gone->clock == it->clock)
        return erase_start(doc, c, at, gone);
    return gone->clock + gone->len == item_end(it) && erase_end(doc, c, at, gone);
}
