#ifndef YDOC_UNDO_H
#define YDOC_UNDO_H

/* undo - what the files of the undo manager share. */
#include "ydoc/edit.h"

/* A set of ids: ranges by client and clock, sorted and merged, and the clients in
 * the order of Yjs's Map, which decides in which order an undo restores. `order`
 * is empty where that is the order of the ranges. */
struct id_set {
    VEC(struct span) spans;
    VEC(uint32_t) order;
};

/* A set that somebody else holds. */
struct ids {
    const struct span *spans;
    uint32_t n;
    const uint32_t *order;
    uint32_t order_n;
};

struct stack_item {
    struct id_set deletions, insertions;
    void *meta; /* the caller's */
};

enum { STACK_UNDO, STACK_REDO };

struct ydoc_undo {
    struct ydoc *doc;
    struct ydoc_undo_options options; /* its lists are not used after creation */
    bool whole;                       /* the document is in the scope */
    bool undoing, redoing;
    VEC(ydoc_type) scope;
    VEC(const void *) tracked;
    VEC(struct stack_item) stacks[2];
    uint64_t last_change;     /* 0: the next change begins a stack item */
    struct stack_item popped; /* being undone */
    struct stack_item fresh;  /* being made */
    VEC(uint32_t) to_delete;  /* items that the undo deletes */
    VEC(uint32_t) to_redo;    /* items that it restores; they have ITEM_PICKED */
    VEC(uint32_t) parents;    /* of the one that it is at */
};

/* ---- undo_set.c ---- */
struct ids undo_ids(const struct id_set *set);
void undo_set_free(struct ydoc *doc, struct id_set *set);
void undo_set_copy(struct ydoc *doc, struct id_set *to, struct ids from);
/* Yjs's mergeDeleteSets: adds `more`. */
void undo_set_merge(struct ydoc *doc, struct id_set *set, struct ids more);
bool undo_set_has(const struct id_set *set, uint32_t client, uint32_t clock);
/* Yjs's iterateDeletedStructs: calls `visit` with every item or GC of the set, cut at the
 * ends of the ranges. */
void undo_each_item(struct ydoc_undo *undo, struct ids set,
                    void (*visit)(struct ydoc_undo *undo, uint32_t h));

/* ---- undo_redo.c ---- */
/* Does what undoing undo->popped means; false: nothing was left to do. */
bool undo_revert(struct ydoc_undo *undo);

/* ---- undo.c ---- */
bool undo_in_scope(const struct ydoc_undo *undo, uint32_t h);
/* Yjs's keepItem(item, true) */
void undo_keep(struct ydoc *doc, uint32_t h);

#endif
