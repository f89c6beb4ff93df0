#ifndef YDOC_CHECK_H
#define YDOC_CHECK_H

/* ydoc_check - what holds of a document after every call, for the fuzz targets. */
#include "ydoc/place.h"

#include <stdlib.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

/* Checks are no news to the fuzzer, and most of its time. */
#ifdef __clang__
#define CHECK static inline __attribute__((no_sanitize("coverage")))
#else
#define CHECK static inline
#endif

static inline bool check_same(const struct ydoc_buf *a, const struct ydoc_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

/* What a peer would be sent that has nothing. */
static inline void check_encode(const struct ydoc *doc, struct ydoc_buf *out)
{
    ydoc_buf_reset(out);
    ENSURE(ydoc_encode_state_v1(doc, NULL, 0, out, NULL) == 0);
}

static inline void check_state_vector(const struct ydoc *doc, struct ydoc_buf *out)
{
    ydoc_buf_reset(out);
    ENSURE(ydoc_encode_state_vector(doc, out) == 0);
}

/* A position index says what a walk through the list says. */
CHECK void check_place(struct ydoc *doc, uint32_t type, uint32_t h, uint32_t before)
{
    const struct item *it = &doc->items.p[h];
    uint32_t left = it->left;

    ENSURE(place_of(doc, h) == before);
    if (!item_deleted(it) && item_countable(it)) {
        struct spot spot = place_find(doc, type, before + 1);

        ENSURE(spot.item == h && spot.offset == 1);
    }
    if (left != 0 && item_kind(&doc->items.p[left]) == WIRE_FORMAT &&
        !item_deleted(&doc->items.p[left]))
        ENSURE(place_format_before(doc, type, h) == left);
}

CHECK void check_list(struct ydoc *doc, uint32_t type)
{
    uint32_t units = 0, last = 0;

    for (uint32_t h = doc->slots.p[doc->types.p[type].list].head; h != 0;
         h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        ENSURE(it->left == last && it->slot == doc->types.p[type].list);
        if (doc->types.p[type].tree != 0)
            check_place(doc, type, h, units);
        units += item_deleted(it) || !item_countable(it) ? 0 : it->len;
        last = h;
    }
    ENSURE(units == doc->types.p[type].length);
    if (doc->types.p[type].tree != 0)
        ENSURE(place_last(doc, type) == last);
}

CHECK void check_item(struct ydoc *doc, uint32_t h)
{
    const struct item *it = &doc->items.p[h];

    ENSURE(it->len > 0);
    if (item_kind(it) == WIRE_GC)
        return;
    ENSURE(it->slot != 0 && it->slot < doc->slots.n);
    ENSURE(it->left == 0 || doc->items.p[it->left].right == h);
    ENSURE(it->right == 0 || doc->items.p[it->right].left == h);
    ENSURE(it->left != 0 || doc->slots.p[it->slot].key != 0 || doc->slots.p[it->slot].head == h);
    ENSURE(it->right != 0 || doc->slots.p[it->slot].key == 0 || doc->slots.p[it->slot].head == h);
    if (item_kind(it) == WIRE_STRING) {
        ENSURE(it->content <= doc->slab.n && it->bytes <= doc->slab.n - it->content);
        ENSURE(lib0_utf16_len(doc->slab.p + it->content, it->bytes) == it->len);
    }
    if (item_kind(it) == WIRE_TYPE) {
        ENSURE(it->content != 0 && doc->types.p[it->content].item == h);
        check_list(doc, it->content);
    }
}

CHECK void check_document(struct ydoc *doc)
{
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        struct client *c = &doc->clients.p[i];
        struct place at = {0, 0};
        uint32_t clock = 0;

        if (c->state == 0)
            continue;
        do {
            uint32_t h = index_at(c, at);

            ENSURE(doc->items.p[h].clock == clock && index_entry(c, at)->clock == clock);
            ENSURE(item_deleted(&doc->items.p[h]) ==
                   ((index_entry(c, at)->item & ENTRY_DELETED) != 0));
            check_item(doc, h);
            clock = item_end(&doc->items.p[h]);
        } while (index_next(c, &at));
        ENSURE(clock == c->state);
    }
    for (uint32_t i = 0; i < doc->roots.n; i++)
        check_list(doc, doc->roots.p[i]);
}

#endif
