/* read - roots, plain text and JSON out of a document.
 *
 * Everything walks the lists once, from left to right. Types that nest too deep
 * are written as null.
 */
#include "ydoc/read.h"

#include <string.h>

#include "ydoc/any.h"
#include "ydoc/rich.h"

#define LIMIT_BYTES ((size_t)64 << 20)
#define LIMIT_TIMES 16

struct writer {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    enum text_style style;
    unsigned depth;
    size_t limit; /* of out->len */
};

size_t read_limit(const struct ydoc *doc, const struct ydoc_buf *out)
{
    return out->len + LIMIT_BYTES + LIMIT_TIMES * doc->memory_used;
}

int read_finish(struct ydoc_buf *out, size_t len_before, size_t limit)
{
    if (!out->failed && out->len > limit) {
        out->len = len_before;
        return YDOC_ELIMIT;
    }
    return ydoc__buf_finish(out, len_before, NULL);
}

static void write_type_json(struct writer *w, uint32_t type, enum ydoc_kind kind);

static void write_cstr(struct writer *w, const char *s)
{
    ydoc_buf_append(w->out, s, strlen(s));
}

/* ---- roots ---- */

static bool is_xml(uint8_t ref)
{
    return ref >= YDOC_KIND_XML_ELEMENT && ref <= YDOC_KIND_XML_TEXT;
}

static enum ydoc_kind kind_by_item(const struct ydoc *doc, const struct item *it)
{
    switch (item_kind(it)) {
    case WIRE_STRING:
    case WIRE_FORMAT:
    case WIRE_EMBED:
        return YDOC_KIND_TEXT;
    case WIRE_TYPE:
        return is_xml(doc->types.p[it->content].ref) ? YDOC_KIND_XML_FRAGMENT : YDOC_KIND_ARRAY;
    default:
        return YDOC_KIND_ARRAY;
    }
}

static enum ydoc_kind kind_of(const struct ydoc *doc, uint32_t type)
{
    const struct type *t = &doc->types.p[type];

    if (t->ref != YDOC_KIND_UNKNOWN)
        return (enum ydoc_kind)t->ref;
    if (t->formatted)
        return YDOC_KIND_TEXT;
    for (uint32_t h = read_list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        if (!item_deleted(&doc->items.p[h]))
            return kind_by_item(doc, &doc->items.p[h]);
    }
    for (uint32_t s = t->first; s != 0; s = doc->slots.p[s].next) {
        if (read_slot_value(doc, s) != NULL)
            return YDOC_KIND_MAP;
    }
    return YDOC_KIND_UNKNOWN;
}

bool ydoc_next_root(const struct ydoc *doc, uint32_t *iter, struct ydoc_root *out)
{
    uint32_t type;

    if (doc->broken || *iter >= doc->roots.n)
        return false;
    type = doc->roots.p[(*iter)++];
    out->name = store_key(doc, doc->types.p[type].name);
    out->kind = kind_of(doc, type);
    out->length = doc->types.p[type].length;
    return true;
}

int read_find_root(const struct ydoc *doc, struct ydoc_slice root, uint32_t *type)
{
    if (doc->broken)
        return YDOC_EBROKEN;
    *type = store_find_root(doc, root);
    return *type == 0 ? YDOC_ENOENT : 0;
}

static void append_text(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    for (uint32_t h = read_list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (item_kind(it) == WIRE_STRING && !item_deleted(it))
            ydoc_buf_append(out, doc->slab.p + it->content, it->bytes);
    }
}

int ydoc__read_text(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    size_t len_before = out->len;

    append_text(doc, type, out);
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_read_text(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    if (rc != 0)
        return rc;
    return ydoc__read_text(doc, type, out);
}

/* ---- values ---- */

void read_write_stored(struct ydoc_buf *out, struct ydoc_slice stored, enum text_style style)
{
    struct lib0_reader value;

    if (any_is_stored_any(stored)) {
        lib0_reader_init(&value, stored.p + 1, stored.len - 1);
        text_write_any(out, &value, style);
    } else if (ydoc__is(stored, "undefined")) {
        ydoc__write(out, style == TEXT_TAGGED ? "{\"$u\":1}" : "null");
    } else {
        ydoc_buf_append(out, stored.p, stored.len);
    }
}

/* Content of one element. */
static void write_single(struct writer *w, const struct item *it)
{
    struct ydoc_slice body = read_content(w->doc, it);

    switch (item_kind(it)) {
    case WIRE_BINARY:
        text_write_bytes(w->out, body, w->style);
        break;
    case WIRE_EMBED:
        read_write_stored(w->out, body, w->style);
        break;
    case WIRE_TYPE:
        write_type_json(w, it->content, kind_of(w->doc, it->content));
        break;
    case WIRE_DOC:
        text_write_doc(w->out, body, w->style);
        break;
    default: /* a format where a key's value stands: Yjs finds nothing in it */
        read_write_stored(w->out, ydoc__slice("undefined"), w->style);
    }
}

/* An array shows a text character by character. */
static void write_characters(struct writer *w, struct ydoc_slice text, uint32_t from, bool *first)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = ydoc__utf8_len(text.p[i]);
        struct ydoc_slice one = {text.p + i, n};

        i += n;
        if (from > 0) {
            from -= n == 4 && from > 1 ? 2 : 1;
            continue;
        }
        write_cstr(w, *first ? "" : ",");
        *first = false;
        text_write_string(w->out, one);
    }
}

/* The elements of an item from number `from` on, with commas between. */
static void write_elements(struct writer *w, const struct item *it, uint32_t from, bool *first)
{
    struct ydoc_slice body = read_content(w->doc, it);
    struct lib0_reader r;

    if (item_kind(it) == WIRE_STRING) {
        write_characters(w, body, from, first);
        return;
    }
    if (item_kind(it) != WIRE_ANY && item_kind(it) != WIRE_JSON) {
        write_cstr(w, *first ? "" : ",");
        *first = false;
        write_single(w, it);
        return;
    }
    lib0_reader_init(&r, body.p, body.len);
    for (uint32_t i = 0; i < it->len; i++) {
        if (i < from && item_kind(it) == WIRE_ANY) {
            ydoc__any_skip(&r, YDOC__NESTING_MAX);
            continue;
        }
        if (i < from) {
            lib0_read_varbytes(&r);
            continue;
        }
        write_cstr(w, *first ? "" : ",");
        *first = false;
        if (item_kind(it) == WIRE_ANY)
            text_write_any(w->out, &r, w->style);
        else
            read_write_stored(w->out, lib0_read_varbytes(&r), w->style);
    }
}

static void write_list(struct writer *w, uint32_t type)
{
    bool first = true;

    write_cstr(w, "[");
    for (uint32_t h = read_list_start(w->doc, type); h != 0; h = w->doc->items.p[h].right) {
        const struct item *it = &w->doc->items.p[h];

        if (!item_deleted(it) && item_countable(it) && w->out->len <= w->limit)
            write_elements(w, it, 0, &first);
    }
    write_cstr(w, "]");
}

static bool has_values(const struct ydoc *doc, uint32_t type)
{
    for (uint32_t s = doc->types.p[type].first; s != 0; s = doc->slots.p[s].next) {
        if (read_slot_value(doc, s) != NULL)
            return true;
    }
    return false;
}

void read_members(const struct ydoc *doc, uint32_t type, struct ydoc_buf *members)
{
    struct json_member *v;
    size_t n = 0;

    for (int index = 1; index >= 0; index--) {
        for (uint32_t s = doc->types.p[type].first; s != 0; s = doc->slots.p[s].next) {
            struct json_member m = {.key = store_key(doc, doc->slots.p[s].key), .number = s};

            if (read_slot_value(doc, s) != NULL && json_is_index(m.key) == (index == 1))
                ydoc_buf_append(members, &m, sizeof(m));
        }
        v = read_members_of(members, &n);
        if (index == 1)
            json_sort_members(v, n, json_compare_index);
    }
}

/* The value of a key is the last element of its item. */
static void write_map(struct writer *w, uint32_t type)
{
    bool first_member = true;
    struct ydoc_buf members;
    struct json_member *v;
    size_t n;

    ydoc_buf_init(&members, &w->out->alloc);
    read_members(w->doc, type, &members);
    v = read_members_of(&members, &n);
    write_cstr(w, "{");
    for (size_t i = 0; i < n && w->out->len <= w->limit; i++) {
        const struct item *it = read_slot_value(w->doc, v[i].number);
        bool first = true;

        write_cstr(w, first_member ? "" : ",");
        first_member = false;
        text_write_string(w->out, v[i].key);
        write_cstr(w, ":");
        write_elements(w, it, it->len - 1, &first);
    }
    write_cstr(w, "}");
    if (members.failed)
        w->out->failed = true;
    ydoc_buf_fini(&members);
}

void read_write_last(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                     unsigned depth)
{
    struct writer w = {doc, out, TEXT_PLAIN, depth, read_limit(doc, out)};
    bool first = true;

    write_elements(&w, it, it->len - 1, &first);
}

/* ---- text ---- */

static void end_op(struct writer *w, const struct rich *r)
{
    size_t n;
    const struct rich_attribute *a = rich_attributes(r, &n);

    if (n > 0) {
        write_cstr(w, ",\"attributes\":{");
        for (size_t i = 0; i < n; i++) {
            write_cstr(w, i > 0 ? "," : "");
            text_write_string(w->out, a[i].key);
            write_cstr(w, ":");
            read_write_stored(w->out, a[i].value, w->style);
        }
        write_cstr(w, "}");
    }
    write_cstr(w, "}");
}

/* Y.Text's toDelta(). */
static void write_delta(struct writer *w, uint32_t type)
{
    struct rich r;
    bool first = true;

    rich_init(&r, w->doc, type, &w->out->alloc);
    write_cstr(w, "[");
    while (w->out->len <= w->limit && rich_next(&r)) {
        write_cstr(w, first ? "{\"insert\":" : ",{\"insert\":");
        first = false;
        if (r.embed != NULL)
            write_single(w, r.embed);
        else
            text_write_string(w->out, ydoc_buf_slice(&r.text));
        end_op(w, &r);
    }
    write_cstr(w, "]");
    if (rich_failed(&r))
        w->out->failed = true;
    rich_fini(&r);
}

static bool is_plain_text(const struct ydoc *doc, uint32_t type)
{
    for (uint32_t h = read_list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (!item_deleted(it) && item_kind(it) != WIRE_STRING)
            return false;
    }
    return true;
}

static void write_plain_text(struct writer *w, uint32_t type)
{
    struct ydoc_buf text;

    if (!is_plain_text(w->doc, type)) {
        write_delta(w, type);
        return;
    }
    ydoc_buf_init(&text, &w->out->alloc);
    append_text(w->doc, type, &text);
    text_write_string(w->out, ydoc_buf_slice(&text));
    if (text.failed)
        w->out->failed = true;
    ydoc_buf_fini(&text);
}

/* ---- XML ---- */

static void write_xml_string(struct writer *w, uint32_t type)
{
    struct ydoc_buf xml;

    ydoc_buf_init(&xml, &w->out->alloc);
    if (ydoc__read_xml(w->doc, type, true, &xml) == 0)
        text_write_string(w->out, ydoc_buf_slice(&xml));
    else
        w->out->failed = true;
    ydoc_buf_fini(&xml);
}

/* ---- types ---- */

static void write_tagged_element(struct writer *w, uint32_t type)
{
    write_cstr(w, "{\"$el\":");
    /* A root's name is not a node's. */
    if (w->doc->types.p[type].item != 0)
        text_write_string(w->out, store_key(w->doc, w->doc->types.p[type].name));
    else
        write_cstr(w, "\"UNDEFINED\"");
    write_cstr(w, ",\"a\":");
    write_map(w, type);
    write_cstr(w, ",\"c\":");
    write_list(w, type);
    write_cstr(w, "}");
}

static void write_tagged(struct writer *w, uint32_t type, enum ydoc_kind kind)
{
    switch (kind) {
    case YDOC_KIND_TEXT:
    case YDOC_KIND_XML_TEXT:
        write_cstr(w, kind == YDOC_KIND_TEXT ? "{\"$text\":" : "{\"$xtext\":");
        write_delta(w, type);
        if (has_values(w->doc, type)) {
            write_cstr(w, ",\"attrs\":");
            write_map(w, type);
        }
        break;
    case YDOC_KIND_MAP:
        write_cstr(w, "{\"$map\":");
        write_map(w, type);
        break;
    case YDOC_KIND_XML_FRAGMENT:
        write_cstr(w, "{\"$frag\":");
        write_list(w, type);
        break;
    case YDOC_KIND_XML_HOOK:
        write_cstr(w, "{\"$hook\":");
        text_write_string(w->out, store_key(w->doc, w->doc->types.p[type].name));
        write_cstr(w, ",\"m\":");
        write_map(w, type);
        break;
    case YDOC_KIND_XML_ELEMENT:
        write_tagged_element(w, type);
        return;
    default:
        write_list(w, type);
        return;
    }
    write_cstr(w, "}");
}

static void write_plain(struct writer *w, uint32_t type, enum ydoc_kind kind)
{
    switch (kind) {
    case YDOC_KIND_TEXT:
        write_plain_text(w, type);
        break;
    case YDOC_KIND_MAP:
        write_map(w, type);
        break;
    case YDOC_KIND_ARRAY:
        write_list(w, type);
        break;
    case YDOC_KIND_UNKNOWN:
        write_cstr(w, "null");
        break;
    default:
        write_xml_string(w, type);
    }
}

static void write_type_json(struct writer *w, uint32_t type, enum ydoc_kind kind)
{
    if (++w->depth > READ_DEPTH_MAX)
        write_cstr(w, "null");
    else if (w->style == TEXT_TAGGED)
        write_tagged(w, type, kind);
    else
        write_plain(w, type, kind);
    w->depth--;
}

int ydoc__read_type(const struct ydoc *doc, uint32_t type, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out)
{
    struct writer w = {doc, out, style, 0, read_limit(doc, out)};
    size_t len_before = out->len;

    write_type_json(&w, type, kind == YDOC_KIND_UNKNOWN ? kind_of(doc, type) : kind);
    return read_finish(out, len_before, w.limit);
}

int ydoc__read_delta(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    struct writer w = {doc, out, TEXT_PLAIN, 0, read_limit(doc, out)};
    size_t len_before = out->len;

    write_delta(&w, type);
    return read_finish(out, len_before, w.limit);
}

int ydoc__read_root(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    return rc != 0 ? rc : ydoc__read_type(doc, type, kind, style, out);
}

int ydoc_read_root_json(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                        struct ydoc_buf *out)
{
    return ydoc__read_root(doc, root, kind, TEXT_PLAIN, out);
}

int ydoc_read_delta(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    return rc != 0 ? rc : ydoc__read_delta(doc, type, out);
}

int ydoc_read_json(const struct ydoc *doc, struct ydoc_buf *out)
{
    struct writer w = {doc, out, TEXT_PLAIN, 0, read_limit(doc, out)};
    size_t len_before = out->len;
    struct ydoc_root root;
    uint32_t iter = 0;

    if (doc->broken)
        return YDOC_EBROKEN;
    write_cstr(&w, "{");
    while (ydoc_next_root(doc, &iter, &root)) {
        write_cstr(&w, iter > 1 ? "," : "");
        text_write_string(out, root.name);
        write_cstr(&w, ":");
        write_type_json(&w, doc->roots.p[iter - 1], root.kind);
    }
    write_cstr(&w, "}");
    return read_finish(out, len_before, w.limit);
}
