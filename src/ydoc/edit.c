/* edit - local edits of lists and maps: what Yjs's typeListInsertGenerics,
 * typeListDelete and typeMapSet do.
 *
 * Everything that can be refused is refused before the transaction begins; in
 * it only memory can end, which leaves the document broken as anywhere else.
 */
#include "ydoc/edit.h"

#include <assert.h>
#include <string.h>

#include "ydoc/any.h"

/* ---- handles ---- */

ydoc_type edit_handle(const struct ydoc *doc, uint32_t type)
{
    return type == 0 ? 0 : (uint64_t)doc->types.p[type].generation << 32 | type;
}

uint32_t edit_resolve_kept(const struct ydoc *doc, ydoc_type handle)
{
    uint32_t type = (uint32_t)handle;

    return type < doc->types.n && handle >> 32 == doc->types.p[type].generation ? type : 0;
}

uint32_t edit_resolve(const struct ydoc *doc, ydoc_type handle)
{
    uint32_t type = edit_resolve_kept(doc, handle), item;

    if (type == 0)
        return 0;
    item = doc->types.p[type].item;
    return item != 0 && item_deleted(&doc->items.p[item]) ? 0 : type;
}

struct root_job {
    struct ydoc *doc;
    struct ydoc_slice name;
    uint32_t type;
};

static void make_root(void *arg)
{
    struct root_job *job = arg;

    job->type = store_root(job->doc, job->name);
}

/* As in Yjs a root that becomes a text starts without "has formats": formats that
 * came before somebody said that it is a text are not cleaned up. */
int ydoc_root(struct ydoc *doc, struct ydoc_slice name, enum ydoc_kind kind, ydoc_type *out)
{
    struct root_job job = {doc, name, 0};
    struct type *t;
    int rc;

    *out = 0;
    if (doc->broken)
        return YDOC_EBROKEN;
    if (edit_check_len(doc, name.len) != 0)
        return YDOC_ELIMIT;
    if (lib0_utf16_len(name.p, name.len) < 0)
        return YDOC_EMALFORMED;
    rc = store_run(doc, make_root, &job);
    if (rc != 0)
        return rc;
    t = &doc->types.p[job.type];
    if (kind != YDOC_KIND_UNKNOWN && t->ref != YDOC_KIND_UNKNOWN && t->ref != kind)
        return YDOC_EKIND;
    if (kind != YDOC_KIND_UNKNOWN && t->ref == YDOC_KIND_UNKNOWN) {
        t->ref = (uint8_t)kind;
        t->formatted = false;
    }
    *out = edit_handle(doc, job.type);
    return 0;
}

uint32_t ydoc_type_length(const struct ydoc *doc, ydoc_type type)
{
    uint32_t t = edit_resolve(doc, type);

    return t == 0 ? 0 : doc->types.p[t].length;
}

enum ydoc_kind ydoc_type_kind(const struct ydoc *doc, ydoc_type type)
{
    uint32_t t = edit_resolve(doc, type);

    return t == 0 ? YDOC_KIND_UNKNOWN : (enum ydoc_kind)doc->types.p[t].ref;
}

struct ydoc_slice ydoc_type_name(const struct ydoc *doc, ydoc_type type)
{
    struct ydoc_slice none = {NULL, 0};
    uint32_t t = edit_resolve(doc, type);

    return t == 0 || doc->types.p[t].name == 0 ? none : store_key(doc, doc->types.p[t].name);
}

ydoc_type ydoc_type_parent(const struct ydoc *doc, ydoc_type type)
{
    uint32_t t = edit_resolve(doc, type), item = t == 0 ? 0 : doc->types.p[t].item;

    return item == 0 ? 0 : edit_handle(doc, doc->slots.p[doc->items.p[item].slot].type);
}

/* ---- one edit ---- */

static void run(void *arg)
{
    struct edit *e = arg;

    store_begin(e->doc, NULL, true);
    e->work(e);
    store_end(e->doc);
}

int edit_run(struct edit *e, struct ydoc *doc, ydoc_type handle, unsigned kinds)
{
    int rc;

    e->doc = doc;
    e->rc = 0;
    if (doc->broken)
        return YDOC_EBROKEN;
    e->type = edit_resolve(doc, handle);
    if (e->type == 0)
        return YDOC_ENOENT;
    if ((kinds & KIND_BIT(doc->types.p[e->type].ref)) == 0)
        return YDOC_EKIND;
    rc = store_run(doc, run, e);
    if (rc != 0)
        doc->broken = true;
    return rc != 0 ? rc : doc->broken ? YDOC_EBROKEN : e->rc;
}

uint32_t edit_list_head(const struct ydoc *doc, uint32_t type)
{
    return doc->slots.p[doc->types.p[type].list].head;
}

uint32_t edit_insert(struct edit *e, const struct neighbours *between, const struct wire_struct *s,
                     const struct ydoc_value *value)
{
    uint32_t h = store_insert(e->doc, between, s);

    if (s->ref == WIRE_TYPE && value->fill != NULL && e->rc == 0) {
        e->rc = value->fill(e->doc, edit_handle(e->doc, e->doc->items.p[h].content), value->ctx);
        if (e->doc->broken)
            store_fail(e->doc, YDOC_EBROKEN);
    }
    return h;
}

/* ---- values ---- */

int edit_check_len(const struct ydoc *doc, size_t bytes)
{
    return bytes > doc->limits.update_bytes_max ? YDOC_ELIMIT : 0;
}

static bool is_named(enum ydoc_kind kind)
{
    return kind == YDOC_KIND_XML_ELEMENT || kind == YDOC_KIND_XML_HOOK;
}

static bool is_binary(const struct ydoc_value *v)
{
    return v->tag == YDOC_VALUE_ANY && v->any.len > 0 && v->any.p[0] == ANY_BYTES;
}

/* Only what other documents with the same limits will take. */
static int check_value(const struct ydoc *doc, const struct ydoc_value *v)
{
    uint32_t nesting_max = doc->limits.nesting_max;

    if (edit_check_len(doc, v->any.len) != 0 || edit_check_len(doc, v->name.len) != 0)
        return YDOC_ELIMIT;
    switch (v->tag) {
    case YDOC_VALUE_ANY:
        return any_is_valid(v->any, nesting_max) ? 0 : YDOC_EMALFORMED;
    case YDOC_VALUE_BYTES:
        return 0;
    case YDOC_VALUE_STRING:
        return lib0_utf16_len(v->any.p, v->any.len) < 0 ? YDOC_EMALFORMED : 0;
    case YDOC_VALUE_TYPE:
        if (v->kind > YDOC_KIND_XML_TEXT)
            return YDOC_EKIND;
        return is_named(v->kind) && lib0_utf16_len(v->name.p, v->name.len) < 0 ? YDOC_EMALFORMED
                                                                               : 0;
    case YDOC_VALUE_DOC:
        if (lib0_utf16_len(v->name.p, v->name.len) < 0)
            return YDOC_EMALFORMED;
        if (v->any.len == 0)
            return 0;
        return v->any.p[0] == ANY_OBJECT && any_is_valid(v->any, nesting_max) ? 0 : YDOC_EMALFORMED;
    default:
        return YDOC_EMALFORMED;
    }
}

/* Bytes of contents, one after the other: values of a row of JSON-like ones
 * become a single item, whose body they are. */
static void pack_value(struct ydoc_buf *packed, const struct ydoc_value *v)
{
    if (v->tag == YDOC_VALUE_DOC) {
        lib0_write_varbytes(packed, v->name.p, v->name.len);
        if (v->any.len == 0)
            ydoc_buf_append(packed, "\x76\0", 2);
    } else if (v->tag == YDOC_VALUE_STRING) {
        lib0_write_u8(packed, ANY_STRING);
        lib0_write_varuint(packed, v->any.len);
    }
    if (v->tag != YDOC_VALUE_TYPE)
        ydoc_buf_append(packed, v->any.p, v->any.len);
}

static bool is_json_like(const struct ydoc_value *v)
{
    return (v->tag == YDOC_VALUE_ANY && !is_binary(v)) || v->tag == YDOC_VALUE_STRING;
}

/* The first item of `v[0..n)`; returns how many values it takes. */
static size_t next_struct(const struct ydoc_value *v, size_t n, struct ydoc_slice *packed,
                          struct wire_struct *s)
{
    struct ydoc_slice body = *packed;
    size_t taken = 1;
    struct lib0_reader r;

    memset(s, 0, sizeof(*s));
    lib0_reader_init(&r, packed->p, packed->len);
    if (v->tag == YDOC_VALUE_TYPE) {
        s->ref = WIRE_TYPE;
        s->type_ref = (uint8_t)v->kind;
        s->body = v->name;
        s->len = 1;
        return 1;
    }
    if (v->tag == YDOC_VALUE_DOC) {
        s->ref = WIRE_DOC;
        lib0_read_varbytes(&r);
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
    } else if (v->tag == YDOC_VALUE_BYTES) {
        s->ref = WIRE_BINARY;
        lib0_read_raw(&r, v->any.len);
    } else if (is_binary(v)) {
        s->ref = WIRE_BINARY;
        lib0_read_u8(&r);
        body = lib0_read_varbytes(&r);
    } else {
        s->ref = WIRE_ANY;
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
        for (; taken < n && is_json_like(&v[taken]); taken++)
            ydoc__any_skip(&r, YDOC__NESTING_MAX);
    }
    if (body.p == packed->p)
        body.len = lib0_offset(&r);
    s->body = body;
    s->len = (uint32_t)taken;
    packed->len -= lib0_offset(&r);
    packed->p = r.p;
    return taken;
}

/* ---- lists ---- */

struct list_edit {
    struct edit e;
    uint32_t index, len;
    const struct ydoc_value *values;
    size_t n;
    struct ydoc_slice packed;
    bool push;
};

static void insert_after(struct list_edit *l, uint32_t left)
{
    struct ydoc *doc = l->e.doc;
    uint32_t right = left != 0 ? doc->items.p[left].right : edit_list_head(doc, l->e.type);
    struct neighbours between = {doc->types.p[l->e.type].list, left, right};
    struct ydoc_slice packed = l->packed;

    for (size_t i = 0; i < l->n && l->e.rc == 0;) {
        struct wire_struct s;
        size_t taken = next_struct(l->values + i, l->n - i, &packed, &s);

        between.left = edit_insert(&l->e, &between, &s, &l->values[i]);
        i += taken;
    }
}

/* The item that ends `index` units into the list, split there if need be. */
static uint32_t item_before(struct ydoc *doc, uint32_t type, uint32_t index)
{
    struct spot spot = place_find(doc, type, index);
    const struct item *it;

    if (spot.item == 0)
        return 0;
    it = &doc->items.p[spot.item];
    if (spot.offset < it->len)
        store_item_from(doc, item_client(it), it->clock + spot.offset);
    return spot.item;
}

static void list_insert(struct edit *e)
{
    struct list_edit *l = (struct list_edit *)(void *)e;

    insert_after(l, l->push ? place_last(e->doc, e->type) : item_before(e->doc, e->type, l->index));
}

static void list_delete(struct edit *e)
{
    struct list_edit *l = (struct list_edit *)(void *)e;
    struct ydoc *doc = e->doc;
    uint32_t left = item_before(doc, e->type, l->index), len = l->len;
    uint32_t h = left != 0 ? doc->items.p[left].right : edit_list_head(doc, e->type);

    for (; len > 0 && h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (item_deleted(it))
            continue;
        if (len < it->len)
            store_item_from(doc, item_client(it), it->clock + len);
        len -= doc->items.p[h].len;
        store_delete_item(doc, h);
    }
}

static int insert_values(struct list_edit *l, struct ydoc *doc, ydoc_type type)
{
    struct ydoc_buf packed;
    int rc = 0;

    if (l->n == 0)
        return 0;
    ydoc_buf_init(&packed, &doc->alloc);
    for (size_t i = 0; i < l->n && rc == 0; i++) {
        rc = check_value(doc, &l->values[i]);
        pack_value(&packed, &l->values[i]);
    }
    if (rc == 0)
        rc = packed.failed ? YDOC_ENOMEM : edit_check_len(doc, packed.len);
    l->packed = ydoc_buf_slice(&packed);
    l->e.work = list_insert;
    if (rc == 0)
        rc = edit_run(&l->e, doc, type, KINDS_LIST);
    ydoc_buf_fini(&packed);
    return rc;
}

int ydoc_list_insert(struct ydoc *doc, ydoc_type type, uint32_t index,
                     const struct ydoc_value *values, size_t n)
{
    struct list_edit l = {0};

    if (edit_resolve(doc, type) == 0)
        return YDOC_ENOENT;
    if (index > ydoc_type_length(doc, type))
        return YDOC_ERANGE;
    l.index = index;
    l.values = values;
    l.n = n;
    return insert_values(&l, doc, type);
}

int ydoc_list_push(struct ydoc *doc, ydoc_type type, const struct ydoc_value *values, size_t n)
{
    struct list_edit l = {0};

    l.push = true;
    l.values = values;
    l.n = n;
    return insert_values(&l, doc, type);
}

int ydoc_list_delete(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len)
{
    uint32_t length = ydoc_type_length(doc, type);
    struct list_edit l = {0};

    if (edit_resolve(doc, type) == 0)
        return YDOC_ENOENT;
    if (index > length || len > length - index)
        return YDOC_ERANGE;
    if (len == 0)
        return 0;
    l.e.work = list_delete;
    l.index = index;
    l.len = len;
    return edit_run(&l.e, doc, type, KINDS_LIST);
}

/* ---- maps ---- */

struct map_edit {
    struct edit e;
    struct ydoc_slice key, packed;
    const struct ydoc_value *value;
};

static void map_set(struct edit *e)
{
    struct map_edit *m = (struct map_edit *)(void *)e;
    struct ydoc *doc = e->doc;
    uint32_t slot = store_map_slot(doc, e->type, store_intern(doc, m->key));
    struct ydoc_slice packed = m->packed;
    struct wire_struct s;
    struct neighbours between = {slot, doc->slots.p[slot].head, 0};

    next_struct(m->value, 1, &packed, &s);
    edit_insert(e, &between, &s, m->value);
}

static void map_delete(struct edit *e)
{
    struct map_edit *m = (struct map_edit *)(void *)e;
    uint32_t h = edit_find_entry(e->doc, e->type, m->key);

    if (h != 0)
        store_delete_item(e->doc, h);
}

static void map_clear(struct edit *e)
{
    struct ydoc *doc = e->doc;

    for (uint32_t s = doc->types.p[e->type].first; s != 0; s = doc->slots.p[s].next) {
        if (doc->slots.p[s].head != 0)
            store_delete_item(doc, doc->slots.p[s].head);
    }
}

int ydoc_map_set(struct ydoc *doc, ydoc_type type, struct ydoc_slice key,
                 const struct ydoc_value *value)
{
    struct map_edit m = {{NULL, 0, 0, map_set}, key, {NULL, 0}, value};
    int rc = check_value(doc, value);
    struct ydoc_buf packed;

    if (rc == 0)
        rc = edit_check_len(doc, key.len);
    if (rc == 0 && lib0_utf16_len(key.p, key.len) < 0)
        rc = YDOC_EMALFORMED;
    ydoc_buf_init(&packed, &doc->alloc);
    pack_value(&packed, value);
    m.packed = ydoc_buf_slice(&packed);
    if (rc == 0)
        rc = packed.failed ? YDOC_ENOMEM : edit_run(&m.e, doc, type, KINDS_MAP);
    ydoc_buf_fini(&packed);
    return rc;
}

int ydoc_map_delete(struct ydoc *doc, ydoc_type type, struct ydoc_slice key)
{
    struct map_edit m = {{NULL, 0, 0, map_delete}, key, {NULL, 0}, NULL};

    return edit_run(&m.e, doc, type, KINDS_MAP);
}

int ydoc_map_clear(struct ydoc *doc, ydoc_type type)
{
    struct edit e = {NULL, 0, 0, map_clear};

    return edit_run(&e, doc, type, KINDS_MAP);
}
