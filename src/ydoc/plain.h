#ifndef YDOC_PLAIN_H
#define YDOC_PLAIN_H

/* plain - integrates the structs that documents are made of in one go.
 *
 * Nearly all structs of a document that is loaded are texts, or what is left of
 * deleted ones, of a list of a root; they follow an item of their own client
 * that ends where they say, and on its right stands what they say. None of the
 * questions of integrate.c has another answer than the common one then: nothing
 * is split, nobody is concurrent, nobody is told. plain_integrate() finds out
 * whether a struct is one of those before it changes anything; what it takes,
 * store_integrate() would have done the same.
 */
#include <string.h>

#include "ydoc/store.h"

/* The last of n entries whose clock is not above `clock`; the first one's is not. The
 * three loads of a round do not wait for each other, as those of a binary search would. */
static inline const struct entry *plain_search(const struct entry *v, uint32_t n, uint32_t clock)
{
    while (n > 3) {
        uint32_t step = n >> 2;
        const struct entry *a = v + step, *b = a + step, *c = b + step;
        uint32_t above = (uint32_t)(a->clock <= clock) + (b->clock <= clock) + (c->clock <= clock);

        v += above * step;
        n = above == 3 ? n - 3 * step : step;
    }
    for (; n > 1; n--)
        v += v[1].clock <= clock;
    return v;
}

/* The item that holds `clock`, below the client's state. Most structs follow their
 * client's last one. */
static inline uint32_t plain_find(struct client *c, const struct chunk *last, uint32_t clock)
{
    const struct entry *v = last->cap > CHUNK_INLINE ? last->u.p : last->u.in;
    const struct chunk *k = last;
    uint32_t n;

    if (last->n > 0 && v[last->n - 1].clock <= clock)
        return v[last->n - 1].item & ~ENTRY_DELETED;
    if (c->chunks > 1 && k->clock > clock) {
        k = c->dir;
        for (n = c->chunks; n > 1; n -= n / 2)
            k += k[n / 2].clock <= clock ? n / 2 : 0;
    }
    v = k->cap > CHUNK_INLINE ? k->u.p : k->u.in;
    return plain_search(v, k->n, clock)->item & ~ENTRY_DELETED;
}

/* Is there room for one more item of the client wherever it is noted? */
static inline bool plain_has_room(const struct ydoc *doc, const struct chunk *last, size_t bytes)
{
    return doc->items_free == 0 && doc->items.n < doc->items.cap && last->n < last->cap &&
           doc->slab.cap - doc->slab.n >= bytes && doc->cur.deleted.n < doc->cur.deleted.cap;
}

/* Does the struct follow an item that ends where it says? */
static inline bool plain_has_origin(const struct ydoc *doc, const struct wire_struct *s,
                                    const struct client *c)
{
    return (s->ref == WIRE_STRING || s->ref == WIRE_DELETED) && (s->info & WIRE_HAS_ORIGIN) != 0 &&
           s->origin_client == s->client && s->clock == c->state && c->tx_mark == doc->tx &&
           c->acc_mark == doc->acc && c->room_end == 0;
}

/* Is what stands on the right of `left` what the struct says? */
static inline bool plain_has_right(const struct ydoc *doc, const struct wire_struct *s,
                                   const struct item *left, uint32_t client)
{
    const struct item *right = &doc->items.p[left->right];

    if (left->right == 0 || (s->info & WIRE_HAS_RIGHT) == 0)
        return left->right == 0 && (s->info & WIRE_HAS_RIGHT) == 0;
    return s->right_client == s->client && right->clock == s->right_clock &&
           item_client(right) == client;
}

/* A list of which nothing but the items needs to be kept up. */
static inline bool plain_is_list(const struct ydoc *doc, const struct slot *slot)
{
    const struct type *type = &doc->types.p[slot->type];

    return slot->key == 0 && type->item == 0 && !type->formatted && type->tree == 0;
}

static inline void plain_note_deleted(struct ydoc *doc, uint32_t client, const struct wire_struct *s)
{
    struct span gone = {client, s->clock, s->len}, *last;

    if (doc->cur.deleted.n > 0) {
        last = &doc->cur.deleted.p[doc->cur.deleted.n - 1];
        if (last->client == client && last->clock + last->len == s->clock) {
            last->len += s->len;
            return;
        }
    }
    doc->cur.deleted.p[doc->cur.deleted.n++] = gone;
}

/* The new item, behind `left`. */
static inline void plain_link(struct ydoc *doc, uint32_t client, const struct wire_struct *s,
                              uint32_t lh)
{
    uint32_t h = doc->items.n++;
    struct item *items = doc->items.p, *left = &items[lh], *it = &items[h];

    it->clock = s->clock;
    it->len = s->len;
    it->left = lh;
    it->right = left->right;
    left->right = h;
    if (it->right != 0)
        items[it->right].left = h;
    it->origin_clock = s->origin_clock;
    it->right_clock = s->info & WIRE_HAS_RIGHT ? s->right_clock : 0;
    it->right_client = s->info & WIRE_HAS_RIGHT ? client : NO_CLIENT;
    it->slot = left->slot;
    it->client_kind = client << 8 | s->ref;
    it->origin_flags = client << 8 | (s->ref == WIRE_DELETED ? ITEM_DELETED : 0);
    it->content = 0;
    it->bytes = 0;
    doc->items_live++;
}

static inline void plain_set_text(struct ydoc *doc, const struct wire_struct *s)
{
    struct item *it = &doc->items.p[doc->items.n - 1];

    it->content = doc->slab.n;
    it->bytes = (uint32_t)s->body.len;
    memcpy(doc->slab.p + it->content, s->body.p, s->body.len);
    doc->slab.n += it->bytes;
    if (it->bytes != it->len && it->len > doc->longest)
        doc->longest = it->len;
    doc->types.p[doc->slots.p[it->slot].type].length += it->len;
}

/* False: nothing was done, and store_integrate() is to be asked. */
static inline bool plain_integrate(struct ydoc *doc, const struct wire_struct *s, uint32_t client)
{
    struct client *c = &doc->clients.p[client];
    struct chunk *last = c->chunks > 1 ? &c->dir[c->chunks - 1] : &c->one;
    const struct item *left;
    struct entry *e;
    uint32_t lh;

    if (!plain_has_origin(doc, s, c) || !plain_has_room(doc, last, s->body.len))
        return false;
    lh = plain_find(c, last, s->origin_clock);
    left = &doc->items.p[lh];
    if (item_end(left) - 1 != s->origin_clock || left->slot == 0 ||
        !plain_has_right(doc, s, left, client) || !plain_is_list(doc, &doc->slots.p[left->slot]) ||
        doc->notes_changes)
        return false;
    e = &(last->cap > CHUNK_INLINE ? last->u.p : last->u.in)[last->n++];
    e->clock = s->clock;
    e->item = doc->items.n;
    c->state = s->clock + s->len;
    plain_link(doc, client, s, lh);
    if (s->ref == WIRE_STRING) {
        plain_set_text(doc, s);
    } else {
        e->item |= ENTRY_DELETED;
        plain_note_deleted(doc, client, s);
    }
    return true;
}

#endif
