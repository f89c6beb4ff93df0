/* events - see events.h: from a transaction's log to events, and who is called
 * in which order.
 *
 * The log (tx->changed) has an entry for every change, as Yjs adds to its map
 * transaction.changed: a type is listed where it first changed, with the keys in
 * the order in which they first did, and a deletion takes it off the list.
 * A hash table finds events by type and keys by event, so that a log of n
 * entries costs O(n) whatever a peer sends.
 *
 * Whether an item is new to the event is decided by its client's clock before the
 * transaction, whether it was deleted by the transaction's sorted spans: both
 * are binary searches.
 */
#include "ydoc/events.h"

#include <string.h>

#include "ydoc/edit.h"
#include "ydoc/heap_sort.h"
#include "ydoc/watch.h"

/* ---- the table ---- */

static void clear_table(struct ydoc *doc, struct events *v, uint64_t entries)
{
    uint64_t size = 8;

    while (size < 4 * entries)
        size *= 2;
    v->table.n = 0;
    VEC_RESERVE(doc, v->table, size);
    v->table.n = (uint32_t)size;
    memset(v->table.p, 0, (size_t)size * sizeof(*v->table.p));
}

static struct event_slot *find_slot(struct events *v, uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t mask = v->table.n - 1, i = (uint32_t)(h >> 32) & mask;
    struct event_slot *s;

    for (;; i = (i + 1) & mask) {
        s = &v->table.p[i];
        if (s->value == 0 || (s->a == a && s->b == b))
            break;
    }
    s->a = a;
    s->b = b;
    return s;
}

/* ---- from the log to events ---- */

static void add_key(struct ydoc *doc, struct events *v, struct ydoc_event *e, uint32_t key)
{
    struct event_key k = {key, 0};

    if (v->keys.n == 0)
        VEC_PUSH(doc, v->keys, k);
    VEC_PUSH(doc, v->keys, k);
    if (e->last_key != 0)
        v->keys.p[e->last_key].next = v->keys.n - 1;
    else
        e->keys = v->keys.n - 1;
    e->last_key = v->keys.n - 1;
}

static void add_change(struct ydoc *doc, const struct tx *tx, const struct change *c)
{
    struct events *v = &doc->watch->events;
    struct event_slot *s = find_slot(v, c->type, CHANGE_GONE);
    bool known = s->value != 0 && !v->all.p[s->value - 1].gone;

    if (c->key == CHANGE_GONE) {
        if (known)
            v->all.p[s->value - 1].gone = true;
        return;
    }
    if (!known) {
        struct ydoc_event e = {.doc = doc, .tx = tx, .type = c->type, .current = c->type};

        VEC_PUSH(doc, v->all, e);
        s->value = v->all.n;
    }
    if (c->key == 0) {
        v->all.p[s->value - 1].list = true;
    } else {
        uint32_t event = s->value - 1;

        s = find_slot(v, event, c->key);
        if (s->value == 0)
            add_key(doc, v, &v->all.p[event], c->key);
        s->value = 1;
    }
}

static bool client_before(const struct doc_part *a, const struct doc_part *b, int unused)
{
    (void)unused;
    return a->client < b->client;
}
HEAP_SORT(sort_touched, struct doc_part, int, client_before)

/* Events of the same depth stay in the order in which their types changed, which is theirs in
 * memory. */
static bool event_before(struct ydoc_event *const *a, struct ydoc_event *const *b, int unused)
{
    (void)unused;
    return (*a)->depth != (*b)->depth ? (*a)->depth < (*b)->depth : *a < *b;
}
HEAP_SORT(sort_by_depth, struct ydoc_event *, int, event_before)

static void collect(struct ydoc *doc, const struct tx *tx)
{
    struct events *v = &doc->watch->events;

    clear_table(doc, v, tx->changed.n);
    for (uint32_t i = 0; i < tx->changed.n; i++)
        add_change(doc, tx, &tx->changed.p[i]);
    if (tx->touched.n == 0)
        return;
    VEC_RESERVE(doc, v->before, tx->touched.n);
    v->before.n = tx->touched.n;
    memcpy(v->before.p, tx->touched.p, tx->touched.n * sizeof(*v->before.p));
    sort_touched(v->before.p, v->before.n, 0);
}

/* ---- calling ---- */

static bool is_deleted_type(const struct ydoc *doc, uint32_t type)
{
    uint32_t item = doc->types.p[type].item;

    return item != 0 && item_deleted(&doc->items.p[item]);
}

static void call_type(struct ydoc *doc, struct ydoc_event *e)
{
    const struct type_observer *o;
    int number = 0;

    while ((o = watch_next_type(doc, e->type, false, number)) != NULL) {
        number = o->number;
        o->fn(doc, e, o->ctx);
        watch_check(doc);
    }
}

static struct event_group *find_group(struct ydoc *doc, struct events *v, uint32_t type)
{
    struct event_group g = {type, 0, 0};

    for (uint32_t i = 0; i < v->groups.n; i++) {
        if (v->groups.p[i].type == type)
            return &v->groups.p[i];
    }
    VEC_PUSH(doc, v->groups, g);
    return &v->groups.p[v->groups.n - 1];
}

static void add_to_group(struct ydoc *doc, struct events *v, struct event_group *g,
                         const struct event_link *link)
{
    if (v->links.n == 0)
        VEC_PUSH(doc, v->links, *link);
    VEC_PUSH(doc, v->links, *link);
    if (g->last != 0)
        v->links.p[g->last].next = v->links.n - 1;
    else
        g->first = v->links.n - 1;
    g->last = v->links.n - 1;
}

static uint32_t parent_of(const struct ydoc *doc, uint32_t type)
{
    uint32_t item = doc->types.p[type].item;

    return item == 0 ? 0 : doc->slots.p[doc->items.p[item].slot].type;
}

/* The nearest type with deep observers, from `type` on upwards. Every type on the way is told,
 * so that the next walk ends there: a peer chooses how deep types are nested, and how many of
 * them change. */
static struct nearest find_nearest(struct ydoc *doc, struct events *v, uint32_t type)
{
    struct nearest found = {v->walk, 0, 0};
    uint32_t steps = 0, t = type;

    for (; t != 0; t = parent_of(doc, t), steps++) {
        if (v->nearest.p[t].walk == v->walk) {
            found = v->nearest.p[t];
            break;
        }
        if (watch_next_type(doc, t, true, 0) != NULL && !is_deleted_type(doc, t)) {
            found.type = t;
            break;
        }
    }
    found.depth += steps;
    for (uint32_t told = type, k = 0; told != t; told = parent_of(doc, told), k++) {
        v->nearest.p[told] = found;
        v->nearest.p[told].depth -= k;
    }
    return found;
}

/* An event is one of each type from its target up to the root. */
static void add_to_parents(struct ydoc *doc, struct events *v, uint32_t event)
{
    struct event_link link = {event, 0, 0};
    uint32_t type = v->all.p[event].type;

    while (type != 0) {
        struct nearest n = find_nearest(doc, v, type);

        if (n.type == 0)
            return;
        link.depth += n.depth;
        add_to_group(doc, v, find_group(doc, v, n.type), &link);
        type = parent_of(doc, n.type);
        link.depth++;
    }
}

static void start_walk(struct ydoc *doc, struct events *v)
{
    uint32_t more = doc->types.n - v->nearest.n;

    if (doc->types.n > v->nearest.n) {
        VEC_RESERVE(doc, v->nearest, more);
        memset(v->nearest.p + v->nearest.n, 0, more * sizeof(*v->nearest.p));
        v->nearest.n = doc->types.n;
    }
    if (++v->walk == 0) {
        memset(v->nearest.p, 0, v->nearest.n * sizeof(*v->nearest.p));
        v->walk = 1;
    }
}

static void call_group(struct ydoc *doc, struct events *v, const struct event_group *g)
{
    const struct type_observer *o;
    int number = 0;

    v->list.n = 0;
    for (uint32_t i = g->first; i != 0; i = v->links.p[i].next) {
        struct ydoc_event *e = &v->all.p[v->links.p[i].event];

        if (is_deleted_type(doc, e->type))
            continue;
        e->current = g->type;
        e->depth = v->links.p[i].depth;
        VEC_PUSH(doc, v->list, e);
    }
    sort_by_depth(v->list.p, v->list.n, 0);
    while ((o = watch_next_type(doc, g->type, true, number)) != NULL) {
        number = o->number;
        o->deep(doc, v->list.p, v->list.n, o->ctx);
        watch_check(doc);
    }
}

static bool has_deep(const struct watch *w)
{
    for (uint32_t i = 0; i < w->types.n; i++) {
        if (w->types.p[i].deep != NULL)
            return true;
    }
    return false;
}

void events_call(struct ydoc *doc, const struct tx *tx)
{
    struct watch *w = doc->watch;
    struct events *v = &w->events;

    if (w->types.n == 0 || tx->changed.n == 0)
        return;
    collect(doc, tx);
    for (uint32_t i = 0; i < v->all.n; i++) {
        struct ydoc_event *e = &v->all.p[i];

        if (e->gone || is_deleted_type(doc, e->type) ||
            doc->types.p[e->type].ref == YDOC_KIND_UNKNOWN)
            continue;
        e->called = true;
        call_type(doc, e);
    }
    if (!has_deep(w))
        return;
    start_walk(doc, v);
    for (uint32_t i = 0; i < v->all.n; i++) {
        if (v->all.p[i].called)
            add_to_parents(doc, v, i);
    }
    for (uint32_t i = 0; i < v->groups.n; i++)
        call_group(doc, v, &v->groups.p[i]);
}

/* Arrays that one large transaction made long are not kept. */
#define EVENTS_KEPT 256

void events_end(struct ydoc *doc)
{
    struct events *v = &doc->watch->events;

    for (uint32_t i = 0; i < v->all.n; i++)
        event_free_delta(doc, &v->all.p[i]);
    v->all.n = v->keys.n = v->before.n = v->groups.n = v->links.n = v->list.n = 0;
    if (v->table.cap > EVENTS_KEPT || v->before.cap > EVENTS_KEPT)
        events_free(doc, v);
}

void events_free(struct ydoc *doc, struct events *v)
{
    for (uint32_t i = 0; i < v->all.n; i++)
        event_free_delta(doc, &v->all.p[i]);
    VEC_FREE(doc, v->all);
    VEC_FREE(doc, v->keys);
    VEC_FREE(doc, v->table);
    VEC_FREE(doc, v->before);
    VEC_FREE(doc, v->groups);
    VEC_FREE(doc, v->links);
    VEC_FREE(doc, v->list);
    VEC_FREE(doc, v->nearest);
    v->walk = 0;
}

/* ---- what is new, what is gone ---- */

static uint32_t clock_before(const struct ydoc_event *e, uint32_t client)
{
    const struct events *v = &e->doc->watch->events;
    uint32_t from = 0, to = v->before.n;
    const struct tx *later;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;

        if (v->before.p[mid].client < client)
            from = mid + 1;
        else
            to = mid;
    }
    if (from < v->before.n && v->before.p[from].client == client)
        return v->before.p[from].from;
    /* Not touched by the event's transaction: what those after it know. */
    later = e->doc->queue.n > 1 ? e->doc->queue.p[1] : NULL;
    return store_clock_before(e->doc, later, client);
}

bool event_adds(const struct ydoc_event *e, const struct item *it)
{
    return it->clock >= clock_before(e, item_client(it));
}

bool events_is_deleted(const struct tx *tx, uint32_t client, uint32_t clock)
{
    uint32_t from = 0, to = tx->deleted.n;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        const struct span *s = &tx->deleted.p[mid];

        if (s->client < client || (s->client == client && s->clock <= clock))
            from = mid + 1;
        else
            to = mid;
    }
    return from > 0 && tx->deleted.p[from - 1].client == client &&
           clock - tx->deleted.p[from - 1].clock < tx->deleted.p[from - 1].len;
}

bool event_deletes(const struct ydoc_event *e, const struct item *it)
{
    return events_is_deleted(e->tx, item_client(it), it->clock);
}

/* ---- asking an event ---- */

ydoc_type ydoc_event_target(const struct ydoc_event *event)
{
    return edit_handle(event->doc, event->type);
}

ydoc_type ydoc_event_current_target(const struct ydoc_event *event)
{
    return edit_handle(event->doc, event->current);
}

const void *ydoc_event_origin(const struct ydoc_event *event)
{
    return event->tx->origin;
}

bool ydoc_event_is_local(const struct ydoc_event *event)
{
    return event->tx->local;
}

bool ydoc_event_list_changed(const struct ydoc_event *event)
{
    return event->list;
}

/* Moves *iter to the next of the event's keys and returns it; 0: no more. */
static uint32_t next_key(const struct ydoc_event *e, uint32_t *iter)
{
    const struct events *v = &e->doc->watch->events;
    uint32_t k = *iter == 0 ? e->keys : v->keys.p[*iter].next;

    if (k == 0)
        return 0;
    *iter = k;
    return v->keys.p[k].key;
}

bool ydoc_event_next_key(const struct ydoc_event *event, uint32_t *iter, struct ydoc_slice *key)
{
    uint32_t k = next_key(event, iter);

    if (k != 0)
        *key = store_key(event->doc, k);
    return k != 0;
}

/* ---- keys ---- */

/* The item whose value is the old one; 0: there was none. */
static uint32_t old_value(const struct ydoc_event *e, uint32_t head)
{
    const struct item *items = e->doc->items.p;
    uint32_t h = head;

    while (h != 0 && event_adds(e, &items[h]))
        h = items[h].left;
    return h != 0 && event_deletes(e, &items[h]) ? h : 0;
}

/* False: nothing is different. */
static bool describe_key(const struct ydoc_event *e, uint32_t key, struct ydoc_key_change *out)
{
    const struct ydoc *doc = e->doc;
    uint32_t slot = store_find_map_slot(doc, e->type, key);
    uint32_t head = slot == 0 ? 0 : doc->slots.p[slot].head, old;
    bool is_new, is_gone;

    if (head == 0)
        return false;
    is_new = event_adds(e, &doc->items.p[head]);
    is_gone = event_deletes(e, &doc->items.p[head]);
    old = old_value(e, head);
    if (is_new == is_gone && old == 0)
        return false;
    out->key = store_key(doc, key);
    out->action = is_gone ? YDOC_KEY_DELETE : old != 0 ? YDOC_KEY_UPDATE : YDOC_KEY_ADD;
    memset(&out->old, 0, sizeof(out->old));
    if (old != 0)
        event_read_value(doc, &doc->items.p[old], doc->items.p[old].len - 1, &out->old);
    return true;
}

bool ydoc_event_next_key_change(const struct ydoc_event *event, uint32_t *iter,
                                struct ydoc_key_change *out)
{
    uint32_t key;

    while ((key = next_key(event, iter)) != 0) {
        if (describe_key(event, key, out))
            return true;
    }
    return false;
}

int ydoc__event_keys(const struct ydoc_event *event, enum text_style style, struct ydoc_buf *out)
{
    static const char *const actions[] = {"add", "update", "delete"};
    struct ydoc_key_change change;
    size_t len_before = out->len;
    uint32_t iter = 0;
    bool first = true;

    if (event->doc->broken)
        return YDOC_EBROKEN;
    ydoc__write(out, "{");
    while (ydoc_event_next_key_change(event, &iter, &change)) {
        ydoc__write(out, first ? "" : ",");
        first = false;
        text_write_string(out, change.key);
        ydoc__write(out, ":{\"action\":\"");
        ydoc__write(out, actions[change.action]);
        ydoc__write(out, "\"");
        if (change.action != YDOC_KEY_ADD) {
            ydoc__write(out, ",\"oldValue\":");
            event_write_value(event->doc, &change.old, style, out);
        } else if (style == TEXT_TAGGED) {
            ydoc__write(out, ",\"oldValue\":{\"$u\":1}");
        }
        ydoc__write(out, "}");
    }
    ydoc__write(out, "}");
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_event_keys_json(const struct ydoc_event *event, struct ydoc_buf *out)
{
    return ydoc__event_keys(event, TEXT_PLAIN, out);
}

/* ---- the path ---- */

static int write_step(struct ydoc *doc, uint32_t item, struct ydoc_buf *out)
{
    const struct slot *slot = &doc->slots.p[doc->items.p[item].slot];
    uint32_t index;
    int rc;

    if (slot->key != 0) {
        text_write_string(out, store_key(doc, slot->key));
        return 0;
    }
    rc = edit_index_of(doc, item, &index);
    text_write_number(out, index);
    return rc;
}

int ydoc_event_path_json(struct ydoc_event *event, struct ydoc_buf *out)
{
    struct ydoc *doc = event->doc;
    size_t len_before = out->len;
    struct ydoc_buf items;
    int rc = 0;

    if (doc->broken)
        return YDOC_EBROKEN;
    ydoc_buf_init(&items, &doc->alloc);
    for (uint32_t type = event->type; type != event->current && doc->types.p[type].item != 0;
         type = doc->slots.p[doc->items.p[doc->types.p[type].item].slot].type)
        ydoc_buf_append(&items, &doc->types.p[type].item, sizeof(uint32_t));
    lib0_write_u8(out, '[');
    for (size_t n = items.failed ? 0 : items.len / sizeof(uint32_t); n > 0 && rc == 0; n--) {
        rc = write_step(doc, ((const uint32_t *)(const void *)items.p)[n - 1], out);
        if (n > 1)
            lib0_write_u8(out, ',');
    }
    lib0_write_u8(out, ']');
    if (items.failed || rc != 0)
        out->failed = true;
    ydoc_buf_fini(&items);
    return ydoc__buf_finish(out, len_before, NULL);
}
