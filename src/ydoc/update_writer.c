/* update_writer - see update_writer.h; wire2.c has the layout of v2. */
#include "ydoc/update_writer.h"

#include <string.h>

#include "ydoc/any.h"
#include "ydoc/json.h"

static void init_columns(struct update_columns *c, const struct ydoc_alloc *alloc)
{
    column_writer_init(&c->key, alloc);
    column_writer_init(&c->client, alloc);
    column_writer_init(&c->left, alloc);
    column_writer_init(&c->right, alloc);
    column_writer_init(&c->info, alloc);
    column_writer_init(&c->units, alloc);
    column_writer_init(&c->parent, alloc);
    column_writer_init(&c->type, alloc);
    column_writer_init(&c->len, alloc);
    ydoc_buf_init(&c->text, alloc);
}

void update_writer_init(struct update_writer *w, enum wire_version version,
                        const struct ydoc_alloc *alloc)
{
    memset(w, 0, sizeof(*w));
    w->version = version;
    ydoc_buf_init(&w->body, alloc);
    ydoc_buf_init(&w->marks, alloc);
    init_columns(&w->v2, alloc);
}

void update_writer_fini(struct update_writer *w)
{
    ydoc_buf_fini(&w->body);
    ydoc_buf_fini(&w->marks);
    column_writer_fini(&w->v2.key);
    column_writer_fini(&w->v2.client);
    column_writer_fini(&w->v2.left);
    column_writer_fini(&w->v2.right);
    column_writer_fini(&w->v2.info);
    column_writer_fini(&w->v2.units);
    column_writer_fini(&w->v2.parent);
    column_writer_fini(&w->v2.type);
    column_writer_fini(&w->v2.len);
    ydoc_buf_fini(&w->v2.text);
}

/* ---- a struct in v2 ---- */

static void end_text(struct update_columns *c, size_t at)
{
    if (!c->text.failed)
        column_write_uint(&c->units, (uint64_t)lib0_utf16_len(c->text.p + at, c->text.len - at));
}

static void write_name(struct update_columns *c, struct ydoc_slice s)
{
    size_t at = c->text.len;

    ydoc_buf_append(&c->text, s.p, s.len);
    if (s.len > 0)
        end_text(c, at);
    else
        column_write_uint(&c->units, 0);
}

/* Yjs has a table of the keys that it wrote, and never puts one in. */
static void write_key(struct update_columns *c, struct ydoc_slice s)
{
    column_write_diff(&c->key, c->keys++);
    write_name(c, s);
}

static void write_texts(struct update_columns *c, struct ydoc_slice body)
{
    struct lib0_reader r;

    lib0_reader_init(&r, body.p, body.len);
    while (lib0_left(&r) > 0) {
        struct ydoc_slice json = lib0_read_varbytes(&r);
        size_t at = c->text.len;

        if (json.len == 9 && memcmp(json.p, "undefined", 9) == 0)
            ydoc_buf_append(&c->text, json.p, json.len);
        else
            json_write(&c->text, json);
        end_text(c, at);
    }
}

static void write_string(struct update_columns *c, const struct wire_struct *s, uint32_t offset)
{
    bool replaced;
    struct ydoc_slice body = wire_body_from(s, offset, &replaced);

    if (replaced)
        ydoc_buf_append(&c->text, "\xef\xbf\xbd", 3);
    ydoc_buf_append(&c->text, body.p, body.len);
    column_write_uint(&c->units, s->len - offset);
}

static void write_value(struct update_writer *w, const struct wire_struct *s)
{
    if (s->any)
        any_write(&w->body, s->value);
    else
        any_write_from_json(&w->body, s->value);
}

static void write_content(struct update_writer *w, const struct wire_struct *s, uint32_t offset)
{
    struct update_columns *c = &w->v2;
    struct ydoc_slice guid = s->key;
    bool replaced;

    switch (s->ref) {
    case WIRE_DELETED:
        column_write_uint(&c->len, s->len - offset);
        return;
    case WIRE_JSON:
        column_write_uint(&c->len, s->len - offset);
        write_texts(c, wire_body_from(s, offset, &replaced));
        return;
    case WIRE_ANY:
        column_write_uint(&c->len, s->len - offset);
        any_write(&w->body, wire_body_from(s, offset, &replaced));
        return;
    case WIRE_BINARY:
        lib0_write_varbytes(&w->body, s->body.p, s->body.len);
        return;
    case WIRE_STRING:
        write_string(c, s, offset);
        return;
    case WIRE_FORMAT:
        write_key(c, s->key);
        write_value(w, s);
        return;
    case WIRE_EMBED:
        write_value(w, s);
        return;
    case WIRE_TYPE:
        column_write_uint(&c->type, s->type_ref);
        if (s->type_ref == YDOC_KIND_XML_ELEMENT || s->type_ref == YDOC_KIND_XML_HOOK)
            write_key(c, s->body);
        return;
    default:
        any_write_doc_options(&w->body, s->value, &guid);
        write_name(c, guid);
    }
}

static void write_parent(struct update_columns *c, const struct wire_struct *s)
{
    column_write_u8(&c->parent, s->root);
    if (s->root) {
        write_name(c, s->parent_name);
    } else {
        column_write_uint(&c->client, s->parent_client);
        column_write_diff(&c->left, s->parent_clock);
    }
    if (s->info & WIRE_HAS_SUB)
        write_name(c, s->sub);
}

static void write_v2(struct update_writer *w, const struct wire_struct *s, uint32_t offset,
                     uint8_t info)
{
    struct update_columns *c = &w->v2;

    if (s->ref == WIRE_GC || s->ref == WIRE_SKIP) {
        column_write_u8(&c->info, s->ref);
        if (s->ref == WIRE_GC)
            column_write_uint(&c->len, s->len - offset);
        else
            lib0_write_varuint(&w->body, s->len - offset);
        return;
    }
    column_write_u8(&c->info, info);
    if (info & WIRE_HAS_ORIGIN) {
        column_write_uint(&c->client, offset > 0 ? s->client : s->origin_client);
        column_write_diff(&c->left, offset > 0 ? s->clock + offset - 1 : s->origin_clock);
    }
    if (info & WIRE_HAS_RIGHT) {
        column_write_uint(&c->client, s->right_client);
        column_write_diff(&c->right, s->right_clock);
    }
    if ((info & (WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT)) == 0)
        write_parent(c, s);
    write_content(w, s, offset);
}

/* ---- sections ---- */

static void copy_run(struct update_writer *w)
{
    if (w->run != NULL)
        ydoc_buf_append(&w->body, w->run, (size_t)(w->run_end - w->run));
    w->run = NULL;
}

static void close_section(struct update_writer *w)
{
    copy_run(w);
    if (w->open.structs > 0)
        ydoc_buf_append(&w->marks, &w->open, sizeof(w->open));
    w->open.structs = 0;
}

/* Yjs opens a section for another client only. One for a struct that does not go on
 * where the last one ended, too, keeps what is written readable when somebody's
 * update names a client twice; no update of Yjs's does that without one between. */
static void open_section(struct update_writer *w, uint64_t client, uint64_t clock)
{
    if (w->open.structs > 0 && (w->client != client || w->next != clock))
        close_section(w);
    if (w->open.structs > 0)
        return;
    w->client = client;
    w->open.at = w->body.len;
    if (w->version == WIRE_V2)
        column_write_uint(&w->v2.client, client);
    else
        lib0_write_varuint(&w->body, client);
    lib0_write_varuint(&w->body, clock);
}

void update_writer_add_as(struct update_writer *w, const struct wire_struct *s, uint32_t offset,
                          uint8_t info)
{
    open_section(w, s->client, (uint64_t)s->clock + offset);
    if (w->version == WIRE_V2) {
        write_v2(w, s, offset, info);
    } else if (offset == 0 && w->run != NULL && w->run_end == s->start && wire_is_written(s)) {
        w->run_end = s->end;
    } else {
        copy_run(w);
        if (offset == 0 && wire_is_written(s)) {
            w->run = s->start;
            w->run_end = s->end;
        } else {
            wire_write(&w->body, s, offset, w->version);
        }
    }
    w->next = (uint64_t)s->clock + s->len;
    w->open.structs++;
}

void update_writer_add(struct update_writer *w, const struct wire_struct *s, uint32_t offset)
{
    update_writer_add_as(w, s, offset, wire_info_from(s, offset));
}

/* ---- the end ---- */

static void append_column(struct ydoc_buf *out, const struct ydoc_buf *column)
{
    lib0_write_varbytes(out, column->p, column->len);
    if (column->failed)
        out->failed = true;
}

static void append_text(struct ydoc_buf *out, const struct update_columns *c)
{
    size_t text = lib0_varuint_len(c->text.len) + c->text.len;

    lib0_write_varuint(out, text + c->units.buf.len);
    append_column(out, &c->text);
    ydoc_buf_append(out, c->units.buf.p, c->units.buf.len);
    if (c->units.buf.failed)
        out->failed = true;
}

static void append_columns(struct ydoc_buf *out, struct update_columns *c)
{
    column__end_diff(&c->key);
    column__end_uint(&c->client);
    column__end_diff(&c->left);
    column__end_diff(&c->right);
    column__end_uint(&c->units);
    column__end_uint(&c->type);
    column__end_uint(&c->len);
    lib0_write_u8(out, 0);
    append_column(out, &c->key.buf);
    append_column(out, &c->client.buf);
    append_column(out, &c->left.buf);
    append_column(out, &c->right.buf);
    append_column(out, &c->info.buf);
    append_text(out, c);
    append_column(out, &c->parent.buf);
    append_column(out, &c->type.buf);
    append_column(out, &c->len.buf);
}

void update_writer_finish(struct update_writer *w, struct dset *deletes, struct ydoc_buf *out)
{
    size_t n;

    close_section(w);
    if (w->body.failed || w->marks.failed) {
        out->failed = true;
        return;
    }
    if (w->version == WIRE_V2)
        append_columns(out, &w->v2);
    n = w->marks.len / sizeof(struct section_mark);
    lib0_write_varuint(out, n);
    for (size_t i = 0; i < n; i++) {
        struct section_mark m, next = {w->body.len, 0};

        memcpy(&m, w->marks.p + i * sizeof(m), sizeof(m));
        if (i + 1 < n)
            memcpy(&next, w->marks.p + (i + 1) * sizeof(m), sizeof(m));
        lib0_write_varuint(out, m.structs);
        ydoc_buf_append(out, w->body.p + m.at, next.at - m.at);
    }
    if (w->version == WIRE_V2)
        dset_write_v2(deletes, out);
    else
        dset_write(deletes, out);
}
