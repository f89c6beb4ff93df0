/* undo_redo - taking back one stack item: Yjs's popStackItem and redoItem.
 *
 * What was inserted is deleted. What was deleted cannot come back: a copy of it is
 * inserted where it was, as a new item of this client, and the old item is told
 * (redone.c). Where the type that it was in is gone as well, the copy goes into that
 * type's copy. A map's entry comes back only if nobody else has set the key since.
 *
 * Yjs recurses to the parents; a peer chooses how deep types are nested, so here the
 * parents that have to come back first are a list.
 */
#include "ydoc/undo.h"

#include <assert.h>

static bool is_redone(const struct ydoc *doc, uint32_t h)
{
    return (doc->items.p[h].origin_flags & ITEM_REDONE) != 0;
}

static bool is_gc(const struct ydoc *doc, uint32_t h)
{
    return item_kind(&doc->items.p[h]) == WIRE_GC;
}

/* The item of the type that an item is in; 0: a root's. Not for a GC. */
static uint32_t parent_item(const struct ydoc *doc, uint32_t h)
{
    return doc->types.p[doc->slots.p[doc->items.p[h].slot].type].item;
}

/* What the item was restored by, cut where it starts. */
static uint32_t redone_item(struct ydoc *doc, uint32_t h)
{
    struct redone to = store_redone(doc, &doc->items.p[h]);

    return store_item_from(doc, to.to_client, to.to_clock);
}

/* ---- neighbours in a list ---- */

/* The item, or the first of its copies, that is in `parent`; 0: none. */
static uint32_t trace(struct ydoc *doc, uint32_t h, uint32_t parent)
{
    while (h != 0 && !is_gc(doc, h) && parent_item(doc, h) != parent)
        h = is_redone(doc, h) ? redone_item(doc, h) : 0;
    return h != 0 && !is_gc(doc, h) ? h : 0;
}

static uint32_t nearest(struct ydoc *doc, uint32_t h, uint32_t parent, bool leftwards)
{
    while (h != 0) {
        uint32_t found = trace(doc, h, parent);

        if (found != 0)
            return found;
        h = leftwards ? doc->items.p[h].left : doc->items.p[h].right;
    }
    return 0;
}

static void list_neighbours(struct ydoc *doc, uint32_t h, uint32_t type, struct neighbours *at)
{
    uint32_t parent = doc->types.p[type].item;

    at->slot = doc->types.p[type].list;
    at->left = nearest(doc, doc->items.p[h].left, parent, true);
    at->right = nearest(doc, h, parent, false);
}

/* ---- neighbours under a key ---- */

static bool on_a_stack(const struct ydoc_undo *undo, uint32_t client, uint32_t clock)
{
    for (int which = STACK_UNDO; which <= STACK_REDO; which++) {
        for (uint32_t i = 0; i < undo->stacks[which].n; i++) {
            if (undo_set_has(&undo->stacks[which].p[i].deletions, client, clock))
                return true;
        }
    }
    return false;
}

/* A later value of the key that this manager has made or taken away may be passed over. */
static bool is_ours(const struct ydoc_undo *undo, uint32_t h)
{
    const struct item *it = &undo->doc->items.p[h];

    return (it->origin_flags & ITEM_REDONE) != 0 ||
           undo_set_has(&undo->popped.insertions, item_client(it), it->clock) ||
           on_a_stack(undo, item_client(it), it->clock);
}

/* False: another client's value stands there. */
static bool map_neighbours(struct ydoc_undo *undo, uint32_t h, uint32_t type, struct neighbours *at)
{
    struct ydoc *doc = undo->doc;
    uint32_t key = doc->slots.p[doc->items.p[h].slot].key, left = h;

    at->right = 0;
    if (doc->items.p[h].right != 0 && !undo->options.ignore_remote_map_changes) {
        while (doc->items.p[left].right != 0 && is_ours(undo, doc->items.p[left].right)) {
            left = doc->items.p[left].right;
            while (is_redone(doc, left))
                left = redone_item(doc, left);
        }
        if (doc->items.p[left].right != 0)
            return false;
    } else {
        left = 0;
    }
    at->slot = store_map_slot(doc, type, key);
    if (left == 0 || is_gc(doc, left) || doc->items.p[left].slot != at->slot)
        left = doc->slots.p[at->slot].head;
    at->left = left;
    return true;
}

/* ---- one item ---- */

/* The type that a copy goes into; 0: it is gone, and nothing has replaced it. */
static uint32_t target_type(struct ydoc *doc, uint32_t h)
{
    uint32_t parent = parent_item(doc, h);

    if (parent == 0 || !item_deleted(&doc->items.p[parent]))
        return doc->slots.p[doc->items.p[h].slot].type;
    if (!is_redone(doc, parent))
        return 0;
    while (is_redone(doc, parent))
        parent = redone_item(doc, parent);
    return item_kind(&doc->items.p[parent]) == WIRE_TYPE ? doc->items.p[parent].content : 0;
}

/* Restores an item whose parent is there again. The copy, or 0. */
static uint32_t redo_one(struct ydoc_undo *undo, uint32_t h)
{
    struct ydoc *doc = undo->doc;
    struct neighbours at = {0};
    uint32_t type, client, parent;

    if (is_redone(doc, h))
        return redone_item(doc, h);
    type = target_type(doc, h);
    if (type == 0)
        return 0;
    if (doc->slots.p[doc->items.p[h].slot].key == 0)
        list_neighbours(doc, h, type, &at);
    else if (!map_neighbours(undo, h, type, &at))
        return 0;
    client = store_add_client(doc, doc->client_id);
    store_set_redone(doc, h, client, doc->clients.p[client].state);
    parent = doc->types.p[type].item;
    if (parent != 0)
        undo_keep(doc, parent);
    return store_insert_copy(doc, &at, h);
}

/* Puts the item and the parents that have to come back before it into undo->parents, it
 * first; false: one of them does not come back. */
static bool list_parents(struct ydoc_undo *undo, uint32_t h)
{
    struct ydoc *doc = undo->doc;

    undo->parents.n = 0;
    for (;;) {
        uint32_t parent;

        VEC_PUSH(doc, undo->parents, h);
        if (is_redone(doc, h))
            return true;
        parent = parent_item(doc, h);
        if (parent == 0 || !item_deleted(&doc->items.p[parent]) || is_redone(doc, parent))
            return true;
        if ((doc->items.p[parent].origin_flags & ITEM_PICKED) == 0)
            return false;
        h = parent;
    }
}

static bool redo_item(struct ydoc_undo *undo, uint32_t h)
{
    if (!list_parents(undo, h))
        return false;
    while (undo->parents.n > 0) {
        if (redo_one(undo, undo->parents.p[--undo->parents.n]) == 0)
            return false;
    }
    return true;
}

/* ---- the stack item ---- */

static void pick_inserted(struct ydoc_undo *undo, uint32_t h)
{
    struct ydoc *doc = undo->doc;

    if (is_gc(doc, h))
        return;
    if (is_redone(doc, h)) {
        const struct item *it = &doc->items.p[h];
        uint32_t diff;

        h = store_follow_redone(doc, item_client(it), it->clock, &diff);
        it = &doc->items.p[h];
        if (diff > 0)
            h = store_item_from(doc, item_client(it), it->clock + diff);
    }
    if (!item_deleted(&doc->items.p[h]) && undo_in_scope(undo, h))
        VEC_PUSH(doc, undo->to_delete, h);
}

/* What was made and deleted within the same stack item stays gone. */
static void pick_deleted(struct ydoc_undo *undo, uint32_t h)
{
    struct ydoc *doc = undo->doc;
    struct item *it = &doc->items.p[h];

    if (is_gc(doc, h) || !undo_in_scope(undo, h) ||
        undo_set_has(&undo->popped.insertions, item_client(it), it->clock))
        return;
    VEC_PUSH(doc, undo->to_redo, h);
    doc->items.p[h].origin_flags |= ITEM_PICKED;
}

static bool may_delete(const struct ydoc_undo *undo, uint32_t h)
{
    const struct ydoc *doc = undo->doc;
    const struct item *it = &doc->items.p[h];
    const struct slot *slot = &doc->slots.p[it->slot];
    struct ydoc_undo_item item = {.clock = it->clock, .len = it->len};

    if (undo->options.delete_filter == NULL)
        return true;
    item.client = doc->clients.p[item_client(it)].id;
    item.parent = edit_handle(doc, slot->type);
    if (slot->key != 0)
        item.key = store_key(doc, slot->key);
    if (item_kind(it) == WIRE_TYPE && !item_deleted(it))
        item.type = edit_handle(doc, it->content);
    return undo->options.delete_filter(undo, &item, undo->options.ctx);
}

static void unpick(struct ydoc_undo *undo)
{
    struct ydoc *doc = undo->doc;

    for (uint32_t i = 0; i < undo->to_redo.n; i++)
        doc->items.p[undo->to_redo.p[i]].origin_flags &= ~(uint32_t)ITEM_PICKED;
    undo->to_redo.n = 0;
}

bool undo_revert(struct ydoc_undo *undo)
{
    bool done = false;

    undo->to_delete.n = 0;
    undo->to_redo.n = 0;
    undo_each_item(undo, undo_ids(&undo->popped.insertions), pick_inserted);
    undo_each_item(undo, undo_ids(&undo->popped.deletions), pick_deleted);
    for (uint32_t i = 0; i < undo->to_redo.n; i++)
        done = redo_item(undo, undo->to_redo.p[i]) || done;
    unpick(undo);
    for (uint32_t i = undo->to_delete.n; i-- > 0;) {
        if (!may_delete(undo, undo->to_delete.p[i]))
            continue;
        store_delete_item(undo->doc, undo->to_delete.p[i]);
        done = true;
    }
    return done;
}
