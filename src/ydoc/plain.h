#ifndef YDOC_PLAIN_H
#define YDOC_PLAIN_H

/* plain - integrates the structs that documents are made of in one go.
 *
 * Nearly all structs of a document that is loaded are texts, or what is left of
 * deleted ones, of a list of a root; they follow an item of their own client
 * that ends where they say, and on its right stands what they say. None of the
 * questions of integrate.c has another answer than the common one then: nothing
 * is split, nobody is concurrent, nobody is told. plain_run() finds out whether
 * a struct is one of those before it changes anything; what it takes,
 * store_integrate() would have done the same.
 */
#include <string.h>

#include "ydoc/quick.h"
#include "ydoc/store.h"

/* The last of n entries whose clock is not above `clock`; the first one's is not. The
 * three loads of a round do not wait for each other, as those of a binary search would. */
QUICK_INLINE const struct entry *plain_search(const struct entry *v, uint32_t n, uint32_t clock)
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

/* What the loop has at hand: nothing in it moves while it runs. */
struct plain {
    struct ydoc *doc;
    struct client *c;
    struct chunk *last;    /* the client's last chunk */
    struct entry *entries; /* of it */
    struct item *items;
    uint32_t client;
};

/* The item that holds `clock`, below the client's state. Most structs follow their
 * client's last one. */
QUICK_INLINE uint32_t plain_find(const struct plain *p, uint32_t clock)
{
    const struct entry *v = p->entries;
    const struct chunk *k = p->last;
    uint32_t n;

    if (v[k->n - 1].clock <= clock)
        return v[k->n - 1].item & ~ENTRY_DELETED;
    if (k->clock > clock) {
        k = p->c->dir;
        for (n = p->c->chunks; n > 1; n -= n / 2)
            k += k[n / 2].clock <= clock ? n / 2 : 0;
        v = k->cap > CHUNK_INLINE ? k->u.p : k->u.in;
    }
    return plain_search(v, k->n, clock)->item & ~ENTRY_DELETED;
}

/* Is there anything that has to be told of new items one by one? */
QUICK_INLINE bool plain_start(struct plain *p, struct ydoc *doc, uint32_t client)
{
    struct client *c = &doc->clients.p[client];

    if (doc->items_free != 0 || doc->notes_changes || doc->trees_live > 0 || c->state == 0 ||
        c->tx_mark != doc->tx || c->acc_mark != doc->acc || c->room_end != 0)
        return false;
    p->doc = doc;
    p->c = c;
    p->client = client;
    p->items = doc->items.p;
    p->last = c->chunks > 1 ? &c->dir[c->chunks - 1] : &c->one;
    p->entries = p->last->cap > CHUNK_INLINE ? p->last->u.p : p->last->u.in;
    return true;
}

/* Is there room for one more item wherever it is noted? */
QUICK_INLINE bool plain_has_room(const struct plain *p, const struct wire_struct *s)
{
    const struct ydoc *doc = p->doc;

    return doc->items.n < doc->items.cap && p->last->n < p->last->cap &&
           (s->ref == WIRE_STRING ? doc->slab.cap - doc->slab.n >= s->body.len
                                  : doc->cur.deleted.n < doc->cur.deleted.cap);
}

/* Follows an item of its client that is in a list, with `right` on its right? The
 * client's structs that have come through quick_next() name no later ones. */
QUICK_INLINE bool plain_fits(const struct plain *p, const struct wire_struct *s,
                             const struct item *left)
{
    const struct item *right = &p->items[left->right];

    if (item_end(left) - 1 != s->origin_clock || left->slot == 0)
        return false;
    if (left->right == 0 || (s->info & WIRE_HAS_RIGHT) == 0)
        return left->right == 0 && (s->info & WIRE_HAS_RIGHT) == 0;
    return s->right_client == s->client && right->clock == s->right_clock &&
           item_client(right) == p->client;
}

/* A root's list without formats. */
QUICK_INLINE bool plain_is_list(const struct ydoc *doc, uint32_t slot)
{
    const struct type *type = &doc->types.p[doc->slots.p[slot].type];

    return doc->slots.p[slot].key == 0 && type->item == 0 && !type->formatted;
}

QUICK_INLINE void plain_note_deleted(struct ydoc *doc, uint32_t client, const struct wire_struct *s)
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

/* The new item behind `lh`, without content. */
QUICK_INLINE void plain_link(const struct plain *p, const struct wire_struct *s, uint32_t lh)
{
    uint32_t h = p->doc->items.n++;
    struct item *left = &p->items[lh], *it = &p->items[h];
    struct entry *e = &p->entries[p->last->n++];
    bool has_right = (s->info & WIRE_HAS_RIGHT) != 0, deleted = s->ref == WIRE_DELETED;

    it->clock = s->clock;
    it->len = s->len;
    it->left = lh;
    it->right = left->right;
    if (left->right != 0)
        p->items[left->right].left = h;
    left->right = h;
    it->origin_clock = s->origin_clock;
    it->right_clock = has_right ? s->right_clock : 0;
    it->right_client = has_right ? p->client : NO_CLIENT;
    it->slot = left->slot;
    it->client_kind = p->client << 8 | s->ref;
    it->origin_flags = p->client << 8 | (deleted ? ITEM_DELETED : 0);
    it->content = 0;
    it->bytes = 0;
    e->clock = s->clock;
    e->item = deleted ? h | ENTRY_DELETED : h;
    p->doc->items_live++;
    p->c->state = s->clock + s->len;
}

QUICK_INLINE void plain_set_text(struct ydoc *doc, const struct wire_struct *s, struct item *it)
{
    it->content = doc->slab.n;
    it->bytes = (uint32_t)s->body.len;
    memcpy(doc->slab.p + it->content, s->body.p, s->body.len);
    doc->slab.n += it->bytes;
    if (it->bytes != it->len && it->len > doc->longest)
        doc->longest = it->len;
    doc->types.p[doc->slots.p[it->slot].type].length += it->len;
}

/* Integrates structs of a section, the client's next ones, until one comes that is
 * not plain, or the client's state is above `clock`: the reader stands before it. */
static inline void plain_run(struct ydoc *doc, uint32_t client, struct lib0_reader *r,
                             struct wire_section *section, uint32_t clock)
{
    struct wire_section at = *section;
    struct lib0_reader here = *r;
    struct wire_struct s = {0}; /* quick_next sets what the info says is there */
    struct plain p;
    uint32_t lh;

    if (!plain_start(&p, doc, client))
        return;
    while (p.c->state <= clock && quick_next(&here, &at, &s)) {
        if (s.ref == WIRE_GC || s.clock != p.c->state || (s.info & WIRE_HAS_ORIGIN) == 0 ||
            s.origin_client != s.client || !plain_has_room(&p, &s))
            return;
        lh = plain_find(&p, s.origin_clock);
        if (!plain_fits(&p, &s, &p.items[lh]) || !plain_is_list(doc, p.items[lh].slot))
            return;
        plain_link(&p, &s, lh);
        if (s.ref == WIRE_DELETED)
            plain_note_deleted(doc, client, &s);
        else
            plain_set_text(doc, &s, &p.items[doc->items.n - 1]);
        *section = at;
        r->p = here.p;
    }
}

#endif
