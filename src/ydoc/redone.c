/* redone - which item an undo has put in the place of another: Yjs's item.redone.
 *
 * Undoing a deletion makes a copy and leaves the deleted item where it is; later
 * undos and relative positions follow from it to the copy. Few items have one, so
 * the ids are in a table of the document instead of in every item: open addressing
 * by the item's id, at most three quarters full. ITEM_REDONE says that there is an
 * entry; a document that nobody undoes anything in has no table.
 */
#include <string.h>

#include "ydoc/store.h"

static uint32_t home_of(const struct ydoc *doc, uint32_t client, uint32_t clock)
{
    uint64_t h = ((uint64_t)client << 32 | clock) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(h >> 32) & (doc->redone.n - 1);
}

/* Where the entry of the id is, or the free place where it belongs. */
static uint32_t find(const struct ydoc *doc, uint32_t client, uint32_t clock)
{
    uint32_t i = home_of(doc, client, clock);
    const struct redone *p = doc->redone.p;

    while (p[i].client != CLIENT_UNKNOWN && (p[i].client != client || p[i].clock != clock))
        i = (i + 1) & (doc->redone.n - 1);
    return i;
}

static void grow(struct ydoc *doc)
{
    uint32_t before = doc->redone.n, size = before == 0 ? 16 : 2 * before;
    struct redone *old = doc->redone.p;
    uint32_t old_cap = doc->redone.cap;
    struct redone *p;

    if (size == 0 || (p = store_resize(doc, NULL, 0, size * sizeof(*p))) == NULL)
        store_fail(doc, YDOC_ENOMEM);
    memset(p, 0xff, size * sizeof(*p));
    doc->redone.p = p;
    doc->redone.n = doc->redone.cap = size;
    for (uint32_t i = 0; i < before; i++) {
        if (old[i].client != CLIENT_UNKNOWN)
            p[find(doc, old[i].client, old[i].clock)] = old[i];
    }
    store_resize(doc, old, old_cap * sizeof(*old), 0);
}

static void put(struct ydoc *doc, struct redone entry)
{
    uint32_t i;

    if ((uint64_t)(doc->redone_used + 1) * 4 > (uint64_t)doc->redone.n * 3)
        grow(doc);
    i = find(doc, entry.client, entry.clock);
    doc->redone_used += doc->redone.p[i].client == CLIENT_UNKNOWN;
    doc->redone.p[i] = entry;
}

struct redone store_redone(const struct ydoc *doc, const struct item *it)
{
    return doc->redone.p[find(doc, item_client(it), it->clock)];
}

void store_set_redone(struct ydoc *doc, uint32_t h, uint32_t to_client, uint32_t to_clock)
{
    struct item *it = &doc->items.p[h];
    struct redone entry = {item_client(it), it->clock, to_client, to_clock};

    put(doc, entry);
    it->origin_flags |= ITEM_REDONE;
}

void store_split_redone(struct ydoc *doc, const struct item *it, uint32_t at)
{
    struct redone entry = store_redone(doc, it);

    entry.clock += at;
    entry.to_clock += at;
    put(doc, entry);
}

/* Closes the gap that the removed entry leaves in its probe sequence. */
void store_forget_redone(struct ydoc *doc, const struct item *it)
{
    struct redone *p = doc->redone.p;
    uint32_t mask = doc->redone.n - 1, i = find(doc, item_client(it), it->clock);

    for (uint32_t j = (i + 1) & mask; p[j].client != CLIENT_UNKNOWN; j = (j + 1) & mask) {
        uint32_t home = home_of(doc, p[j].client, p[j].clock);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            p[i] = p[j];
            i = j;
        }
    }
    p[i].client = CLIENT_UNKNOWN;
    doc->redone_used--;
}

uint32_t store_follow_redone(const struct ydoc *doc, uint32_t client, uint32_t clock,
                             uint32_t *diff)
{
    for (;;) {
        uint32_t h = store_find_item(doc, client, clock);
        const struct item *it = &doc->items.p[h];
        struct redone to;

        *diff = clock - it->clock;
        if ((it->origin_flags & ITEM_REDONE) == 0)
            return h;
        to = store_redone(doc, it);
        client = to.to_client;
        clock = to.to_clock + *diff;
    }
}
