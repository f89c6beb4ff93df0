/* place - see place.h.
 *
 *     inner node: up to FANOUT children, for each the units and the formats below
 *     leaf:       up to LEAF_ITEMS items of the list in order, with their units
 *
 * Nodes of one tree are numbers into its array, leaves and inner nodes alike.
 * A node knows its parent and its place there, so a change climbs without a
 * search. doc->leaf_of tells an item's leaf. Nodes are split when they are full
 * and removed when they are empty, never balanced: lists grow far more often
 * than they shrink, and an empty stretch is merged away by its own removals.
 */
#include "ydoc/place.h"

#include <assert.h>
#include <string.h>

#define FANOUT 32u
#define LEAF_ITEMS 32u
#define WALK_MAX 48u /* items that an access passes before it builds a tree */

struct node {
    uint32_t parent; /* 0: the root */
    uint16_t at;     /* which child of it */
    uint16_t n;
    bool leaf;
    uint32_t child[FANOUT];   /* nodes, of a leaf items */
    uint32_t units[FANOUT];   /* visible units in them */
    uint32_t formats[FANOUT]; /* undeleted formats in them */
};

struct tree {
    uint32_t type;
    uint32_t root;
    VEC(struct node) nodes; /* [0] is not used */
    uint32_t free;          /* chained through parent */
};

static uint32_t visible_units(const struct item *it)
{
    return item_deleted(it) || !item_countable(it) ? 0 : it->len;
}

static uint32_t is_format(const struct item *it)
{
    return item_kind(it) == WIRE_FORMAT && !item_deleted(it);
}

static struct tree *tree_of_type(const struct ydoc *doc, uint32_t type)
{
    return doc->trees.p[doc->types.p[type].tree - 1];
}

static struct tree *tree_of(const struct ydoc *doc, uint32_t item)
{
    return tree_of_type(doc, doc->slots.p[doc->items.p[item].slot].type);
}

/* ---- nodes ---- */

static uint32_t new_node(struct ydoc *doc, struct tree *t, bool leaf)
{
    static const struct node none;
    uint32_t i = t->free;

    if (i != 0) {
        t->free = t->nodes.p[i].parent;
    } else {
        if (t->nodes.n == 0)
            VEC_PUSH(doc, t->nodes, none);
        i = t->nodes.n;
        VEC_PUSH(doc, t->nodes, none);
    }
    t->nodes.p[i] = none;
    t->nodes.p[i].leaf = leaf;
    return i;
}

static void set_leaf(struct ydoc *doc, uint32_t item, uint32_t leaf)
{
    if (item >= doc->leaf_of.n) {
        VEC_RESERVE(doc, doc->leaf_of, item + 1 - doc->leaf_of.n);
        memset(doc->leaf_of.p + doc->leaf_of.n, 0, (item + 1 - doc->leaf_of.n) * sizeof(uint32_t));
        doc->leaf_of.n = item + 1;
    }
    doc->leaf_of.p[item] = leaf;
}

static uint32_t place_in_leaf(const struct node *leaf, uint32_t item)
{
    uint32_t i = 0;

    while (leaf->child[i] != item) {
        i++;
        assert(i < leaf->n);
    }
    return i;
}

/* Tells the children of a node from `from` on where they are. */
static void renumber(struct ydoc *doc, struct tree *t, uint32_t node, uint32_t from)
{
    struct node *p = &t->nodes.p[node];

    for (uint32_t i = from; i < p->n; i++) {
        if (p->leaf) {
            set_leaf(doc, p->child[i], node);
        } else {
            t->nodes.p[p->child[i]].parent = node;
            t->nodes.p[p->child[i]].at = (uint16_t)i;
        }
    }
}

static void add_up(struct tree *t, uint32_t node, uint32_t units, uint32_t formats)
{
    const struct node *p = &t->nodes.p[node];

    while (p->parent != 0) {
        struct node *up = &t->nodes.p[p->parent];

        up->units[p->at] += units;
        up->formats[p->at] += formats;
        p = up;
    }
}

static void open_gap(struct node *p, uint32_t at)
{
    uint32_t after = p->n - at;

    memmove(&p->child[at + 1], &p->child[at], after * sizeof(uint32_t));
    memmove(&p->units[at + 1], &p->units[at], after * sizeof(uint32_t));
    memmove(&p->formats[at + 1], &p->formats[at], after * sizeof(uint32_t));
    p->n++;
}

static void close_gap(struct node *p, uint32_t at)
{
    uint32_t after = p->n - at - 1u;

    memmove(&p->child[at], &p->child[at + 1], after * sizeof(uint32_t));
    memmove(&p->units[at], &p->units[at + 1], after * sizeof(uint32_t));
    memmove(&p->formats[at], &p->formats[at + 1], after * sizeof(uint32_t));
    p->n--;
}

struct sums {
    uint32_t units, formats;
};

static struct sums sum(const struct node *p)
{
    struct sums s = {0, 0};

    for (uint32_t i = 0; i < p->n; i++) {
        s.units += p->units[i];
        s.formats += p->formats[i];
    }
    return s;
}

/* The root has been split off `right`: both get a new parent. */
static void grow_root(struct ydoc *doc, struct tree *t, uint32_t right)
{
    uint32_t left = t->root, root = new_node(doc, t, false);
    uint32_t pair[2] = {left, right};

    for (uint32_t i = 0; i < 2; i++) {
        struct node *p = &t->nodes.p[root];
        struct sums s = sum(&t->nodes.p[pair[i]]);

        p->child[i] = pair[i];
        p->units[i] = s.units;
        p->formats[i] = s.formats;
        p->n++;
    }
    renumber(doc, t, root, 0);
    t->root = root;
}

static void split_node(struct ydoc *doc, struct tree *t, uint32_t node);

/* Puts `right`, split off `left`, behind it. */
static void add_sibling(struct ydoc *doc, struct tree *t, uint32_t left, uint32_t right)
{
    uint32_t parent = t->nodes.p[left].parent, at;
    struct sums moved = sum(&t->nodes.p[right]);
    struct node *p;

    if (parent == 0) {
        grow_root(doc, t, right);
        return;
    }
    if (t->nodes.p[parent].n == FANOUT) {
        split_node(doc, t, parent);
        parent = t->nodes.p[left].parent;
    }
    p = &t->nodes.p[parent];
    at = t->nodes.p[left].at;
    open_gap(p, at + 1);
    p->child[at + 1] = right;
    p->units[at + 1] = moved.units;
    p->formats[at + 1] = moved.formats;
    p->units[at] -= moved.units;
    p->formats[at] -= moved.formats;
    renumber(doc, t, parent, at + 1);
}

/* Moves the upper half of a full node into a new one behind it. Depth is
 * logarithmic, so the recursion through add_sibling is short. */
static void split_node(struct ydoc *doc, struct tree *t, uint32_t node)
{
    uint32_t right = new_node(doc, t, t->nodes.p[node].leaf);
    struct node *p = &t->nodes.p[node], *q = &t->nodes.p[right];
    uint32_t half = p->n / 2u, moved = p->n - half;

    memcpy(q->child, p->child + half, moved * sizeof(uint32_t));
    memcpy(q->units, p->units + half, moved * sizeof(uint32_t));
    memcpy(q->formats, p->formats + half, moved * sizeof(uint32_t));
    q->n = (uint16_t)moved;
    p->n = (uint16_t)half;
    renumber(doc, t, right, 0);
    add_sibling(doc, t, node, right);
}

static void remove_child(struct ydoc *doc, struct tree *t, uint32_t node, uint32_t at)
{
    struct node *p = &t->nodes.p[node];

    close_gap(p, at);
    if (p->n > 0 || node == t->root) {
        if (!p->leaf)
            renumber(doc, t, node, at);
        else if (node == t->root)
            return;
    } else {
        remove_child(doc, t, p->parent, p->at);
        t->nodes.p[node].parent = t->free;
        t->free = node;
    }
    p = &t->nodes.p[t->root];
    while (!p->leaf && p->n == 1) { /* a root with one child is not needed */
        uint32_t old = t->root;

        t->root = p->child[0];
        t->nodes.p[t->root].parent = 0;
        t->nodes.p[old].parent = t->free;
        t->free = old;
        p = &t->nodes.p[t->root];
    }
    if (!p->leaf && p->n == 0)
        p->leaf = true;
}

/* ---- keeping in step ---- */

static void insert_at(struct ydoc *doc, struct tree *t, uint32_t leaf, uint32_t at, uint32_t item)
{
    const struct item *it = &doc->items.p[item];
    struct node *p;

    if (t->nodes.p[leaf].n == LEAF_ITEMS) {
        uint32_t before = at > 0 ? t->nodes.p[leaf].child[at - 1] : 0;

        split_node(doc, t, leaf);
        if (before != 0) {
            leaf = doc->leaf_of.p[before];
            at = place_in_leaf(&t->nodes.p[leaf], before) + 1;
        }
    }
    p = &t->nodes.p[leaf];
    open_gap(p, at);
    p->child[at] = item;
    p->units[at] = visible_units(it);
    p->formats[at] = is_format(it);
    set_leaf(doc, item, leaf);
    add_up(t, leaf, visible_units(it), is_format(it));
}

static uint32_t first_leaf(const struct tree *t)
{
    uint32_t node = t->root;

    while (!t->nodes.p[node].leaf)
        node = t->nodes.p[node].child[0];
    return node;
}

void place__insert(struct ydoc *doc, uint32_t item)
{
    struct tree *t = tree_of(doc, item);
    uint32_t left = doc->items.p[item].left, leaf;

    if (left == 0) {
        insert_at(doc, t, first_leaf(t), 0, item);
        return;
    }
    leaf = doc->leaf_of.p[left];
    insert_at(doc, t, leaf, place_in_leaf(&t->nodes.p[leaf], left) + 1, item);
}

void place__update(struct ydoc *doc, uint32_t item)
{
    struct tree *t = tree_of(doc, item);
    const struct item *it = &doc->items.p[item];
    uint32_t leaf = doc->leaf_of.p[item];
    struct node *p = &t->nodes.p[leaf];
    uint32_t at = place_in_leaf(p, item);
    uint32_t units = visible_units(it) - p->units[at]; /* may wrap: sums wrap back */
    uint32_t formats = is_format(it) - p->formats[at];

    p->units[at] += units;
    p->formats[at] += formats;
    add_up(t, leaf, units, formats);
}

void place__remove(struct ydoc *doc, uint32_t item)
{
    struct tree *t = tree_of(doc, item);
    uint32_t leaf = doc->leaf_of.p[item];
    struct node *p = &t->nodes.p[leaf];
    uint32_t at = place_in_leaf(p, item);

    add_up(t, leaf, 0u - p->units[at], 0u - p->formats[at]);
    remove_child(doc, t, leaf, at);
}

/* ---- building and dropping ---- */

static uint32_t list_head(const struct ydoc *doc, uint32_t type)
{
    return doc->slots.p[doc->types.p[type].list].head;
}

static void build(struct ydoc *doc, uint32_t type)
{
    static const struct tree none;
    struct tree *t;
    uint32_t leaf;

    VEC_RESERVE(doc, doc->trees, 1);
    t = store_resize(doc, NULL, 0, sizeof(*t));
    if (t == NULL)
        store_fail(doc, YDOC_ENOMEM);
    *t = none;
    t->type = type;
    doc->trees.p[doc->trees.n++] = t;
    doc->types.p[type].tree = doc->trees.n;
    doc->trees_live++;
    leaf = t->root = new_node(doc, t, true);
    for (uint32_t h = list_head(doc, type); h != 0; h = doc->items.p[h].right) {
        if (t->nodes.p[leaf].n == LEAF_ITEMS * 3 / 4) {
            uint32_t next = new_node(doc, t, true);

            add_sibling(doc, t, leaf, next);
            leaf = next;
        }
        insert_at(doc, t, leaf, t->nodes.p[leaf].n, h);
    }
}

void place_drop(struct ydoc *doc, uint32_t type)
{
    uint32_t number = doc->types.p[type].tree;
    struct tree *t;

    if (number == 0)
        return;
    t = doc->trees.p[number - 1];
    VEC_FREE(doc, t->nodes);
    store_resize(doc, t, sizeof(*t), 0);
    doc->types.p[type].tree = 0;
    doc->trees_live--;
    t = doc->trees.p[--doc->trees.n];
    if (number - 1 < doc->trees.n) {
        doc->trees.p[number - 1] = t;
        doc->types.p[t->type].tree = number;
    }
}

void place_drop_all(struct ydoc *doc)
{
    while (doc->trees.n > 0)
        place_drop(doc, doc->trees.p[doc->trees.n - 1]->type);
    VEC_FREE(doc, doc->trees);
    VEC_FREE(doc, doc->leaf_of);
}

/* ---- looking up ---- */

static struct spot find_in_tree(const struct tree *t, uint32_t index)
{
    uint32_t node = t->root, left = index;
    struct spot spot = {0, 0, index};

    for (;;) {
        const struct node *p = &t->nodes.p[node];
        uint32_t i = 0;

        while (i + 1 < p->n && left > p->units[i])
            left -= p->units[i++];
        if (p->leaf) {
            spot.item = p->child[i];
            spot.offset = left;
            return spot;
        }
        node = p->child[i];
    }
}

bool place_find_now(const struct ydoc *doc, uint32_t type, uint32_t index, struct spot *out)
{
    uint32_t h = list_head(doc, type), left = index;
    struct spot spot = {0, 0, index};

    if (index > 0 && doc->types.p[type].tree != 0) {
        *out = find_in_tree(tree_of_type(doc, type), index);
        return true;
    }
    *out = spot;
    if (index == 0)
        return true;
    for (uint32_t steps = 0; steps < WALK_MAX; steps++) {
        uint32_t units = visible_units(&doc->items.p[h]);

        if (left <= units) {
            out->item = h;
            out->offset = left;
            return true;
        }
        left -= units;
        h = doc->items.p[h].right;
    }
    return false;
}

struct spot place_find(struct ydoc *doc, uint32_t type, uint32_t index)
{
    uint32_t length = doc->types.p[type].length;
    struct spot spot;

    if (index > length)
        index = length;
    if (place_find_now(doc, type, index, &spot))
        return spot;
    build(doc, type);
    return find_in_tree(tree_of_type(doc, type), index);
}

uint32_t place_last(struct ydoc *doc, uint32_t type)
{
    uint32_t h = list_head(doc, type), node;
    struct tree *t;

    if (doc->types.p[type].tree == 0) {
        for (uint32_t steps = 0; steps < WALK_MAX; steps++) {
            if (h == 0 || doc->items.p[h].right == 0)
                return h;
            h = doc->items.p[h].right;
        }
        build(doc, type);
    }
    t = tree_of_type(doc, type);
    for (node = t->root; !t->nodes.p[node].leaf;)
        node = t->nodes.p[node].child[t->nodes.p[node].n - 1];
    return t->nodes.p[node].n > 0 ? t->nodes.p[node].child[t->nodes.p[node].n - 1] : 0;
}

uint32_t place_of(struct ydoc *doc, uint32_t item)
{
    uint32_t type = doc->slots.p[doc->items.p[item].slot].type, units = 0, steps = 0;
    const struct node *p;
    struct tree *t;
    uint32_t leaf, at;

    if (doc->types.p[type].tree == 0) {
        uint32_t h = list_head(doc, type);

        for (; steps < WALK_MAX && h != item; steps++, h = doc->items.p[h].right)
            units += visible_units(&doc->items.p[h]);
        if (h == item)
            return units;
        build(doc, type);
        units = 0;
    }
    t = tree_of_type(doc, type);
    leaf = doc->leaf_of.p[item];
    p = &t->nodes.p[leaf];
    at = place_in_leaf(p, item);
    for (;;) {
        for (uint32_t i = 0; i < at; i++)
            units += p->units[i];
        if (p->parent == 0)
            return units;
        at = p->at;
        p = &t->nodes.p[p->parent];
    }
}

/* The last format below a node, before its child number `end`. */
static uint32_t last_format(const struct tree *t, uint32_t node, uint32_t end)
{
    for (;;) {
        const struct node *p = &t->nodes.p[node];

        while (end > 0 && p->formats[end - 1] == 0)
            end--;
        if (end == 0)
            return 0;
        if (p->leaf)
            return p->child[end - 1];
        node = p->child[end - 1];
        end = t->nodes.p[node].n;
    }
}

uint32_t place_format_before(struct ydoc *doc, uint32_t type, uint32_t item)
{
    const struct node *p;
    struct tree *t;
    uint32_t node, at;

    if (doc->types.p[type].tree == 0) {
        uint32_t steps = 0;

        for (; item != 0 && steps < WALK_MAX; steps++) {
            item = doc->items.p[item].left;
            if (item == 0 || is_format(&doc->items.p[item]))
                return item;
        }
        build(doc, type);
    }
    t = tree_of_type(doc, type);
    if (item == 0)
        return last_format(t, t->root, t->nodes.p[t->root].n);
    node = doc->leaf_of.p[item];
    at = place_in_leaf(&t->nodes.p[node], item);
    for (;;) {
        uint32_t found = last_format(t, node, at);

        p = &t->nodes.p[node];
        if (found != 0 || p->parent == 0)
            return found;
        at = p->at;
        node = p->parent;
    }
}
