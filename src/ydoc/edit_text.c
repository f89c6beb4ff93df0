/* edit_text - local edits of texts: what Y.Text's insert, insertEmbed, delete,
 * format and applyDelta do.
 *
 * A position is a gap between two items and the attributes that hold there.
 * Where a text has formats, those before the position are found through the
 * position index, so that an edit passes over formats and not over text. The
 * walks around a position (over deleted items, over formats that say nothing
 * new) are Yjs's: they decide where a new item goes.
 */
#include "ydoc/edit.h"

#include <assert.h>
#include <string.h>

#include "ydoc/delta.h"
#include "ydoc/typing.h"

struct text_edit {
    struct edit e;
    uint32_t index, len;
    const struct delta *delta; /* operations; for a single edit one that has its attributes */
    const struct ydoc_value *value;
    struct wire_struct content;
};

/* ---- positions ---- */

/* The attributes at `left`, in the order in which walking there sets them. */
static void find_current(struct ydoc *doc, struct text_pos *pos)
{
    struct text_frame *f = pos->f;
    uint32_t h = pos->left;

    if (h != 0 && (item_kind(&doc->items.p[h]) != WIRE_FORMAT || item_deleted(&doc->items.p[h])))
        h = place_format_before(doc, pos->type, h);
    for (; h != 0; h = place_format_before(doc, pos->type, h))
        VEC_PUSH(doc, f->formats, h);
    while (f->formats.n > 0) {
        struct attr a = format_attr(doc, f->formats.p[--f->formats.n]);

        if (format_is_null(doc, &a))
            format_remove(&f->current, a.key);
        else
            format_set(doc, &f->current, a);
    }
}

static void cut_item(struct ydoc *doc, uint32_t h, uint32_t at)
{
    const struct item *it = &doc->items.p[h];

    if (at < it->len)
        store_item_from(doc, item_client(it), it->clock + at);
}

/* `marker`: Yjs would begin at a search marker. It has none where a text has
 * formats, and ignores formats that came before it knew of a text. */
static void find_position(struct text_edit *t, struct text_pos *pos, bool marker)
{
    struct ydoc *doc = t->e.doc;
    const struct type *type = &doc->types.p[t->e.type];
    struct spot spot = place_find(doc, t->e.type, t->index);

    pos->type = t->e.type;
    pos->f = edit_take_frame(doc);
    pos->left = t->index > type->length ? place_last(doc, t->e.type) : spot.item;
    if (spot.item != 0)
        cut_item(doc, spot.item, spot.offset);
    pos->right = pos->left != 0 ? doc->items.p[pos->left].right : edit_list_head(doc, t->e.type);
    type = &doc->types.p[t->e.type];
    if (type->has_formats && (type->formatted || !marker))
        find_current(doc, pos);
}

/* Splits what is right of the position so that it ends after `len` units. */
static void cut_right(struct ydoc *doc, const struct text_pos *pos, uint32_t len)
{
    cut_item(doc, pos->right, len);
}

/* ---- attributes ---- */

/* An item whose content is in the slab already. */
static uint32_t insert_kept(struct ydoc *doc, const struct text_pos *pos,
                            const struct wire_struct *s, uint32_t at)
{
    struct neighbours n = {doc->types.p[pos->type].list, pos->left, pos->right};

    return store_insert_kept(doc, &n, s, at);
}

/* Where the format item that an attribute was read from has its body. */
static uint32_t body_of(const struct ydoc *doc, const struct attr *a)
{
    uint32_t key = doc->keys.p[a->key].len;

    return a->at - (uint32_t)(lib0_varuint_len(a->len) + lib0_varuint_len(key)) - key;
}

/* The body is put together in the slab, where it stays: memory of the edit's own
 * would be lost by unwinding. One that comes from another format item is not
 * copied: Yjs compares values that are objects by identity, and these are one. */
static void insert_format(struct ydoc *doc, struct text_pos *pos, struct attr a)
{
    struct ydoc_slice key = store_key(doc, a.key), value;
    struct wire_struct s = {0};
    uint32_t at;
    uint8_t *p;

    s.ref = WIRE_FORMAT;
    s.len = 1;
    if (a.outside == NULL) {
        at = body_of(doc, &a);
        s.body.len = a.at + a.len - at;
    } else {
        at = store_slab_take(doc, (uint32_t)key.len + a.len + 20);
        value = format_value(doc, &a);
        p = lib0_put_varbytes(doc->slab.p + at, key.p, key.len);
        p = lib0_put_varbytes(p, value.p, value.len);
        s.body.len = (size_t)(p - doc->slab.p) - at;
        doc->slab.n = at + (uint32_t)s.body.len;
    }
    pos->right = insert_kept(doc, pos, &s, at);
    format_forward(doc, pos);
}

static bool is_format_of(const struct ydoc *doc, uint32_t h)
{
    return item_kind(&doc->items.p[h]) == WIRE_FORMAT;
}

/* Goes right over what is deleted and over formats that say what is wanted. */
static void minimize_changes(struct ydoc *doc, struct text_pos *pos)
{
    while (pos->right != 0) {
        if (!item_deleted(&doc->items.p[pos->right])) {
            struct attr a;

            if (!is_format_of(doc, pos->right))
                return;
            a = format_attr(doc, pos->right);
            if (!format_equal(doc, format_find(&pos->f->given, a.key), &a))
                return;
        }
        format_forward(doc, pos);
    }
}

/* Switches on what is given and not current; pos->f->negated is what to switch
 * back behind it. */
static void insert_attributes(struct ydoc *doc, struct text_pos *pos)
{
    struct text_frame *f = pos->f;

    f->negated.n = 0;
    for (uint32_t i = 0; i < f->given.n; i++) {
        struct attr a = f->given.p[i], old = {0};
        const struct attr *current = format_find(&f->current, a.key);

        if (format_equal(doc, current, &a))
            continue;
        if (current != NULL) {
            old = *current;
        } else {
            old.outside = format_value(doc, NULL).p;
            old.len = 4;
        }
        old.key = a.key;
        format_set(doc, &f->negated, old);
        insert_format(doc, pos, a);
    }
}

static void insert_negated(struct ydoc *doc, struct text_pos *pos)
{
    struct text_frame *f = pos->f;

    while (pos->right != 0) {
        if (!item_deleted(&doc->items.p[pos->right])) {
            const struct attr *negated;
            struct attr a;

            if (!is_format_of(doc, pos->right))
                break;
            a = format_attr(doc, pos->right);
            negated = format_find(&f->negated, a.key);
            if (negated == NULL || !format_equal(doc, negated, &a))
                break;
            format_remove(&f->negated, a.key);
        }
        format_forward(doc, pos);
    }
    for (uint32_t i = 0; i < f->negated.n; i++)
        insert_format(doc, pos, f->negated.p[i]);
}

static void read_given(struct text_edit *t, struct text_frame *f, const struct delta_op *op)
{
    struct ydoc *doc = t->e.doc;

    f->given.n = 0;
    for (uint32_t i = 0; i < op->attrs; i++) {
        const struct delta_attr *from = &t->delta->attrs[op->attr + i];
        struct attr a = {0};

        a.key = store_intern(doc, from->key);
        a.outside = from->value.p;
        a.len = (uint32_t)from->value.len;
        format_set(doc, &f->given, a);
    }
}

/* ---- inserting ---- */

/* Current attributes that are not given end here. */
static void add_missing_nulls(struct ydoc *doc, struct text_frame *f)
{
    for (uint32_t i = 0; i < f->current.n; i++) {
        struct attr a = {f->current.p[i].key, 0, 4, format_value(doc, NULL).p};

        if (format_find(&f->given, a.key) == NULL)
            format_set(doc, &f->given, a);
    }
}

static void insert_content(struct text_edit *t, struct text_pos *pos)
{
    struct ydoc *doc = t->e.doc;

    add_missing_nulls(doc, pos->f);
    minimize_changes(doc, pos);
    insert_attributes(doc, pos);
    pos->right = edit_insert(
        &t->e, &(struct neighbours){doc->types.p[pos->type].list, pos->left, pos->right},
        &t->content, t->value);
    format_forward(doc, pos);
    insert_negated(doc, pos);
}

static void text_insert(struct edit *e)
{
    struct text_edit *t = (struct text_edit *)(void *)e;
    struct text_pos pos;

    find_position(t, &pos, t->delta == NULL);
    if (t->delta == NULL)
        format_copy(e->doc, &pos.f->given, &pos.f->current);
    else
        read_given(t, pos.f, t->delta->ops);
    insert_content(t, &pos);
    edit_give_frame(pos.f);
}

/* ---- deleting ---- */

static bool is_content(const struct item *it)
{
    return item_kind(it) == WIRE_STRING || item_kind(it) == WIRE_EMBED ||
           item_kind(it) == WIRE_TYPE;
}

static void delete_content(struct ydoc *doc, struct text_pos *pos, uint32_t len)
{
    uint32_t start = pos->right;

    format_copy(doc, &pos->f->start, &pos->f->current);
    for (; len > 0 && pos->right != 0; format_forward(doc, pos)) {
        const struct item *it = &doc->items.p[pos->right];

        if (item_deleted(it) || !is_content(it))
            continue;
        cut_right(doc, pos, len);
        len -= doc->items.p[pos->right].len;
        store_delete_item(doc, pos->right);
    }
    if (start != 0 && doc->types.p[pos->type].has_formats)
        format_clean_gap(doc, start, pos->right, pos->f);
}

static void text_delete(struct edit *e)
{
    struct text_edit *t = (struct text_edit *)(void *)e;
    struct text_pos pos;

    find_position(t, &pos, true);
    delete_content(e->doc, &pos, t->len);
    edit_give_frame(pos.f);
}

/* ---- formatting ---- */

/* One format inside the stretch that is being formatted. False: enough. */
static bool pass_format(struct ydoc *doc, struct text_pos *pos, uint32_t len)
{
    struct text_frame *f = pos->f;
    struct attr a = format_attr(doc, pos->right);
    const struct attr *given = format_find(&f->given, a.key);

    if (given == NULL)
        return true;
    if (format_equal(doc, given, &a)) {
        format_remove(&f->negated, a.key);
    } else {
        if (len == 0)
            return false;
        format_set(doc, &f->negated, a);
    }
    store_delete_item(doc, pos->right);
    return true;
}

static void insert_newlines(struct ydoc *doc, struct text_pos *pos, uint32_t n)
{
    uint32_t at = store_slab_take(doc, n);
    struct wire_struct s = {0};

    memset(doc->slab.p + at, '\n', n);
    s.ref = WIRE_STRING;
    s.len = n;
    s.body.len = n;
    pos->right = insert_kept(doc, pos, &s, at);
    format_forward(doc, pos);
}

static void format_content(struct ydoc *doc, struct text_pos *pos, uint32_t len)
{
    minimize_changes(doc, pos);
    insert_attributes(doc, pos);
    for (; pos->right != 0; format_forward(doc, pos)) {
        const struct item *it = &doc->items.p[pos->right];

        if (len == 0 &&
            (pos->f->negated.n == 0 || (!item_deleted(it) && item_kind(it) != WIRE_FORMAT)))
            break;
        if (item_deleted(it))
            continue;
        if (item_kind(it) == WIRE_FORMAT) {
            if (!pass_format(doc, pos, len))
                break;
            continue;
        }
        cut_right(doc, pos, len);
        len -= doc->items.p[pos->right].len;
    }
    if (len > 0)
        insert_newlines(doc, pos, len);
    insert_negated(doc, pos);
}

static void text_format(struct edit *e)
{
    struct text_edit *t = (struct text_edit *)(void *)e;
    struct text_pos pos;

    find_position(t, &pos, false);
    if (pos.right != 0) {
        read_given(t, pos.f, t->delta->ops);
        format_content(e->doc, &pos, t->len);
    }
    edit_give_frame(pos.f);
}

/* ---- deltas ---- */

static void set_string(struct wire_struct *s, struct ydoc_slice utf8, uint32_t units)
{
    memset(s, 0, sizeof(*s));
    s->ref = WIRE_STRING;
    s->body = utf8;
    s->len = units;
}

static void apply_op(struct text_edit *t, struct text_pos *pos, const struct delta_op *op)
{
    read_given(t, pos->f, op);
    switch (op->kind) {
    case DELTA_INSERT:
    case DELTA_EMBED:
        set_string(&t->content, op->insert, op->len);
        if (op->kind == DELTA_EMBED)
            t->content.ref = WIRE_EMBED;
        if (op->len > 0)
            insert_content(t, pos);
        break;
    case DELTA_RETAIN:
        format_content(t->e.doc, pos, op->len);
        break;
    case DELTA_DELETE:
        delete_content(t->e.doc, pos, op->len);
        break;
    }
}

static void apply_delta(struct edit *e)
{
    struct text_edit *t = (struct text_edit *)(void *)e;
    struct text_pos pos = {e->type, 0, edit_list_head(e->doc, e->type), edit_take_frame(e->doc)};

    for (size_t i = 0; i < t->delta->n; i++)
        apply_op(t, &pos, &t->delta->ops[i]);
    edit_give_frame(pos.f);
}

/* ---- public ---- */

static int run_with_attributes(struct text_edit t, struct ydoc *doc, ydoc_type type,
                               struct ydoc_slice attributes)
{
    struct delta delta;
    int rc;

    if (attributes.p == NULL)
        return edit_run(&t.e, doc, type, KINDS_TEXT);
    delta_init(&delta, &doc->alloc);
    t.delta = &delta;
    rc = delta_read_attributes(&delta, attributes, NULL);
    if (rc == 0)
        rc = edit_run(&t.e, doc, type, KINDS_TEXT);
    delta_fini(&delta);
    return rc;
}

static int insert_string(struct ydoc *doc, ydoc_type type, uint32_t index,
                         const struct wire_struct *content, struct ydoc_slice attributes)
{
    uint32_t length = ydoc_type_length(doc, type);
    bool watched = store_is_watched(doc); /* observers may edit, and then take themselves away */
    struct text_edit t = {0};
    int rc;

    t.e.work = text_insert;
    t.index = index;
    t.content = *content;
    rc = run_with_attributes(t, doc, type, attributes);
    if (rc == 0 && index <= length && !watched)
        typing_expect(doc, edit_resolve(doc, type), index + content->len);
    return rc;
}

int ydoc_text_insert(struct ydoc *doc, ydoc_type type, uint32_t index, struct ydoc_slice utf8,
                     struct ydoc_slice attributes)
{
    int64_t units = lib0_utf16_len(utf8.p, utf8.len);
    uint32_t number = edit_resolve(doc, type);
    struct wire_struct content;

    if (edit_check_len(doc, utf8.len) != 0)
        return YDOC_ELIMIT;
    if (units < 0)
        return YDOC_EMALFORMED;
    if (number == 0)
        return YDOC_ENOENT;
    if (units == 0)
        return 0;
    if (attributes.p == NULL && !doc->broken) {
        int rc = typing_insert(doc, number, index, utf8, (uint32_t)units);

        if (rc != 0)
            return rc > 0 ? 0 : rc;
    }
    set_string(&content, utf8, (uint32_t)units);
    return insert_string(doc, type, index, &content, attributes);
}

static const uint8_t no_attributes[] = {'{', '}'};

static struct ydoc_slice or_none(struct ydoc_slice attributes)
{
    struct ydoc_slice none = {no_attributes, sizeof(no_attributes)};

    return attributes.p != NULL ? attributes : none;
}

static int set_embed(const struct ydoc *doc, struct text_edit *t, const struct ydoc_value *value)
{
    t->content.len = 1;
    if (edit_check_len(doc, value->any.len) != 0 || edit_check_len(doc, value->name.len) != 0)
        return YDOC_ELIMIT;
    if (value->tag == YDOC_VALUE_TYPE) {
        if (value->kind > YDOC_KIND_XML_TEXT)
            return YDOC_EKIND;
        if (lib0_utf16_len(value->name.p, value->name.len) < 0)
            return YDOC_EMALFORMED;
        t->content.ref = WIRE_TYPE;
        t->content.type_ref = (uint8_t)value->kind;
        t->content.body = value->name;
        return 0;
    }
    if (value->tag != YDOC_VALUE_JSON || value->any.len == 0)
        return YDOC_EMALFORMED;
    t->content.ref = WIRE_EMBED;
    t->content.body = value->any;
    return ydoc_validate_json(value->any.p, value->any.len, doc->limits.nesting_max, NULL);
}

int ydoc_text_insert_embed(struct ydoc *doc, ydoc_type type, uint32_t index,
                           const struct ydoc_value *value, struct ydoc_slice attributes)
{
    struct text_edit t = {0};
    int rc = set_embed(doc, &t, value);

    t.e.work = text_insert;
    t.index = index;
    t.value = value;
    return rc != 0 ? rc : run_with_attributes(t, doc, type, or_none(attributes));
}

static int delete_range(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len)
{
    struct text_edit t = {0};

    t.e.work = text_delete;
    t.index = index;
    t.len = len;
    return edit_run(&t.e, doc, type, KINDS_TEXT);
}

int ydoc_text_delete(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len)
{
    uint32_t number = edit_resolve(doc, type);
    int rc;

    if (number == 0)
        return YDOC_ENOENT;
    if (len == 0)
        return 0;
    if (!doc->broken && (KINDS_TEXT & KIND_BIT(doc->types.p[number].ref)) != 0 &&
        (rc = typing_delete(doc, number, index, len)) != 0)
        return rc > 0 ? 0 : rc;
    return delete_range(doc, type, index, len);
}

int ydoc_text_format(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len,
                     struct ydoc_slice attributes)
{
    uint32_t length = ydoc_type_length(doc, type);
    struct text_edit t = {0};

    if (len == 0)
        return edit_resolve(doc, type) == 0 ? YDOC_ENOENT : 0;
    if (index < length && len > length - index && len - (length - index) > DELTA_NEWLINES_MAX)
        return YDOC_ERANGE;
    t.e.work = text_format;
    t.index = index;
    t.len = len;
    return run_with_attributes(t, doc, type, or_none(attributes));
}

int ydoc_text_apply_delta(struct ydoc *doc, ydoc_type type, struct ydoc_slice delta,
                          struct ydoc_error *err)
{
    struct text_edit t = {0};
    struct delta ops;
    int rc;

    t.e.work = apply_delta;
    t.delta = &ops;
    delta_init(&ops, &doc->alloc);
    rc = delta_read(&ops, delta, ydoc_type_length(doc, type), err);
    if (rc == 0) {
        rc = edit_run(&t.e, doc, type, KINDS_TEXT);
        if (rc != 0)
            ydoc__error(err, rc, 0, "%s", ydoc_strerror(rc));
    }
    delta_fini(&ops);
    return rc;
}

/* ---- reading ---- */

/* Half a surrogate pair becomes U+FFFD. */
static void append_units(const struct ydoc *doc, const struct item *it, uint32_t from, uint32_t to,
                         struct ydoc_buf *out)
{
    const uint8_t *p = doc->slab.p + it->content;
    struct ydoc__cut a = ydoc__utf8_cut(p, it->bytes, it->len, from);
    struct ydoc__cut b = ydoc__utf8_cut(p, it->bytes, it->len, to);
    size_t start = a.bytes + (a.inside ? 4 : 0);

    if (a.inside)
        ydoc_buf_append(out, "\xef\xbf\xbd", 3);
    if (b.bytes > start)
        ydoc_buf_append(out, p + start, b.bytes - start);
    if (b.inside && b.bytes >= start)
        ydoc_buf_append(out, "\xef\xbf\xbd", 3);
}

int ydoc_text_slice(const struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len,
                    struct ydoc_buf *out)
{
    uint32_t t = edit_resolve(doc, type), h, from;
    size_t len_before = out->len;
    struct spot spot;
    int rc;

    if (doc->broken || t == 0)
        return doc->broken ? YDOC_EBROKEN : YDOC_ENOENT;
    if (index > doc->types.p[t].length || len > doc->types.p[t].length - index)
        return YDOC_ERANGE;
    if (len == 0)
        return 0;
    rc = edit_find(doc, t, index + 1, &spot);
    if (rc != 0)
        return rc;
    from = spot.offset - 1;
    for (h = spot.item; len > 0; h = doc->items.p[h].right, from = 0) {
        const struct item *it = &doc->items.p[h];
        uint32_t n;

        if (item_deleted(it) || !item_countable(it))
            continue;
        n = it->len - from < len ? it->len - from : len;
        if (item_kind(it) == WIRE_STRING)
            append_units(doc, it, from, from + n, out);
        len -= n;
    }
    return ydoc__buf_finish(out, len_before, NULL);
}
