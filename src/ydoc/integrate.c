/* integrate - how a struct finds its place: YATA, as Yjs 13.6 does it.
 *
 * The items that were inserted concurrently at the same place are walked once.
 * Yjs keeps two sets of items during the walk, those it has passed and those
 * that may still go behind the new item; here each passed item gets a rising
 * number instead (doc->marks): passed = numbered since the walk began, may go
 * behind = numbered since the last time the place moved.
 *
 * The walk's length is the peers' choice: n items with one origin and falling
 * client ids cost n^2/2 steps. store_spend() counts them, and a transaction
 * that exceeds limits.work_max is refused.
 */
#include "ydoc/place.h"

#include <assert.h>
#include <string.h>

#include "ydoc/any.h"
#include "ydoc/json.h"

/* A new item before it has its number. */
struct newcomer {
    uint32_t left, right;
    uint32_t slot;   /* 0: becomes a GC */
    uint32_t offset; /* units that the document has already */
    struct item item;
};

void store_touch(struct ydoc *doc, uint32_t client)
{
    struct client *c = &doc->clients.p[client];
    struct doc_part part = {client, c->state};

    if (c->tx_mark != doc->tx) {
        VEC_PUSH(doc, doc->cur.touched, part);
        c->tx_mark = doc->tx;
        c->tx_before = c->state;
    }
    if (c->acc_mark != doc->acc) {
        VEC_PUSH(doc, doc->acc_touched, part);
        c->acc_mark = doc->acc;
    }
}

/* The item that ends with this id, split off if need be. A GC is given whole. */
static uint32_t clean_end(struct ydoc *doc, uint32_t client, uint32_t clock)
{
    struct client *c = &doc->clients.p[client];
    struct place at = index_find(doc, c, clock);
    uint32_t h = index_at(c, at);
    const struct item *it = &doc->items.p[h];

    if (clock - it->clock + 1 != it->len && item_kind(it) != WIRE_GC)
        store_split(doc, c, &at, clock - it->clock + 1);
    return h;
}

uint32_t store_item_from(struct ydoc *doc, uint32_t client, uint32_t clock)
{
    struct client *c = &doc->clients.p[client];
    struct place at = index_find(doc, c, clock);
    uint32_t h = index_at(c, at);
    const struct item *it = &doc->items.p[h];

    if (clock != it->clock && item_kind(it) != WIRE_GC)
        return store_split(doc, c, &at, clock - it->clock);
    return h;
}

/* The slot of a parent that the wire names; 0: it was collected, or is no type. */
static uint32_t named_slot(struct ydoc *doc, const struct wire_struct *s)
{
    uint32_t type;

    if (s->root) {
        type = store_root(doc, s->parent_name);
    } else {
        uint32_t client = store_find_client(doc, s->parent_client);
        const struct item *it = &doc->items.p[store_find_item(doc, client, s->parent_clock)];

        if (item_kind(it) != WIRE_TYPE)
            return 0;
        type = it->content;
    }
    if (!(s->info & WIRE_HAS_SUB))
        return doc->types.p[type].list;
    return store_map_slot(doc, type, store_intern(doc, s->sub));
}

/* The document's number of a client that a struct of `client` names. */
static uint32_t named_client(struct ydoc *doc, const struct wire_struct *s, uint32_t client,
                             uint64_t id)
{
    return id == s->client ? client : store_find_client(doc, id);
}

static inline void resolve_origin(struct ydoc *doc, const struct wire_struct *s, uint32_t client,
                                  struct newcomer *n)
{
    uint32_t c;

    n->left = 0;
    n->item.origin_clock = 0;
    if (!(s->info & WIRE_HAS_ORIGIN)) {
        n->item.origin_flags = NO_CLIENT << 8;
        return;
    }
    c = named_client(doc, s, client, s->origin_client);
    n->left = clean_end(doc, c, s->origin_clock);
    n->item.origin_flags = c << 8;
    n->item.origin_clock = s->origin_clock;
}

static void resolve_right(struct ydoc *doc, const struct wire_struct *s, uint32_t client,
                          struct newcomer *n)
{
    const struct item *next;
    uint32_t c;

    n->right = 0;
    n->item.right_clock = 0;
    n->item.right_client = NO_CLIENT;
    if (!(s->info & WIRE_HAS_RIGHT))
        return;
    c = named_client(doc, s, client, s->right_client);
    n->item.right_client = c;
    n->item.right_clock = s->right_clock;
    /* As a rule what was on its right still is. */
    n->right = n->left != 0 ? doc->items.p[n->left].right : 0;
    next = &doc->items.p[n->right];
    if (n->right == 0 || next->clock != s->right_clock || item_client(next) != c)
        n->right = store_item_from(doc, c, s->right_clock);
}

/* Finds the neighbours and the parent that the struct was made with. A GC has
 * no slot, and what names one becomes one. */
static void resolve(struct ydoc *doc, const struct wire_struct *s, uint32_t client,
                    struct newcomer *n)
{
    resolve_origin(doc, s, client, n);
    resolve_right(doc, s, client, n);
    if (n->left == 0 && n->right == 0)
        n->slot = named_slot(doc, s);
    else if (n->left != 0 && n->right != 0 && item_kind(&doc->items.p[n->right]) == WIRE_GC)
        n->slot = 0;
    else
        n->slot = doc->items.p[n->left != 0 ? n->left : n->right].slot;
}

/* The first `offset` units are known: the rest follows on them, wherever they
 * are (a peer that lies about its own past could name another parent now). */
static void resolve_rest(struct ydoc *doc, uint32_t client, struct newcomer *n)
{
    uint32_t last = n->item.clock - 1;

    n->left = clean_end(doc, client, last);
    n->item.origin_flags = client << 8;
    n->item.origin_clock = last;
    if (n->slot != 0)
        n->slot = doc->items.p[n->left].slot; /* 0 if it is a GC */
}

/* Where a list or a map key's chain begins. */
static uint32_t chain_start(struct ydoc *doc, uint32_t slot)
{
    const struct slot *s = &doc->slots.p[slot];
    uint32_t h = s->head;

    if (s->key == 0)
        return h;
    while (h != 0 && doc->items.p[h].left != 0) {
        store_spend(doc, 1);
        h = doc->items.p[h].left;
    }
    return h;
}

uint32_t store_start_marks(struct ydoc *doc)
{
    if (doc->marks.cap < doc->items.n)
        VEC_RESERVE(doc, doc->marks, doc->items.n);
    if (doc->marks.n < doc->items.n) {
        memset(doc->marks.p + doc->marks.n, 0, (doc->items.n - doc->marks.n) * sizeof(uint32_t));
        doc->marks.n = doc->items.n;
    }
    if (doc->mark > UINT32_MAX / 2) {
        memset(doc->marks.p, 0, doc->marks.n * sizeof(uint32_t));
        doc->mark = 0;
    }
    return doc->mark;
}

static inline bool must_walk(const struct ydoc *doc, const struct newcomer *n)
{
    if (n->left != 0)
        return doc->items.p[n->left].right != n->right;
    return n->right == 0 || doc->items.p[n->right].left != 0;
}

/* Moves n->left behind the concurrent items that belong before the new one. */
static void walk_concurrent(struct ydoc *doc, struct newcomer *n, uint64_t client_id)
{
    uint32_t o = n->left != 0 ? doc->items.p[n->left].right : chain_start(doc, n->slot);
    uint32_t passed, behind;

    if (o == 0 || o == n->right)
        return;
    passed = behind = store_start_marks(doc);
    for (; o != 0 && o != n->right; o = doc->items.p[o].right) {
        const struct item *it = &doc->items.p[o];

        store_spend(doc, 1);
        doc->marks.p[o] = ++doc->mark;
        if (item_same_origin(&n->item, it)) {
            if (doc->clients.p[item_client(it)].id < client_id) {
                n->left = o;
                behind = doc->mark;
            } else if (item_same_right(&n->item, it)) {
                return;
            }
        } else {
            uint32_t origin;

            if (item_origin_client(it) == NO_CLIENT)
                return;
            origin = store_find_item(doc, item_origin_client(it), it->origin_clock);
            if (doc->marks.p[origin] <= passed)
                return;
            if (doc->marks.p[origin] <= behind) {
                n->left = o;
                behind = doc->mark;
            }
        }
    }
}

/* Takes room for `bytes` right after the client's last item if that is where
 * they will be joined, so that joining copies nothing. */
static uint32_t take_room(struct ydoc *doc, const struct client *c, uint8_t kind, uint32_t bytes)
{
    struct place at;
    const struct item *last;
    uint32_t end;

    if (c->room_end == 0 || c->state == 0)
        return store_slab_take(doc, bytes);
    last = &doc->items.p[index_last(c, &at)];
    end = last->content + last->bytes;
    if (item_kind(last) != kind || end > c->room_end || c->room_end - end < bytes)
        return store_slab_take(doc, bytes);
    doc->slab_waste -= bytes;
    return end;
}

static void write_stored(struct ydoc_buf *out, struct ydoc_slice value)
{
    if (any_is_stored_any(value))
        ydoc_buf_append(out, value.p, value.len);
    else
        json_write(out, value);
}

/* What JavaScript reads and writes again: values in the form it gives them. */
static void write_value_body(struct ydoc_buf *out, struct ydoc_buf *one,
                             const struct wire_struct *s, struct ydoc_slice body)
{
    struct lib0_reader r;
    struct ydoc_slice key;

    lib0_reader_init(&r, body.p, body.len);
    if (s->ref == WIRE_ANY) {
        any_write(out, body);
        return;
    }
    if (s->ref == WIRE_EMBED) {
        write_stored(out, body);
        return;
    }
    if (s->ref == WIRE_DOC) {
        key = lib0_read_varbytes(&r);
        body.p = r.p;
        body.len = lib0_left(&r);
        any_keep_doc_options(one, body, &key);
        lib0_write_varbytes(out, key.p, key.len);
        ydoc_buf_append(out, one->p, one->len);
        return;
    }
    if (s->ref == WIRE_FORMAT) {
        key = lib0_read_varbytes(&r);
        lib0_write_varbytes(out, key.p, key.len);
    }
    while (lib0_left(&r) > 0) {
        struct ydoc_slice json = lib0_read_varbytes(&r);

        ydoc_buf_reset(one);
        if (s->ref == WIRE_JSON && ydoc__is(json, "undefined"))
            ydoc_buf_append(one, json.p, json.len);
        else
            write_stored(one, json);
        lib0_write_varbytes(out, one->p, one->len);
        if (one->failed)
            out->failed = true;
    }
}

static void set_value_content(struct ydoc *doc, struct item *it, const struct wire_struct *s,
                              uint32_t offset)
{
    struct ydoc_buf out, one;
    bool replaced, ok;

    if (it->len > doc->longest)
        doc->longest = it->len;
    ydoc_buf_init(&out, &doc->alloc);
    ydoc_buf_init(&one, &doc->alloc);
    write_value_body(&out, &one, s, wire_body_from(s, offset, &replaced));
    ok = !one.failed && !out.failed && out.len <= UINT32_MAX &&
         store_slab_try(doc, (uint32_t)out.len);
    if (ok) {
        it->bytes = (uint32_t)out.len;
        it->content = store_slab_take(doc, it->bytes);
        if (out.len > 0)
            memcpy(doc->slab.p + it->content, out.p, out.len);
    }
    ydoc_buf_fini(&one);
    ydoc_buf_fini(&out);
    if (!ok)
        store_fail(doc, YDOC_ENOMEM);
}

static void set_content(struct ydoc *doc, struct item *it, const struct wire_struct *s,
                        uint32_t client, uint32_t offset)
{
    struct ydoc_slice body;
    bool replaced;
    uint8_t *to;

    if (offset > 0)
        store_spend(doc, offset);
    if (s->ref == WIRE_EMBED || s->ref == WIRE_FORMAT || s->ref == WIRE_JSON ||
        s->ref == WIRE_DOC || (s->ref == WIRE_ANY && !any_is_canonical(s->body))) {
        set_value_content(doc, it, s, offset);
        return;
    }
    body = wire_body_from(s, offset, &replaced);
    it->bytes = (uint32_t)body.len + (replaced ? 3 : 0);
    if (it->bytes != it->len && it->len > doc->longest)
        doc->longest = it->len;
    it->content = take_room(doc, &doc->clients.p[client], s->ref, it->bytes);
    if (it->bytes == 0)
        return;
    to = doc->slab.p + it->content;
    if (replaced) {
        memcpy(to, "\xef\xbf\xbd", 3);
        to += 3;
    }
    if (body.len > 0)
        memcpy(to, body.p, body.len);
}

/* Y's rule for map entries: the rightmost is the value, all others are deleted. */
static void link_item(struct ydoc *doc, uint32_t h, struct newcomer *n)
{
    struct item *items = doc->items.p;
    struct slot *slot = &doc->slots.p[n->slot];
    uint32_t right;

    if (n->left != 0) {
        right = items[n->left].right;
        items[n->left].right = h;
    } else {
        right = chain_start(doc, n->slot);
        if (slot->key == 0)
            slot->head = h;
    }
    items[h].left = n->left;
    items[h].right = right;
    if (right != 0) {
        items[right].left = h;
    } else if (slot->key != 0) {
        slot->head = h;
        if (n->left != 0)
            store_delete_item(doc, n->left);
    }
}

static void append_item(struct ydoc *doc, uint32_t client, uint32_t h)
{
    struct client *c = &doc->clients.p[client];

    assert(doc->items.p[h].clock == c->state);
    if (c->tx_mark != doc->tx || c->acc_mark != doc->acc)
        store_touch(doc, client);
    index_append(doc, c, h);
    c->state = item_end(&doc->items.p[h]);
}

static void append_gc(struct ydoc *doc, uint32_t client, uint32_t clock, uint32_t len)
{
    uint32_t h = store_new_item(doc);
    struct item *it = &doc->items.p[h];

    memset(it, 0, sizeof(*it));
    it->clock = clock;
    it->len = len;
    it->client_kind = client << 8 | WIRE_GC;
    it->origin_flags = NO_CLIENT << 8 | ITEM_DELETED;
    it->right_client = NO_CLIENT;
    append_item(doc, client, h);
}

bool store_existed(const struct ydoc *doc, const struct item *it)
{
    const struct client *c = &doc->clients.p[item_client(it)];

    return it->clock < (c->tx_mark == doc->tx ? c->tx_before : c->state);
}

/* Yjs's addChangedTypeToTransaction: a type that is new or gone is not said to
 * have changed. */
static void note_change(struct ydoc *doc, uint32_t slot)
{
    struct change change = {doc->slots.p[slot].type, doc->slots.p[slot].key};
    const struct type *t = &doc->types.p[change.type];
    bool text = (t->ref == YDOC_KIND_TEXT || t->ref == YDOC_KIND_XML_TEXT) && t->formatted &&
                !doc->cur.local && !doc->no_format_cleanup;
    struct tx *tx = &doc->cur;

    if (!text && !doc->notes_changes)
        return;
    if (t->item != 0 &&
        (item_deleted(&doc->items.p[t->item]) || !store_existed(doc, &doc->items.p[t->item])))
        return;
    if (text && (tx->formatted.n == 0 || tx->formatted.p[tx->formatted.n - 1] != change.type))
        VEC_PUSH(doc, tx->formatted, change.type);
    if (doc->notes_changes && (tx->changed.n == 0 || memcmp(&tx->changed.p[tx->changed.n - 1],
                                                            &change, sizeof(change)) != 0))
        VEC_PUSH(doc, tx->changed, change);
}

/* Loaded at once if its options say so (autoLoad), or if it was made here (store_insert). */
static void note_subdoc(struct ydoc *doc, uint32_t h, bool removed)
{
    const struct item *it = &doc->items.p[h];
    struct subdoc_note note = {item_client(it), it->clock, 0, removed, false};
    struct ydoc_slice guid;
    struct lib0_reader r;
    uint64_t n;

    lib0_reader_init(&r, doc->slab.p + it->content, it->bytes);
    guid = lib0_read_varbytes(&r);
    lib0_read_u8(&r);
    for (n = lib0_read_varuint(&r); n > 0; n--) {
        note.loaded = note.loaded || (ydoc__is(lib0_read_varbytes(&r), "autoLoad") && !removed);
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
    }
    note.guid = store_intern(doc, guid);
    VEC_PUSH(doc, doc->cur.subdocs, note);
}

static void after_link(struct ydoc *doc, uint32_t client, uint32_t h, const struct wire_struct *s)
{
    struct item *it = &doc->items.p[h];
    uint32_t slot = it->slot, type = doc->slots.p[slot].type, parent_item;
    struct span gone = {client, it->clock, it->len};

    if (doc->slots.p[slot].key == 0 && item_countable(it))
        doc->types.p[type].length += it->len;
    append_item(doc, client, h);
    if (s->ref == WIRE_DELETED) {
        VEC_PUSH(doc, doc->cur.deleted, gone);
    } else if (s->ref == WIRE_TYPE) {
        uint32_t name = s->type_ref == YDOC_KIND_XML_ELEMENT || s->type_ref == YDOC_KIND_XML_HOOK
                            ? store_intern(doc, s->body)
                            : 0;
        uint32_t new_type = store_new_type(doc, h, s->type_ref, name);

        doc->items.p[h].content = new_type;
    } else if (s->ref == WIRE_DOC && doc->notes_subdocs) {
        note_subdoc(doc, h, false);
    } else if (s->ref == WIRE_FORMAT) {
        doc->types.p[type].formatted = true;
        doc->types.p[type].has_formats = true;
    }
    place_on_insert(doc, h);
    note_change(doc, slot);
    parent_item = doc->types.p[type].item;
    if ((parent_item != 0 && item_deleted(&doc->items.p[parent_item])) ||
        (doc->slots.p[slot].key != 0 && doc->items.p[h].right != 0))
        store_delete_item(doc, h);
}

static uint32_t place_new_item(struct ydoc *doc, uint32_t client, struct newcomer *n,
                               const struct wire_struct *s)
{
    uint32_t h;

    n->item.slot = n->slot;
    h = store_new_item(doc);
    doc->items.p[h] = n->item;
    link_item(doc, h, n);
    after_link(doc, client, h, s);
    return h;
}

void store_integrate(struct ydoc *doc, const struct wire_struct *s, uint32_t client)
{
    uint32_t state = doc->clients.p[client].state;
    struct newcomer n;

    assert(state >= s->clock);
    n.offset = state - s->clock;
    if (s->ref == WIRE_GC) {
        if (n.offset < s->len)
            append_gc(doc, client, state, s->len - n.offset);
        return;
    }
    /* Also for a struct that is known already: Yjs splits, and merges again. */
    resolve(doc, s, client, &n);
    if (n.offset >= s->len)
        return;
    n.item.clock = state;
    n.item.len = s->len - n.offset;
    n.item.client_kind = client << 8 | s->ref;
    if (n.offset > 0)
        resolve_rest(doc, client, &n);
    if (n.slot == 0) {
        append_gc(doc, client, state, n.item.len);
        return;
    }
    if (must_walk(doc, &n))
        walk_concurrent(doc, &n, s->client);
    n.item.content = n.item.bytes = 0;
    if (s->ref == WIRE_DELETED)
        n.item.origin_flags |= ITEM_DELETED;
    else if (s->ref != WIRE_TYPE)
        set_content(doc, &n.item, s, client, n.offset);
    place_new_item(doc, client, &n, s);
}

static struct newcomer own_newcomer(struct ydoc *doc, uint32_t client,
                                    const struct neighbours *between, const struct wire_struct *s)
{
    uint32_t state = doc->clients.p[client].state;
    struct newcomer n = {between->left, between->right, between->slot, 0, {0}};

    if (s->len > UINT32_MAX - state)
        store_fail(doc, YDOC_ELIMIT);
    n.item.clock = state;
    n.item.len = s->len;
    n.item.client_kind = client << 8 | s->ref;
    n.item.origin_flags = NO_CLIENT << 8;
    n.item.right_client = NO_CLIENT;
    if (n.left != 0) {
        n.item.origin_flags = item_client(&doc->items.p[n.left]) << 8;
        n.item.origin_clock = item_end(&doc->items.p[n.left]) - 1;
    }
    if (n.right != 0) {
        n.item.right_client = item_client(&doc->items.p[n.right]);
        n.item.right_clock = doc->items.p[n.right].clock;
    }
    return n;
}

/* Between neighbours there is nothing concurrent, so no walk. */
uint32_t store_insert(struct ydoc *doc, const struct neighbours *between,
                      const struct wire_struct *s)
{
    uint32_t client = store_add_client(doc, doc->client_id);
    struct newcomer n = own_newcomer(doc, client, between, s);
    uint32_t h;

    if (s->ref != WIRE_TYPE)
        set_content(doc, &n.item, s, client, 0);
    h = place_new_item(doc, client, &n, s);
    if (s->ref == WIRE_DOC && doc->notes_subdocs) /* who makes a subdocument has it open */
        doc->cur.subdocs.p[doc->cur.subdocs.n - 1].loaded = true;
    return h;
}

uint32_t store_insert_kept(struct ydoc *doc, const struct neighbours *between,
                           const struct wire_struct *s, uint32_t content)
{
    uint32_t client = store_add_client(doc, doc->client_id);
    struct newcomer n = own_newcomer(doc, client, between, s);

    n.item.content = content;
    n.item.bytes = (uint32_t)s->body.len;
    return place_new_item(doc, client, &n, s);
}

/* The bytes of `from`, once more; but formats share them, as the values that they hold are one
 * object in Yjs (format.c). */
static void copy_content(struct ydoc *doc, struct item *it, uint32_t from)
{
    uint32_t bytes = doc->items.p[from].bytes;

    if (item_kind(it) == WIRE_TYPE || bytes == 0)
        return;
    it->bytes = bytes;
    it->content = doc->items.p[from].content;
    if (item_kind(it) == WIRE_FORMAT)
        return;
    it->content = store_slab_take(doc, bytes);
    memcpy(doc->slab.p + it->content, doc->slab.p + doc->items.p[from].content, bytes);
}

uint32_t store_insert_copy(struct ydoc *doc, const struct neighbours *between, uint32_t from)
{
    uint32_t client = store_add_client(doc, doc->client_id);
    const struct item *it = &doc->items.p[from];
    struct wire_struct s = {0};
    struct newcomer n;

    s.ref = item_kind(it);
    s.len = it->len;
    if (s.ref == WIRE_TYPE) {
        s.type_ref = doc->types.p[it->content].ref;
        if (doc->types.p[it->content].name != 0)
            s.body = store_key(doc, doc->types.p[it->content].name);
    }
    n = own_newcomer(doc, client, between, &s);
    n.item.origin_flags |= ITEM_KEEP | (s.ref == WIRE_DELETED ? ITEM_DELETED : 0);
    if (must_walk(doc, &n))
        walk_concurrent(doc, &n, doc->client_id);
    copy_content(doc, &n.item, from);
    return place_new_item(doc, client, &n, &s);
}

/* ---- deleting -------------------------------------------------------------------- */

static void remember_for_merge(struct ydoc *doc, const struct item *it)
{
    struct span merge = {item_client(it), it->clock, 0};

    if (store_existed(doc, it))
        VEC_PUSH(doc, doc->cur.merge, merge);
}

static void push_content(struct ydoc *doc, uint32_t type)
{
    const struct type *t = &doc->types.p[type];
    struct deletion d = {doc->slots.p[t->list].head, t->first};

    VEC_PUSH(doc, doc->deletions, d);
}

static void delete_one(struct ydoc *doc, uint32_t h)
{
    struct item *it = &doc->items.p[h];
    const struct slot *slot = &doc->slots.p[it->slot];
    struct span gone = {item_client(it), it->clock, it->len};

    if (item_countable(it) && slot->key == 0)
        doc->types.p[slot->type].length -= it->len;
    it->origin_flags |= ITEM_DELETED;
    index_on_delete(doc, it);
    VEC_PUSH(doc, doc->cur.deleted, gone);
    doc->cur.collects = true;
    place_on_change(doc, h);
    note_change(doc, it->slot);
    if (item_kind(it) == WIRE_TYPE) {
        struct change void_before = {it->content, CHANGE_GONE};

        if (doc->notes_changes)
            VEC_PUSH(doc, doc->cur.changed, void_before);
        push_content(doc, it->content);
    } else if (item_kind(it) == WIRE_DOC && doc->notes_subdocs && store_existed(doc, it)) {
        note_subdoc(doc, h, true);
    }
}

static void delete_child(struct ydoc *doc, uint32_t h)
{
    if (item_deleted(&doc->items.p[h]))
        remember_for_merge(doc, &doc->items.p[h]);
    else
        delete_one(doc, h);
}

/* With a type goes everything in it, its list before its map, depth first as in
 * Yjs. doc->deletions holds what is still to go, so that nesting costs no stack. */
void store_delete_item(struct ydoc *doc, uint32_t h)
{
    uint32_t base = doc->deletions.n;

    if (item_deleted(&doc->items.p[h]))
        return;
    delete_one(doc, h);
    while (doc->deletions.n > base) {
        struct deletion *d = &doc->deletions.p[doc->deletions.n - 1];

        if (d->item != 0) {
            h = d->item;
            d->item = doc->items.p[h].right;
        } else if (d->slot != 0) {
            h = doc->slots.p[d->slot].head;
            d->slot = doc->slots.p[d->slot].next;
        } else {
            doc->deletions.n--;
            continue;
        }
        if (h != 0)
            delete_child(doc, h);
    }
}
