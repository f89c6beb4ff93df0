/* undo_set - sets of ids in the form in which undo managers hold them; see undo.h. */
#include <string.h>

#include "ydoc/undo.h"

struct ids undo_ids(const struct id_set *set)
{
    struct ids ids = {set->spans.p, set->spans.n, set->order.p, set->order.n};

    return ids;
}

void undo_set_free(struct ydoc *doc, struct id_set *set)
{
    VEC_FREE(doc, set->spans);
    VEC_FREE(doc, set->order);
}

/* The first range of a client that ends after `clock`, or one behind it. */
static uint32_t find(struct ids set, uint32_t client, uint32_t clock)
{
    uint32_t low = 0, high = set.n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct span *s = &set.spans[mid];

        if (s->client < client || (s->client == client && s->clock + s->len <= clock))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool has_client(struct ids set, uint32_t client)
{
    uint32_t i = find(set, client, 0);

    return i < set.n && set.spans[i].client == client;
}

bool undo_set_has(const struct id_set *set, uint32_t client, uint32_t clock)
{
    uint32_t i = find(undo_ids(set), client, clock);

    return i < set->spans.n && set->spans.p[i].client == client && set->spans.p[i].clock <= clock;
}

/* The ranges of one client after the other, in the set's order. */
struct group {
    uint32_t from, to; /* ranges */
    uint32_t passed;   /* groups */
};

static bool next_group(struct ids set, struct group *g)
{
    uint32_t client;

    if (set.order_n == 0) {
        g->from = g->to;
    } else if (g->passed < set.order_n) {
        g->from = find(set, set.order[g->passed], 0);
    } else {
        return false;
    }
    if (g->from >= set.n)
        return false;
    client = set.spans[g->from].client;
    g->to = g->from;
    while (g->to < set.n && set.spans[g->to].client == client)
        g->to++;
    g->passed++;
    return true;
}

void undo_set_copy(struct ydoc *doc, struct id_set *to, struct ids from)
{
    to->spans.n = to->order.n = 0;
    if (from.n > 0) {
        VEC_RESERVE(doc, to->spans, from.n);
        memcpy(to->spans.p, from.spans, from.n * sizeof(*from.spans));
        to->spans.n = from.n;
    }
    if (from.order_n > 1) {
        VEC_RESERVE(doc, to->order, from.order_n);
        memcpy(to->order.p, from.order, from.order_n * sizeof(*from.order));
        to->order.n = from.order_n;
    }
}

static void list_clients(struct ydoc *doc, struct id_set *to, struct ids of, struct ids without)
{
    struct group g = {0};

    while (next_group(of, &g)) {
        if (!has_client(without, of.spans[g.from].client))
            VEC_PUSH(doc, to->order, of.spans[g.from].client);
    }
}

/* New clients come last. Where that is the order of the ranges it needs no list. */
static void join_order(struct ydoc *doc, struct id_set *set, struct ids more)
{
    struct ids none = {0}, ids = undo_ids(set);
    bool is_one = more.spans[0].client == more.spans[more.n - 1].client;

    if (ids.order_n == 0 && is_one &&
        (ids.n == 0 || ids.spans[ids.n - 1].client <= more.spans[0].client))
        return;
    if (ids.order_n == 0)
        list_clients(doc, set, ids, none);
    list_clients(doc, set, more, ids);
}

/* The range joins those that it touches, or gets a place between them. */
static void insert_range(struct ydoc *doc, struct id_set *set, struct span range)
{
    uint32_t i = find(undo_ids(set), range.client, range.clock), end = i;
    uint32_t stop = range.clock + range.len;
    struct span *p = set->spans.p;

    if (i > 0 && p[i - 1].client == range.client && p[i - 1].clock + p[i - 1].len == range.clock)
        i--;
    for (; end < set->spans.n && p[end].client == range.client && p[end].clock <= stop; end++) {
        if (p[end].clock + p[end].len > stop)
            stop = p[end].clock + p[end].len;
    }
    if (i < end && p[i].clock < range.clock)
        range.clock = p[i].clock;
    range.len = stop - range.clock;
    if (i == end) {
        VEC_PUSH(doc, set->spans, range);
        p = set->spans.p;
        memmove(p + i + 1, p + i, (set->spans.n - 1 - i) * sizeof(*p));
    } else {
        memmove(p + i + 1, p + end, (set->spans.n - end) * sizeof(*p));
        set->spans.n -= end - i - 1;
    }
    p[i] = range;
}

/* Many ranges are sorted in, few are put where they belong. */
#define FEW 16u

void undo_set_merge(struct ydoc *doc, struct id_set *set, struct ids more)
{
    uint32_t n = set->spans.n;

    if (more.n == 0)
        return;
    join_order(doc, set, more);
    if (more.n <= FEW) {
        for (uint32_t i = 0; i < more.n; i++)
            insert_range(doc, set, more.spans[i]);
        return;
    }
    VEC_RESERVE(doc, set->spans, more.n);
    memcpy(set->spans.p + n, more.spans, more.n * sizeof(struct span));
    set->spans.n = store_merge_spans(doc, set->spans.p, n + more.n);
}

static void each_of_range(struct ydoc_undo *undo, const struct span *range,
                          void (*visit)(struct ydoc_undo *undo, uint32_t h))
{
    struct ydoc *doc = undo->doc;
    uint32_t end = range->clock + range->len;
    uint32_t h = store_item_from(doc, range->client, range->clock), next;

    for (;;) {
        if (end < item_end(&doc->items.p[h]))
            store_item_from(doc, range->client, end);
        next = item_end(&doc->items.p[h]);
        visit(undo, h);
        if (next >= end || next >= doc->clients.p[range->client].state)
            return;
        h = store_find_item(doc, range->client, next);
    }
}

void undo_each_item(struct ydoc_undo *undo, struct ids set,
                    void (*visit)(struct ydoc_undo *undo, uint32_t h))
{
    struct ydoc *doc = undo->doc;
    struct group g = {0};

    while (next_group(set, &g)) {
        uint32_t state = doc->clients.p[set.spans[g.from].client].state;

        for (uint32_t i = g.from; i < g.to && set.spans[i].clock < state; i++)
            each_of_range(undo, &set.spans[i], visit);
    }
}
