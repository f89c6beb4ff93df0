/* snapshot_read - texts, lists and maps as they were at a snapshot, and the
 * changes of a text between two: Y.Text's toDelta(snapshot, prevSnapshot),
 * typeListToArraySnapshot and typeMapGetAllSnapshot.
 *
 * An item is judged whole, so items that reach across a snapshot are cut first, in
 * a transaction that changes nothing and at whose end they are joined again. Yjs
 * does so for texts, and leaves it to its callers for lists and maps.
 */
#include "ydoc/edit.h"
#include "ydoc/json_walk.h"
#include "ydoc/read.h"
#include "ydoc/rich.h"
#include "ydoc/snapshot.h"

#include <stdio.h>
#include <string.h>

/* The origin that Yjs gives this transaction. */
static const char cleanup[] = "cleanup";

/* ---- one reading ---- */

struct reading {
    struct ydoc *doc;
    uint32_t type;
    const struct ydoc_snapshot *now, *before;
    struct snapshot_view now_view, before_view;
    int rc;
    void (*work)(struct reading *r);
};

/* Nothing in here unwinds: what is allocated on the way is given back. */
static void read_views(struct reading *r)
{
    int rc = snapshot_view_open(&r->now_view, r->doc, r->now);

    if (rc == 0)
        rc = snapshot_view_open(&r->before_view, r->doc, r->before);
    r->rc = rc;
    if (rc == 0)
        r->work(r);
    snapshot_view_close(&r->now_view);
    snapshot_view_close(&r->before_view);
}

static void run(void *arg)
{
    struct reading *r = arg;

    store_begin(r->doc, cleanup, true);
    if (r->now != NULL)
        snapshot_split(r->doc, r->now);
    if (r->before != NULL)
        snapshot_split(r->doc, r->before);
    read_views(r);
    store_end(r->doc);
}

static int read_at(struct reading *r, ydoc_type type, unsigned kinds)
{
    struct ydoc *doc = r->doc;
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    r->type = edit_resolve_kept(doc, type);
    if (r->type == 0)
        return YDOC_ENOENT;
    if ((kinds & KIND_BIT(doc->types.p[r->type].ref)) == 0)
        return YDOC_EKIND;
    ydoc_buf_init(&r->now_view.seen, &doc->alloc);
    ydoc_buf_init(&r->before_view.seen, &doc->alloc);
    if (r->now == NULL && r->before == NULL) {
        read_views(r);
        return r->rc;
    }
    rc = store_run(doc, run, r);
    if (rc != 0)
        doc->broken = true;
    return rc != 0 ? rc : doc->broken ? YDOC_EBROKEN : r->rc;
}

/* ---- texts ---- */

struct text_reading {
    struct reading r;
    const struct ydoc_at *at;
    ydoc_run_fn fn;
    void *ctx;
    struct rich_attribute attributes[RICH_ATTRIBUTES_MAX];
    size_t n;
    struct ydoc_buf text;   /* of the run that is not given yet */
    struct ydoc_buf change; /* the value of the attribute `ychange` */
    struct ydoc_buf json;   /* the run's attributes */
    size_t left;            /* bytes that may still be given: see read_limit */
};

static size_t find_attribute(const struct text_reading *t, struct ydoc_slice key)
{
    size_t i = 0;

    while (i < t->n && !ydoc__same(t->attributes[i].key, key))
        i++;
    return i;
}

static void set_attribute(struct text_reading *t, struct ydoc_slice key, struct ydoc_slice value)
{
    size_t i = find_attribute(t, key);

    if (i == RICH_ATTRIBUTES_MAX)
        return;
    t->attributes[i].key = key;
    t->attributes[i].value = value;
    t->n += i == t->n;
}

static void remove_attribute(struct text_reading *t, struct ydoc_slice key)
{
    size_t i = find_attribute(t, key);

    if (i < t->n)
        memmove(&t->attributes[i], &t->attributes[i + 1], (--t->n - i) * sizeof(*t->attributes));
}

static void write_attributes(struct text_reading *t)
{
    ydoc_buf_reset(&t->json);
    for (size_t i = 0; i < t->n; i++) {
        lib0_write_u8(&t->json, i == 0 ? '{' : ',');
        text_write_string(&t->json, t->attributes[i].key);
        lib0_write_u8(&t->json, ':');
        read_write_stored(&t->json, t->attributes[i].value, TEXT_PLAIN);
    }
    if (t->n > 0)
        lib0_write_u8(&t->json, '}');
}

static void give_run(struct text_reading *t, const struct ydoc_value *value)
{
    struct ydoc_run one = {ydoc_buf_slice(&t->text), value, {NULL, 0}};

    write_attributes(t);
    one.attributes = ydoc_buf_slice(&t->json);
    if (t->text.failed || t->json.failed || t->change.failed)
        t->r.rc = YDOC_ENOMEM;
    else if (t->text.len + t->json.len > t->left)
        t->r.rc = YDOC_ELIMIT;
    else
        t->left -= t->text.len + t->json.len;
    if (t->r.rc == 0)
        t->r.rc = t->fn(&one, t->ctx);
    ydoc_buf_reset(&t->text);
}

static void give_text(struct text_reading *t)
{
    if (t->text.len > 0)
        give_run(t, NULL);
}

/* Yjs begins a new run at every item unless the attribute tells the same user and
 * the same kind of change, which only a computeYChange of the caller's gives. */
static bool is_same_change(struct ydoc_slice value, bool removed, uint64_t user)
{
    struct ydoc_slice whose, type;
    char digits[24];

    if (value.len == 0 || !json_find(value, "user", &whose) || !json_find(value, "type", &type))
        return false;
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)user);
    return ydoc__is(whose, digits) && ydoc__is(type, removed ? "\"removed\"" : "\"added\"");
}

static void set_change(struct text_reading *t, bool removed, const struct item *it)
{
    struct ydoc_id id = {t->r.doc->clients.p[item_client(it)].id, it->clock};
    struct ydoc_buf json;

    ydoc_buf_reset(&t->change);
    if (t->at->change == NULL) {
        set_attribute(t, ydoc__slice("ychange"),
                      ydoc__slice(removed ? "{\"type\":\"removed\"}" : "{\"type\":\"added\"}"));
        return;
    }
    ydoc_buf_init(&json, &t->r.doc->alloc);
    t->at->change(&json, removed, &id, t->at->ctx);
    if (json.failed)
        t->change.failed = true;
    else if (ydoc_validate_json(json.p, json.len, YDOC__NESTING_MAX, NULL) != 0)
        t->r.rc = YDOC_EMALFORMED;
    else
        text_write_canonical(&t->change, ydoc_buf_slice(&json));
    ydoc_buf_fini(&json);
    set_attribute(t, ydoc__slice("ychange"), ydoc_buf_slice(&t->change));
}

static void add_string(struct text_reading *t, const struct item *it)
{
    size_t i = find_attribute(t, ydoc__slice("ychange"));
    bool removed = t->r.now != NULL && !snapshot_shows(&t->r.now_view, it);
    bool added = !removed && t->r.before != NULL && !snapshot_shows(&t->r.before_view, it);

    if (removed || added) {
        if (i == t->n || !is_same_change(t->attributes[i].value, removed,
                                         t->r.doc->clients.p[item_client(it)].id)) {
            give_text(t);
            set_change(t, removed, it);
        }
    } else if (i < t->n) {
        give_text(t);
        remove_attribute(t, ydoc__slice("ychange"));
    }
    ydoc_buf_append(&t->text, item_bytes(t->r.doc, it), it->bytes);
}

static void add_format(struct text_reading *t, const struct item *it)
{
    struct lib0_reader body;
    struct ydoc_slice key, value;

    if (!snapshot_shows(&t->r.now_view, it))
        return;
    give_text(t);
    lib0_reader_init(&body, item_bytes(t->r.doc, it), it->bytes);
    key = lib0_read_varbytes(&body);
    value = lib0_read_varbytes(&body);
    if (ydoc__is(value, "null"))
        remove_attribute(t, key);
    else
        set_attribute(t, key, value);
}

static void add_value(struct text_reading *t, const struct item *it)
{
    struct ydoc_value value;

    give_text(t);
    edit_read_value(t->r.doc, it, 0, &value);
    if (t->r.rc == 0)
        give_run(t, &value);
}

static void read_text(struct reading *r)
{
    struct text_reading *t = (struct text_reading *)(void *)r;
    const struct ydoc *doc = r->doc;

    for (uint32_t h = edit_list_head(doc, r->type); h != 0 && r->rc == 0;
         h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];
        uint8_t kind = item_kind(it);

        if (!snapshot_shows(&r->now_view, it) &&
            (r->before == NULL || !snapshot_shows(&r->before_view, it)))
            continue;
        if (kind == WIRE_STRING)
            add_string(t, it);
        else if (kind == WIRE_FORMAT)
            add_format(t, it);
        else if (kind == WIRE_EMBED || kind == WIRE_TYPE)
            add_value(t, it);
    }
    if (r->rc == 0)
        give_text(t);
}

int ydoc_text_runs_at(struct ydoc *doc, ydoc_type type, const struct ydoc_at *at, ydoc_run_fn fn,
                      void *ctx)
{
    struct text_reading t;
    int rc;

    memset(&t.r, 0, sizeof(t.r));
    t.r.doc = doc;
    t.r.now = at->snapshot;
    t.r.before = at->before;
    t.r.work = read_text;
    t.at = at;
    t.fn = fn;
    t.ctx = ctx;
    t.n = 0;
    ydoc_buf_init(&t.text, &doc->alloc);
    ydoc_buf_init(&t.change, &doc->alloc);
    ydoc_buf_init(&t.json, &doc->alloc);
    t.left = read_limit(doc, &t.text);
    rc = read_at(&t.r, type, KINDS_TEXT);
    ydoc_buf_fini(&t.text);
    ydoc_buf_fini(&t.change);
    ydoc_buf_fini(&t.json);
    return rc;
}

/* ---- texts as JSON, and plain ---- */

struct delta_out {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    bool more;
};

static int write_embed(struct delta_out *d, const struct ydoc_value *value)
{
    struct lib0_reader any;

    if (value->tag == YDOC_VALUE_TYPE)
        return ydoc__read_type(d->doc, edit_resolve_kept(d->doc, value->type), YDOC_KIND_UNKNOWN,
                               TEXT_PLAIN, d->out);
    if (value->tag == YDOC_VALUE_ANY) {
        lib0_reader_init(&any, value->any.p, value->any.len);
        text_write_any(d->out, &any, TEXT_PLAIN);
    } else {
        ydoc_buf_append(d->out, value->any.p, value->any.len);
    }
    return 0;
}

static int write_run(const struct ydoc_run *one, void *ctx)
{
    struct delta_out *d = ctx;
    int rc = 0;

    ydoc_buf_append(d->out, d->more ? ",{\"insert\":" : "{\"insert\":", d->more ? 11 : 10);
    d->more = true;
    if (one->value == NULL)
        text_write_string(d->out, one->text);
    else
        rc = write_embed(d, one->value);
    if (one->attributes.len > 0) {
        ydoc_buf_append(d->out, ",\"attributes\":", 14);
        ydoc_buf_append(d->out, one->attributes.p, one->attributes.len);
    }
    lib0_write_u8(d->out, '}');
    return d->out->failed ? YDOC_ENOMEM : rc;
}

static int finish(struct ydoc_buf *out, size_t len_before, int rc)
{
    if (rc == 0)
        return ydoc__buf_finish(out, len_before, NULL);
    out->len = len_before;
    return rc;
}

int ydoc_text_delta_at(struct ydoc *doc, ydoc_type type, const struct ydoc_at *at,
                       struct ydoc_buf *out)
{
    struct delta_out d = {doc, out, false};
    size_t len_before = out->len;
    int rc;

    lib0_write_u8(out, '[');
    rc = ydoc_text_runs_at(doc, type, at, write_run, &d);
    lib0_write_u8(out, ']');
    return finish(out, len_before, rc);
}

static int append_run(const struct ydoc_run *one, void *ctx)
{
    struct ydoc_buf *out = ctx;

    if (one->value == NULL)
        ydoc_buf_append(out, one->text.p, one->text.len);
    return out->failed ? YDOC_ENOMEM : 0;
}

int ydoc_text_string_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                        struct ydoc_buf *out)
{
    struct ydoc_at at = {snapshot, NULL, NULL, NULL};
    size_t len_before = out->len;

    return finish(out, len_before, ydoc_text_runs_at(doc, type, &at, append_run, out));
}

/* ---- lists and maps ---- */

struct value_reading {
    struct reading r;
    ydoc_entry_fn fn;
    void *ctx;
};

/* The elements of an item from number `from` on. */
static void give_elements(struct value_reading *v, struct ydoc_slice key, const struct item *it,
                          uint32_t from)
{
    bool many = item_kind(it) == WIRE_ANY || item_kind(it) == WIRE_JSON;
    struct ydoc_value value;
    struct lib0_reader body;

    edit_read_value(v->r.doc, it, 0, &value);
    lib0_reader_init(&body, item_bytes(v->r.doc, it), it->bytes);
    for (uint32_t i = 0; i < (many ? it->len : 1) && v->r.rc == 0; i++) {
        if (item_kind(it) == WIRE_JSON)
            value = edit_json_value(lib0_read_varbytes(&body));
        if (item_kind(it) == WIRE_ANY) {
            value.any.p = body.p;
            ydoc__any_skip(&body, YDOC__NESTING_MAX);
            value.any.len = (size_t)(body.p - value.any.p);
        }
        if (!many || i >= from)
            v->r.rc = v->fn(key, &value, v->ctx);
    }
}

static void read_list(struct reading *r)
{
    static const struct ydoc_slice no_key = {NULL, 0};
    const struct ydoc *doc = r->doc;

    for (uint32_t h = edit_list_head(doc, r->type); h != 0 && r->rc == 0;
         h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (item_countable(it) && snapshot_shows(&r->now_view, it))
            give_elements((struct value_reading *)(void *)r, no_key, it, 0);
    }
}

/* The value was the rightmost item that existed. */
static void read_map(struct reading *r)
{
    const struct ydoc *doc = r->doc;

    for (uint32_t s = doc->types.p[r->type].first; s != 0 && r->rc == 0; s = doc->slots.p[s].next) {
        uint32_t h = doc->slots.p[s].head;

        while (h != 0 && !snapshot_knows(&r->now_view, &doc->items.p[h]))
            h = doc->items.p[h].left;
        if (h != 0 && snapshot_shows(&r->now_view, &doc->items.p[h]))
            give_elements((struct value_reading *)(void *)r, store_key(doc, doc->slots.p[s].key),
                          &doc->items.p[h], doc->items.p[h].len - 1);
    }
}

int ydoc_list_each_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                      ydoc_entry_fn fn, void *ctx)
{
    struct value_reading v = {{0}, fn, ctx};

    v.r.doc = doc;
    v.r.now = snapshot;
    v.r.work = read_list;
    return read_at(&v.r, type, KINDS_LIST);
}

int ydoc_map_each_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                     ydoc_entry_fn fn, void *ctx)
{
    struct value_reading v = {{0}, fn, ctx};

    v.r.doc = doc;
    v.r.now = snapshot;
    v.r.work = read_map;
    return read_at(&v.r, type, KINDS_MAP);
}

/* ---- whole roots ---- */

int ydoc_read_root_json_at(struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                           const struct ydoc_snapshot *snapshot, struct ydoc_buf *out)
{
    struct ydoc_options options = {0};
    struct ydoc *then;
    int rc;

    options.alloc = &doc->alloc;
    options.keep_deleted = true;
    rc = ydoc_new_from_snapshot(&then, doc, snapshot, &options, NULL);
    if (rc == 0)
        rc = ydoc_read_root_json(then, root, kind, out);
    ydoc_free(then);
    return rc;
}
