#ifndef YDOC_PLACE_H
#define YDOC_PLACE_H

/* place - from an index to an item and back, in O(log n): a counted B+tree over
 * the list of one type.
 *
 * A document that is only synchronised has none. The first access by index that
 * would walk far builds the tree of that type; from then on the functions
 * place_on_… keep it in step with every change of the list, local or remote.
 * Trees belong to the document and go with their type; they are not copied.
 */
#include "ydoc/store.h"

/* What stands `index` units into a list: the item that holds the unit before
 * `index`, and how many of its units are before it (1 to its visible length).
 * Index 0 has item 0: the start of the list. */
struct spot {
    uint32_t item;
    uint32_t offset;
    uint32_t index; /* what was reached: less than asked for at the list's end */
};

struct spot place_find(struct ydoc *doc, uint32_t type, uint32_t index);
/* The same for an index up to the list's length, if it can be had without building a
 * tree. */
bool place_find_now(const struct ydoc *doc, uint32_t type, uint32_t index, struct spot *out);
/* Units before an item of the list. */
uint32_t place_of(struct ydoc *doc, uint32_t item);
/* The last item of the list, deleted ones included, or 0. */
uint32_t place_last(struct ydoc *doc, uint32_t type);
/* The nearest undeleted format item to the left of `item` (which is not looked
 * at itself; 0 is the list's end), or 0. Needs no walk over what is no format. */
uint32_t place_format_before(struct ydoc *doc, uint32_t type, uint32_t item);

void place_drop(struct ydoc *doc, uint32_t type);
void place_drop_all(struct ydoc *doc);

/* Called by whoever changes a list, after the change. */
void place__insert(struct ydoc *doc, uint32_t item);
void place__update(struct ydoc *doc, uint32_t item);
void place__remove(struct ydoc *doc, uint32_t item); /* before it is freed */

static inline bool place_has_tree(const struct ydoc *doc, uint32_t item)
{
    const struct slot *s;

    if (doc->trees_live == 0)
        return false;
    s = &doc->slots.p[doc->items.p[item].slot];
    return s->key == 0 && doc->types.p[s->type].tree != 0;
}
/* `item` was linked into a list. */
static inline void place_on_insert(struct ydoc *doc, uint32_t item)
{
    if (place_has_tree(doc, item))
        place__insert(doc, item);
}
/* `item` became longer, shorter or deleted. */
static inline void place_on_change(struct ydoc *doc, uint32_t item)
{
    if (place_has_tree(doc, item))
        place__update(doc, item);
}
static inline void place_on_remove(struct ydoc *doc, uint32_t item)
{
    if (place_has_tree(doc, item))
        place__remove(doc, item);
}

#endif
