/* event_delta - what was inserted into a list or a text, kept and deleted.
 *
 * A delta is worked out once, when it is first asked for, into three buffers of
 * the event: operations, inserted values, and the bytes both refer to by offset.
 * They are copies, so that a callback may read a delta while it edits.
 *
 * An op can say no more attributes than a reader keeps, and all of them no more bytes than a
 * reader may give (read_limit): a peer could otherwise make a delta grow with the square of the
 * document.
 *
 * Lists: Yjs's YEvent.changes. Texts: YTextEvent.delta, which knows the attributes
 * at each place before and after the transaction, and deletes formats that turn
 * out to be redundant. It does that in a transaction of its own, and so does
 * this: what is deleted is part of the bytes.
 */
#include "ydoc/watch.h"

#include <string.h>

#include "ydoc/any.h"
#include "ydoc/edit.h"
#include "ydoc/read.h"
#include "ydoc/rich.h"

struct event_op {
    enum ydoc_op_kind kind;
    bool is_text;
    uint32_t len;
    size_t text, text_len;   /* in bytes */
    size_t attrs, attrs_len; /* in bytes; attrs_len 0: none */
    uint32_t first, values;
};

/* A value whose slices are offsets into bytes. */
struct event_value {
    struct ydoc_value v;
    size_t any, name;
};

/* ---- values ---- */

/* The bytes of character `n`; half a pair stands for the whole. */
static struct ydoc_slice character(struct ydoc_slice text, uint32_t n)
{
    struct ydoc_slice s = text;

    for (;;) {
        size_t bytes = ydoc__utf8_len(s.p[0]);
        uint32_t units = bytes == 4 ? 2 : 1;

        if (n < units || bytes >= s.len) {
            s.len = bytes < s.len ? bytes : s.len;
            return s;
        }
        n -= units;
        s.p += bytes;
        s.len -= bytes;
    }
}

void event_read_value(const struct ydoc *doc, const struct item *it, uint32_t n,
                      struct ydoc_value *out)
{
    edit_read_value(doc, it, n, out);
    if (item_kind(it) == WIRE_STRING)
        out->any = character(out->any, n);
}

static void write_type(const struct ydoc *doc, ydoc_type handle, enum text_style style,
                       struct ydoc_buf *out)
{
    uint32_t type = (uint32_t)handle;

    /* Also one that was deleted: it is still there, and empty. */
    if (type < doc->types.n && handle >> 32 == doc->types.p[type].generation) {
        if (ydoc__read_type(doc, type, (enum ydoc_kind)doc->types.p[type].ref, style, out) != 0)
            out->failed = true;
    } else {
        ydoc_buf_append(out, "null", 4);
    }
}

/* Guid and options, one after the other as in an item. */
static void write_doc(const struct ydoc_value *v, enum text_style style, struct ydoc_buf *out)
{
    struct ydoc_buf body;

    ydoc_buf_init(&body, &out->alloc);
    lib0_write_varbytes(&body, v->name.p, v->name.len);
    ydoc_buf_append(&body, v->any.p, v->any.len);
    if (!body.failed)
        text_write_doc(out, ydoc_buf_slice(&body), style);
    out->failed = out->failed || body.failed;
    ydoc_buf_fini(&body);
}

void event_write_value(const struct ydoc *doc, const struct ydoc_value *v, enum text_style style,
                       struct ydoc_buf *out)
{
    struct lib0_reader r;

    switch (v->tag) {
    case YDOC_VALUE_ANY:
        lib0_reader_init(&r, v->any.p, v->any.len);
        text_write_any(out, &r, style);
        return;
    case YDOC_VALUE_STRING:
        text_write_string(out, v->any);
        return;
    case YDOC_VALUE_BYTES:
        text_write_bytes(out, v->any, style);
        return;
    case YDOC_VALUE_TYPE:
        write_type(doc, v->type, style, out);
        return;
    case YDOC_VALUE_DOC:
        write_doc(v, style, out);
        return;
    default:
        ydoc_buf_append(out, v->any.p, v->any.len);
    }
}

/* ---- the buffers ---- */

static struct event_op *ops_of(const struct event_delta *d, size_t *n)
{
    *n = d->ops.len / sizeof(struct event_op);
    return (struct event_op *)(void *)d->ops.p;
}

static void add_value(struct event_delta *d, const struct ydoc_value *v)
{
    struct event_value value = {*v, d->bytes.len, d->bytes.len + v->any.len};

    ydoc_buf_append(&d->bytes, v->any.p, v->any.len);
    ydoc_buf_append(&d->bytes, v->name.p, v->name.len);
    ydoc_buf_append(&d->values, &value, sizeof(value));
}

static uint32_t count_values(const struct event_delta *d)
{
    return (uint32_t)(d->values.len / sizeof(struct event_value));
}

static void add_element(const struct ydoc *doc, struct event_delta *d, const struct item *it)
{
    struct ydoc_value v;

    event_read_value(doc, it, 0, &v);
    add_value(d, &v);
}

/* Many in one item: read through once. */
static void add_elements(const struct ydoc *doc, struct event_delta *d, const struct item *it)
{
    struct ydoc_slice body = {item_bytes(doc, it), it->bytes};
    struct ydoc_value v = {0};
    struct lib0_reader r;

    lib0_reader_init(&r, body.p, body.len);
    v.tag = item_kind(it) == WIRE_ANY ? YDOC_VALUE_ANY : YDOC_VALUE_STRING;
    while (lib0_left(&r) > 0) {
        v.any.p = r.p;
        if (item_kind(it) == WIRE_JSON) {
            v = edit_json_value(lib0_read_varbytes(&r));
        } else if (item_kind(it) == WIRE_ANY) {
            ydoc__any_skip(&r, YDOC__NESTING_MAX);
            v.any.len = (size_t)(r.p - v.any.p);
        } else {
            v.any.len = lib0_left(&r);
            v.any = character(v.any, 0);
            lib0_read_raw(&r, v.any.len);
        }
        add_value(d, &v);
    }
}

/* ---- lists ---- */

struct walk {
    struct ydoc_event *e;
    struct ydoc *doc;
    struct event_delta *d;
    struct event_op op;
    size_t limit;         /* of d->bytes */
    bool open;            /* there is an op */
    struct text_frame *f; /* of a text: current, old (start) and changed (given) attributes */
};

static void add_op(struct walk *w)
{
    if (w->open)
        ydoc_buf_append(&w->d->ops, &w->op, sizeof(w->op));
    w->open = false;
}

/* Goes on with an op of this kind, or ends the last one and begins it. */
static void open_op(struct walk *w, enum ydoc_op_kind kind, void (*end)(struct walk *w))
{
    struct event_op op = {.kind = kind};

    if (w->open && w->op.kind == kind)
        return;
    end(w); /* may write attributes */
    op.text = w->d->bytes.len;
    op.first = count_values(w->d);
    w->op = op;
    w->open = true;
}

static void insert_item(struct walk *w, const struct item *it)
{
    uint32_t before = count_values(w->d), n;

    switch (item_kind(it)) {
    case WIRE_ANY:
    case WIRE_JSON:
    case WIRE_STRING:
        add_elements(w->doc, w->d, it);
        break;
    case WIRE_FORMAT:
        break;
    default:
        add_element(w->doc, w->d, it);
    }
    n = count_values(w->d) - before;
    w->op.len += n;
    w->op.values += n;
}

/* As in Yjs what is no element, a format in a list, is kept and deleted all the same. */
static void walk_list(struct walk *w)
{
    const struct ydoc *doc = w->doc;

    for (uint32_t h = edit_list_head(doc, w->e->type); h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];
        bool adds = event_adds(w->e, it);

        if (item_deleted(it)) {
            if (adds || !event_deletes(w->e, it))
                continue;
            open_op(w, YDOC_OP_DELETE, add_op);
            w->op.len += it->len;
        } else if (adds) {
            open_op(w, YDOC_OP_INSERT, add_op);
            insert_item(w, it);
        } else {
            open_op(w, YDOC_OP_RETAIN, add_op);
            w->op.len += it->len;
        }
    }
    if (w->open && w->op.kind != YDOC_OP_RETAIN)
        add_op(w);
}

/* ---- texts ---- */

static void write_attributes(struct walk *w, const struct attrs *list)
{
    struct ydoc_buf *out = &w->d->bytes;
    uint32_t n = list->n < RICH_ATTRIBUTES_MAX ? list->n : RICH_ATTRIBUTES_MAX;

    w->d->too_long = w->d->too_long || out->len > w->limit;
    if (n == 0 || w->d->too_long)
        return;
    w->op.attrs = out->len;
    for (uint32_t i = 0; i < n; i++) {
        lib0_write_u8(out, i == 0 ? '{' : ',');
        text_write_string(out, store_key(w->doc, list->p[i].key));
        lib0_write_u8(out, ':');
        read_write_stored(out, format_value(w->doc, &list->p[i]), TEXT_PLAIN);
    }
    lib0_write_u8(out, '}');
    w->op.attrs_len = out->len - w->op.attrs;
}

static void end_text_op(struct walk *w)
{
    if (w->open && w->op.len > 0) {
        if (w->op.kind == YDOC_OP_INSERT)
            write_attributes(w, &w->f->current);
        else if (w->op.kind == YDOC_OP_RETAIN)
            write_attributes(w, &w->f->given);
        add_op(w);
    }
    w->open = false;
}

/* JavaScript drops an embed that is no object and has no length. */
static bool is_shown(const struct ydoc *doc, const struct item *it)
{
    struct ydoc_slice value = read_content(doc, it);

    if (item_kind(it) == WIRE_TYPE)
        return true;
    if (any_is_stored_any(value))
        return value.p[1] >= ANY_BYTES && value.p[1] <= ANY_OBJECT;
    return value.p[0] == '{' || value.p[0] == '[' || value.p[0] == 'n' ||
           (value.p[0] == '"' && value.len > 2);
}

static void insert_embed(struct walk *w, const struct item *it)
{
    end_text_op(w);
    if (!is_shown(w->doc, it))
        return;
    open_op(w, YDOC_OP_INSERT, end_text_op);
    add_element(w->doc, w->d, it);
    w->op.len = w->op.values = 1;
    end_text_op(w);
}

static void insert_text(struct walk *w, const struct item *it)
{
    open_op(w, YDOC_OP_INSERT, end_text_op);
    w->op.is_text = true;
    w->op.len += it->len;
    w->op.text_len += it->bytes;
    ydoc_buf_append(&w->d->bytes, item_bytes(w->doc, it), it->bytes);
}

static void pass_content(struct walk *w, const struct item *it)
{
    bool deletes = event_deletes(w->e, it);

    if (event_adds(w->e, it)) {
        if (deletes)
            return;
        if (item_kind(it) == WIRE_STRING)
            insert_text(w, it);
        else
            insert_embed(w, it);
    } else if (deletes || !item_deleted(it)) {
        open_op(w, deletes ? YDOC_OP_DELETE : YDOC_OP_RETAIN, end_text_op);
        w->op.len += it->len;
    }
}

static void end_retain(struct walk *w)
{
    if (w->open && w->op.kind == YDOC_OP_RETAIN)
        end_text_op(w);
}

static void add_format(struct walk *w, uint32_t h, struct attr a)
{
    const struct attr *current = format_find(&w->f->current, a.key);

    if (format_equal(w->doc, current, &a)) {
        if (!format_is_null(w->doc, &a))
            store_delete_item(w->doc, h);
        return;
    }
    end_retain(w);
    if (format_equal(w->doc, format_find(&w->f->start, a.key), &a))
        format_remove(&w->f->given, a.key);
    else
        format_set(w->doc, &w->f->given, a);
}

static void delete_format(struct walk *w, struct attr a)
{
    const struct attr *current = format_find(&w->f->current, a.key);
    struct attr now = {a.key, 0, 4, format_value(w->doc, NULL).p};

    format_set(w->doc, &w->f->start, a);
    if (format_equal(w->doc, current, &a))
        return;
    end_retain(w);
    format_set(w->doc, &w->f->given, current != NULL ? *current : now);
}

static void keep_format(struct walk *w, uint32_t h, struct attr a)
{
    const struct attr *given = format_find(&w->f->given, a.key);

    format_set(w->doc, &w->f->start, a);
    if (given == NULL)
        return;
    if (format_equal(w->doc, given, &a)) {
        if (!format_is_null(w->doc, given))
            store_delete_item(w->doc, h);
        return;
    }
    end_retain(w);
    if (format_is_null(w->doc, &a))
        format_remove(&w->f->given, a.key);
    else
        format_set(w->doc, &w->f->given, a);
}

static void pass_format(struct walk *w, uint32_t h)
{
    const struct item *it = &w->doc->items.p[h];
    struct attr a = format_attr(w->doc, h);
    bool deletes = event_deletes(w->e, it);

    if (event_adds(w->e, it)) {
        if (!deletes)
            add_format(w, h, a);
    } else if (deletes) {
        delete_format(w, a);
    } else if (!item_deleted(it)) {
        keep_format(w, h, a);
    }
    if (item_deleted(&w->doc->items.p[h]))
        return;
    if (w->open && w->op.kind == YDOC_OP_INSERT)
        end_text_op(w);
    if (format_is_null(w->doc, &a))
        format_remove(&w->f->current, a.key);
    else
        format_set(w->doc, &w->f->current, a);
}

static void drop_last_retains(struct event_delta *d)
{
    size_t n;
    const struct event_op *ops = ops_of(d, &n);

    while (n > 0 && ops[n - 1].kind == YDOC_OP_RETAIN && ops[n - 1].attrs_len == 0)
        n--;
    d->ops.len = n * sizeof(*ops);
}

static void walk_text(void *arg)
{
    struct walk *w = arg;
    struct ydoc *doc = w->doc;

    store_begin(doc, NULL, true);
    w->f = edit_take_frame(doc);
    for (uint32_t h = edit_list_head(doc, w->e->type); h != 0; h = doc->items.p[h].right) {
        switch (item_kind(&doc->items.p[h])) {
        case WIRE_TYPE:
        case WIRE_EMBED:
        case WIRE_STRING:
            pass_content(w, &doc->items.p[h]);
            break;
        case WIRE_FORMAT:
            pass_format(w, h);
            break;
        default:
            break;
        }
    }
    end_text_op(w);
    drop_last_retains(w->d);
    edit_give_frame(w->f);
    store_end(doc);
}

/* ---- the delta ---- */

static bool is_text(const struct ydoc_event *e)
{
    uint8_t kind = e->doc->types.p[e->type].ref;

    return kind == YDOC_KIND_TEXT || kind == YDOC_KIND_XML_TEXT;
}

void event_free_delta(struct ydoc *doc, struct ydoc_event *e)
{
    if (e->delta == NULL)
        return;
    ydoc_buf_fini(&e->delta->ops);
    ydoc_buf_fini(&e->delta->values);
    ydoc_buf_fini(&e->delta->bytes);
    store_resize(doc, e->delta, sizeof(*e->delta), 0);
    e->delta = NULL;
}

static int work_out(struct ydoc_event *e)
{
    struct ydoc *doc = e->doc;
    struct event_delta *d = store_resize(doc, NULL, 0, sizeof(*d));
    struct walk w = {.e = e, .doc = doc, .d = d};
    int rc;

    if (d == NULL)
        return YDOC_ENOMEM;
    ydoc_buf_init(&d->ops, &doc->alloc);
    ydoc_buf_init(&d->values, &doc->alloc);
    ydoc_buf_init(&d->bytes, &doc->alloc);
    d->too_long = false;
    w.limit = read_limit(doc, &d->bytes);
    e->delta = d;
    if (is_text(e)) {
        if (store_run(doc, walk_text, &w) != 0)
            doc->broken = true;
    } else if (e->list) {
        walk_list(&w);
    }
    rc = doc->broken                                            ? YDOC_EBROKEN
         : d->ops.failed || d->values.failed || d->bytes.failed ? YDOC_ENOMEM
         : d->too_long                                          ? YDOC_ELIMIT
                                                                : 0;
    if (rc != 0)
        event_free_delta(doc, e);
    return rc;
}

int ydoc_event_next_op(struct ydoc_event *event, uint32_t *iter, struct ydoc_op *out)
{
    int rc = event->doc->broken ? YDOC_EBROKEN : event->delta == NULL ? work_out(event) : 0;
    const struct event_op *op;
    const uint8_t *bytes;
    size_t n;

    if (rc != 0)
        return rc;
    op = ops_of(event->delta, &n);
    if (*iter >= n)
        return 0;
    op += (*iter)++;
    bytes = event->delta->bytes.p;
    memset(out, 0, sizeof(*out));
    out->kind = op->kind;
    out->len = op->len;
    out->first = op->first;
    out->values = op->values;
    if (op->is_text) {
        out->text.p = bytes + op->text;
        out->text.len = op->text_len;
    }
    if (op->attrs_len > 0) {
        out->attributes.p = bytes + op->attrs;
        out->attributes.len = op->attrs_len;
    }
    return 1;
}

bool ydoc_event_value(const struct ydoc_event *event, uint32_t number, struct ydoc_value *out)
{
    const struct event_delta *d = event->delta;
    const struct event_value *v;

    if (d == NULL || number >= count_values(d))
        return false;
    v = (const struct event_value *)(const void *)d->values.p + number;
    *out = v->v;
    out->any.p = v->v.any.len > 0 ? d->bytes.p + v->any : NULL;
    out->name.p = v->v.name.len > 0 ? d->bytes.p + v->name : NULL;
    return true;
}

/* ---- as JSON ---- */

static void write_insert(const struct ydoc_event *e, const struct ydoc_op *op,
                         enum text_style style, struct ydoc_buf *out)
{
    bool list = !is_text(e);
    struct ydoc_value v;

    if (op->text.p != NULL) {
        text_write_string(out, op->text);
        return;
    }
    ydoc_buf_append(out, "[", list);
    for (uint32_t i = 0; i < op->values; i++) {
        ydoc_buf_append(out, ",", i > 0);
        ydoc_event_value(e, op->first + i, &v);
        event_write_value(e->doc, &v, style, out);
    }
    ydoc_buf_append(out, "]", list);
}

static void write_op(const struct ydoc_event *e, const struct ydoc_op *op, enum text_style style,
                     struct ydoc_buf *out)
{
    static const char *const names[] = {"{\"insert\":", "{\"retain\":", "{\"delete\":"};

    ydoc_buf_append(out, names[op->kind], 10);
    if (op->kind == YDOC_OP_INSERT)
        write_insert(e, op, style, out);
    else
        text_write_number(out, op->len);
    if (op->attributes.p != NULL) {
        ydoc_buf_append(out, ",\"attributes\":", 14);
        ydoc_buf_append(out, op->attributes.p, op->attributes.len);
    }
    lib0_write_u8(out, '}');
}

int ydoc__event_delta(struct ydoc_event *event, enum text_style style, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    uint32_t iter = 0;
    struct ydoc_op op;
    int rc;

    lib0_write_u8(out, '[');
    while ((rc = ydoc_event_next_op(event, &iter, &op)) > 0) {
        ydoc_buf_append(out, ",", iter > 1);
        write_op(event, &op, style, out);
    }
    lib0_write_u8(out, ']');
    if (rc < 0) {
        out->len = len_before;
        return rc;
    }
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_event_delta_json(struct ydoc_event *event, struct ydoc_buf *out)
{
    return ydoc__event_delta(event, TEXT_PLAIN, out);
}
