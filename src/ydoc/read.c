/* read - roots, plain text and JSON out of a document.
 *
 * Everything walks the lists once, from left to right. Types nest without
 * bound in a document and the walk recurses, so below READ_DEPTH_MAX a type is
 * written as null. Of a text's attributes at most ATTRIBUTES_MAX are kept at a
 * time: a peer could otherwise make reading quadratic.
 */
#include "ydoc/read.h"

#include <string.h>

#include "ydoc/any.h"
#include "ydoc/store.h"

#define READ_DEPTH_MAX 200
#define ATTRIBUTES_MAX 256

struct writer {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    enum text_style style;
    unsigned depth;
};

static void write_type_json(struct writer *w, uint32_t type, enum ydoc_kind kind);

static void write_cstr(struct writer *w, const char *s)
{
    ydoc_buf_append(w->out, s, strlen(s));
}

static struct ydoc_slice content_of(const struct ydoc *doc, const struct item *it)
{
    struct ydoc_slice s = {item_bytes(doc, it), it->bytes};

    return s;
}

static uint32_t list_start(const struct ydoc *doc, uint32_t type)
{
    return doc->slots.p[doc->types.p[type].list].head;
}

/* The live value of a map slot, or NULL. */
static const struct item *slot_value(const struct ydoc *doc, uint32_t slot)
{
    uint32_t h = doc->slots.p[slot].head;

    return h != 0 && !item_deleted(&doc->items.p[h]) ? &doc->items.p[h] : NULL;
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
    for (uint32_t h = list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        if (!item_deleted(&doc->items.p[h]))
            return kind_by_item(doc, &doc->items.p[h]);
    }
    for (uint32_t s = t->first; s != 0; s = doc->slots.p[s].next) {
        if (slot_value(doc, s) != NULL)
            return YDOC_KIND_MAP;
    }
    return YDOC_KIND_UNKNOWN;
}

bool ydoc_next_root(const struct ydoc *doc, uint32_t *iter, struct ydoc_root *out)
{
    uint32_t type;

    if (*iter >= doc->roots.n)
        return false;
    type = doc->roots.p[(*iter)++];
    out->name = store_key(doc, doc->types.p[type].name);
    out->kind = kind_of(doc, type);
    out->length = doc->types.p[type].length;
    return true;
}

static int find_root(const struct ydoc *doc, struct ydoc_slice root, uint32_t *type)
{
    if (doc->broken)
        return YDOC_EBROKEN;
    *type = store_find_root(doc, root);
    return *type == 0 ? YDOC_ENOENT : 0;
}

static void append_text(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    for (uint32_t h = list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (item_kind(it) == WIRE_STRING && !item_deleted(it))
            ydoc_buf_append(out, doc->slab.p + it->content, it->bytes);
    }
}

int ydoc_read_text(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    uint32_t type;
    int rc = find_root(doc, root, &type);

    if (rc != 0)
        return rc;
    append_text(doc, type, out);
    return ydoc__buf_finish(out, len_before, NULL);
}

/* ---- values ---- */

static void write_json_text(struct writer *w, struct ydoc_slice json)
{
    struct lib0_reader value;

    if (any_is_stored_any(json)) {
        lib0_reader_init(&value, json.p + 1, json.len - 1);
        text_write_any(w->out, &value, w->style);
    } else if (json.len == 9 && memcmp(json.p, "undefined", 9) == 0)
        write_cstr(w, w->style == TEXT_TAGGED ? "{\"$u\":1}" : "null");
    else
        ydoc_buf_append(w->out, json.p, json.len);
}

static void write_bytes(struct writer *w, struct ydoc_slice bytes)
{
    write_cstr(w, w->style == TEXT_TAGGED ? "{\"$bin\":" : "");
    text_write_base64(w->out, bytes);
    write_cstr(w, w->style == TEXT_TAGGED ? "}" : "");
}

/* Content of one element. */
static void write_single(struct writer *w, const struct item *it)
{
    struct ydoc_slice body = content_of(w->doc, it);

    switch (item_kind(it)) {
    case WIRE_BINARY:
        write_bytes(w, body);
        break;
    case WIRE_EMBED:
        write_json_text(w, body);
        break;
    case WIRE_TYPE:
        write_type_json(w, it->content, kind_of(w->doc, it->content));
        break;
    case WIRE_DOC:
        text_write_doc(w->out, body, w->style);
        break;
    default:
        write_cstr(w, "null");
    }
}

/* An array shows a text character by character. */
static void write_characters(struct writer *w, struct ydoc_slice text, uint32_t from, bool *first)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = text.p[i] < 0x80 ? 1 : text.p[i] < 0xe0 ? 2 : text.p[i] < 0xf0 ? 3 : 4;
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
    struct ydoc_slice body = content_of(w->doc, it);
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
            write_json_text(w, lib0_read_varbytes(&r));
    }
}

static void write_list(struct writer *w, uint32_t type)
{
    bool first = true;

    write_cstr(w, "[");
    for (uint32_t h = list_start(w->doc, type); h != 0; h = w->doc->items.p[h].right) {
        const struct item *it = &w->doc->items.p[h];

        if (!item_deleted(it) && item_countable(it))
            write_elements(w, it, 0, &first);
    }
    write_cstr(w, "]");
}

static bool has_values(const struct ydoc *doc, uint32_t type)
{
    for (uint32_t s = doc->types.p[type].first; s != 0; s = doc->slots.p[s].next) {
        if (slot_value(doc, s) != NULL)
            return true;
    }
    return false;
}

/* The value of a key is the last element of its item. */
static void write_map(struct writer *w, uint32_t type)
{
    bool first_member = true;

    write_cstr(w, "{");
    for (uint32_t s = w->doc->types.p[type].first; s != 0; s = w->doc->slots.p[s].next) {
        const struct item *it = slot_value(w->doc, s);
        bool first = true;

        if (it == NULL || !item_countable(it))
            continue;
        write_cstr(w, first_member ? "" : ",");
        first_member = false;
        text_write_string(w->out, store_key(w->doc, w->doc->slots.p[s].key));
        write_cstr(w, ":");
        write_elements(w, it, it->len - 1, &first);
    }
    write_cstr(w, "}");
}

/* ---- text ---- */

struct attribute {
    struct ydoc_slice key, value;
};

struct attributes {
    struct attribute v[ATTRIBUTES_MAX];
    size_t n;
};

static bool slice_equals(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void apply_format(struct attributes *a, struct ydoc_slice body)
{
    struct attribute f;
    struct lib0_reader r;
    size_t i = 0;

    lib0_reader_init(&r, body.p, body.len);
    f.key = lib0_read_varbytes(&r);
    f.value = lib0_read_varbytes(&r);
    while (i < a->n && !slice_equals(a->v[i].key, f.key))
        i++;
    if (f.value.len == 4 && memcmp(f.value.p, "null", 4) == 0) {
        if (i < a->n)
            memmove(&a->v[i], &a->v[i + 1], (--a->n - i) * sizeof(f));
    } else if (i < ATTRIBUTES_MAX) {
        a->v[i] = f;
        a->n += i == a->n;
    }
}

static void end_op(struct writer *w, const struct attributes *a)
{
    if (a->n > 0) {
        write_cstr(w, ",\"attributes\":{");
        for (size_t i = 0; i < a->n; i++) {
            write_cstr(w, i > 0 ? "," : "");
            text_write_string(w->out, a->v[i].key);
            write_cstr(w, ":");
            write_json_text(w, a->v[i].value);
        }
        write_cstr(w, "}");
    }
    write_cstr(w, "}");
}

static void write_text_op(struct writer *w, struct ydoc_buf *text, const struct attributes *a,
                          bool *first)
{
    if (text->len == 0)
        return;
    write_cstr(w, *first ? "{\"insert\":" : ",{\"insert\":");
    *first = false;
    text_write_string(w->out, ydoc_buf_slice(text));
    end_op(w, a);
    ydoc_buf_reset(text);
}

/* Y.Text's toDelta(): an op ends wherever a format item stands. */
static void write_delta(struct writer *w, uint32_t type)
{
    struct attributes a;
    struct ydoc_buf text;
    bool first = true;

    a.n = 0;
    ydoc_buf_init(&text, &w->out->alloc);
    write_cstr(w, "[");
    for (uint32_t h = list_start(w->doc, type); h != 0; h = w->doc->items.p[h].right) {
        const struct item *it = &w->doc->items.p[h];
        uint8_t kind = item_kind(it);

        if (item_deleted(it))
            continue;
        if (kind == WIRE_STRING) {
            ydoc_buf_append(&text, w->doc->slab.p + it->content, it->bytes);
        } else if (kind == WIRE_FORMAT) {
            write_text_op(w, &text, &a, &first);
            apply_format(&a, content_of(w->doc, it));
        } else if (kind == WIRE_EMBED || kind == WIRE_TYPE) {
            write_text_op(w, &text, &a, &first);
            write_cstr(w, first ? "{\"insert\":" : ",{\"insert\":");
            first = false;
            write_single(w, it);
            end_op(w, &a);
        }
    }
    write_text_op(w, &text, &a, &first);
    write_cstr(w, "]");
    if (text.failed)
        w->out->failed = true;
    ydoc_buf_fini(&text);
}

static bool is_plain_text(const struct ydoc *doc, uint32_t type)
{
    for (uint32_t h = list_start(doc, type); h != 0; h = doc->items.p[h].right) {
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

static void write_escaped(struct ydoc_buf *out, struct ydoc_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char *escape = s.p[i] == '<'   ? "&lt;"
                             : s.p[i] == '>' ? "&gt;"
                             : s.p[i] == '&' ? "&amp;"
                             : s.p[i] == '"' ? "&quot;"
                                             : NULL;

        if (escape != NULL)
            ydoc_buf_append(out, escape, strlen(escape));
        else
            lib0_write_u8(out, s.p[i]);
    }
}

/* Attributes are strings as a rule; another value is written as its JSON. */
static void write_xml_attributes(struct writer *w, uint32_t type, struct ydoc_buf *xml)
{
    for (uint32_t s = w->doc->types.p[type].first; s != 0; s = w->doc->slots.p[s].next) {
        const struct item *it = slot_value(w->doc, s);
        struct ydoc_buf value;
        struct writer inner = *w;
        bool first = true;

        if (it == NULL || !item_countable(it))
            continue;
        ydoc_buf_init(&value, &xml->alloc);
        inner.out = &value;
        if (item_kind(it) == WIRE_ANY && it->len == 1 && w->doc->slab.p[it->content] == 119) {
            struct lib0_reader r;
            struct ydoc_slice text;

            lib0_reader_init(&r, w->doc->slab.p + it->content + 1, it->bytes - 1);
            text = lib0_read_varbytes(&r);
            ydoc_buf_append(&value, text.p, text.len);
        } else {
            write_elements(&inner, it, it->len - 1, &first);
        }
        lib0_write_u8(xml, ' ');
        write_escaped(xml, store_key(w->doc, w->doc->slots.p[s].key));
        ydoc_buf_append(xml, "=\"", 2);
        write_escaped(xml, ydoc_buf_slice(&value));
        lib0_write_u8(xml, '"');
        ydoc_buf_fini(&value);
    }
}

static void write_xml(struct writer *w, uint32_t type, struct ydoc_buf *xml)
{
    const struct type *t = &w->doc->types.p[type];
    bool element = t->ref == YDOC_KIND_XML_ELEMENT || t->ref == YDOC_KIND_XML_HOOK;

    if (++w->depth > READ_DEPTH_MAX) {
        w->depth--;
        return;
    }
    if (element) {
        lib0_write_u8(xml, '<');
        write_escaped(xml, store_key(w->doc, t->name));
        write_xml_attributes(w, type, xml);
        lib0_write_u8(xml, '>');
    }
    for (uint32_t h = list_start(w->doc, type); h != 0; h = w->doc->items.p[h].right) {
        const struct item *it = &w->doc->items.p[h];

        if (item_deleted(it))
            continue;
        if (item_kind(it) == WIRE_STRING)
            write_escaped(xml, content_of(w->doc, it));
        else if (item_kind(it) == WIRE_TYPE)
            write_xml(w, it->content, xml);
    }
    if (element) {
        ydoc_buf_append(xml, "</", 2);
        write_escaped(xml, store_key(w->doc, t->name));
        lib0_write_u8(xml, '>');
    }
    w->depth--;
}

static void write_xml_string(struct writer *w, uint32_t type)
{
    struct ydoc_buf xml;

    ydoc_buf_init(&xml, &w->out->alloc);
    write_xml(w, type, &xml);
    text_write_string(w->out, ydoc_buf_slice(&xml));
    if (xml.failed)
        w->out->failed = true;
    ydoc_buf_fini(&xml);
}

/* ---- types ---- */

static void write_tagged_element(struct writer *w, uint32_t type)
{
    write_cstr(w, "{\"$el\":");
    if (w->doc->types.p[type].name != 0)
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

int ydoc__read_root(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out)
{
    struct writer w = {doc, out, style, 0};
    size_t len_before = out->len;
    uint32_t type;
    int rc = find_root(doc, root, &type);

    if (rc != 0)
        return rc;
    write_type_json(&w, type, kind == YDOC_KIND_UNKNOWN ? kind_of(doc, type) : kind);
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_read_root_json(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                        struct ydoc_buf *out)
{
    return ydoc__read_root(doc, root, kind, TEXT_PLAIN, out);
}

int ydoc_read_json(const struct ydoc *doc, struct ydoc_buf *out)
{
    struct writer w = {doc, out, TEXT_PLAIN, 0};
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
    return ydoc__buf_finish(out, len_before, NULL);
}
