/* xml - a type's XML, in two forms.
 *
 * Exact: what Yjs's toString() of XmlFragment, XmlElement and XmlText gives, byte
 * for byte. Element names in lower case, attributes sorted by key, each run of
 * formatted text inside one element a format, sorted by name, whose attributes are
 * the members of the format's value. Nothing is escaped. Values become text as
 * JavaScript's String() does it: an object is "[object Object]", and so is a type
 * that has no XML.
 *
 * Escaped: the same structure with text and values escaped, names made legal, and
 * hooks as elements, so that it is well-formed whatever a peer wrote.
 */
#include "ydoc/read.h"
#include "ydoc/rich.h"

#include <stdio.h>

#include "ydoc/any.h"

struct xml {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    bool escaped;
    unsigned depth;
    size_t limit;
};

static void write_type(struct xml *x, uint32_t type);

/* ---- text and names ---- */

static const char *escape_of(uint8_t c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\t':
    case '\n':
        return NULL;
    case '\r':
        return "&#13;";
    default:
        return c < 0x20 ? "\xef\xbf\xbd" : NULL; /* XML has no way to say it */
    }
}

static void write_chars(struct xml *x, struct ydoc_slice s)
{
    if (!x->escaped) {
        ydoc_buf_append(x->out, s.p, s.len);
        return;
    }
    for (size_t i = 0; i < s.len; i++) {
        const char *escape = escape_of(s.p[i]);

        if (escape != NULL)
            ydoc__write(x->out, escape);
        else
            lib0_write_u8(x->out, s.p[i]);
    }
}

static bool is_name_char(uint8_t c, bool first)
{
    if (c >= 0x80 || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return !first && (c == '-' || c == '.' || (c >= '0' && c <= '9'));
}

static void write_name(struct xml *x, struct ydoc_slice s)
{
    if (!x->escaped) {
        ydoc_buf_append(x->out, s.p, s.len);
        return;
    }
    for (size_t i = 0; i < s.len; i++)
        lib0_write_u8(x->out, is_name_char(s.p[i], i == 0) ? s.p[i] : '_');
    if (s.len == 0)
        lib0_write_u8(x->out, '_');
}

static void write_attribute_name(struct xml *x, struct ydoc_slice key)
{
    lib0_write_u8(x->out, ' ');
    write_name(x, key);
    ydoc__write(x->out, "=\"");
}

/* ---- JavaScript's String() ---- */

static void write_object(struct xml *x)
{
    ydoc__write(x->out, "[object Object]");
}

static void write_any(struct xml *x, struct lib0_reader *r, bool nested);

static void write_any_slice(struct xml *x, struct ydoc_slice any)
{
    struct lib0_reader r;

    lib0_reader_init(&r, any.p, any.len);
    write_any(x, &r, false);
}

/* In an array null and undefined are nothing. */
static void write_json_value(struct xml *x, struct ydoc_slice json, bool nested)
{
    struct json_member m;
    struct json_walk w;
    bool first = true;

    if (json_is_string(json)) {
        struct ydoc_buf text;

        ydoc_buf_init(&text, &x->out->alloc);
        json_write_text(&text, json);
        write_chars(x, ydoc_buf_slice(&text));
        x->out->failed = x->out->failed || text.failed;
        ydoc_buf_fini(&text);
    } else if (!json_open(&w, json)) {
        if (!nested || (!ydoc__is(json, "null") && !ydoc__is(json, "undefined")))
            ydoc_buf_append(x->out, json.p, json.len);
    } else if (w.object) {
        write_object(x);
    } else {
        for (; json_next(&w, &m); first = false) {
            ydoc__write(x->out, first ? "" : ",");
            write_json_value(x, m.value, true);
        }
    }
}

static void write_bytes(struct xml *x, struct ydoc_slice bytes)
{
    char s[8];

    for (size_t i = 0; i < bytes.len; i++) {
        snprintf(s, sizeof(s), i > 0 ? ",%u" : "%u", (unsigned)bytes.p[i]);
        ydoc__write(x->out, s);
    }
}

static void write_any(struct xml *x, struct lib0_reader *r, bool nested)
{
    uint8_t tag = r->p < r->end ? *r->p : ANY_NULL;
    double v;
    uint64_t n;

    if (tag == ANY_OBJECT) {
        ydoc__any_skip(r, YDOC__NESTING_MAX);
        write_object(x);
        return;
    }
    if (tag == ANY_TRUE || tag == ANY_FALSE || tag == ANY_BIGINT) {
        text_write_any(x->out, r, TEXT_PLAIN);
        return;
    }
    lib0_read_u8(r);
    switch (tag) {
    case ANY_BYTES:
        write_bytes(x, lib0_read_varbytes(r));
        return;
    case ANY_ARRAY:
        n = lib0_read_varuint(r);
        for (uint64_t i = 0; i < n && r->why == NULL; i++) {
            ydoc__write(x->out, i > 0 ? "," : "");
            write_any(x, r, true); /* as deep as the check at decoding allows */
        }
        return;
    case ANY_STRING:
        write_chars(x, lib0_read_varbytes(r));
        return;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        v = any__read_number(r, tag);
        text_write_number(x->out, v == 0 ? 0 : v); /* String(-0) is "0" */
        return;
    default:
        ydoc__write(x->out, nested ? "" : tag == ANY_UNDEFINED ? "undefined" : "null");
    }
}

/* As a document keeps an embed. */
static void write_stored(struct xml *x, struct ydoc_slice stored)
{
    if (any_is_stored_any(stored)) {
        stored.p++;
        stored.len--;
        write_any_slice(x, stored);
    } else {
        write_json_value(x, stored, false);
    }
}

/* The elements of an item from number `from` on. */
static void write_elements(struct xml *x, const struct item *it, uint32_t from)
{
    struct ydoc_slice body = read_content(x->doc, it);
    struct lib0_reader r;

    switch (item_kind(it)) {
    case WIRE_STRING:
        if (from > 0) {
            struct ydoc__cut cut = ydoc__utf8_cut(body.p, body.len, it->len, from);

            body.p += cut.bytes;
            body.len -= cut.bytes;
        }
        write_chars(x, body);
        return;
    case WIRE_ANY:
    case WIRE_JSON:
        break;
    case WIRE_BINARY:
        write_bytes(x, body);
        return;
    case WIRE_EMBED:
        write_stored(x, body);
        return;
    case WIRE_TYPE:
        write_type(x, it->content);
        return;
    case WIRE_FORMAT:
        ydoc__write(x->out, "undefined");
        return;
    default:
        write_object(x);
        return;
    }
    lib0_reader_init(&r, body.p, body.len);
    for (uint32_t i = 0; i < it->len; i++) {
        if (item_kind(it) == WIRE_JSON) {
            struct ydoc_slice json = lib0_read_varbytes(&r);

            if (i >= from)
                write_json_value(x, json, false);
        } else if (i < from) {
            ydoc__any_skip(&r, YDOC__NESTING_MAX);
        } else {
            write_any(x, &r, false);
        }
    }
}

/* ---- formatted text ---- */

/* The members of a format's value, as JavaScript's for-in sees them: of an object
 * its members, of an array, of bytes and of a string its elements under their numbers. Keys
 * are offsets into `keys` until all of them are there. */
struct members {
    struct ydoc_buf v, keys;
};

/* How a member's value is spelled: its `number`. */
enum { MEMBER_JSON, MEMBER_TEXT, MEMBER_ANY };

static void add_member(struct members *m, size_t key_at, struct ydoc_slice value, uint32_t spelling)
{
    struct json_member one = {.key = {NULL, m->keys.len - key_at}, .value = value};

    one.number = spelling;
    ydoc_buf_append(&m->v, &one, sizeof(one));
}

static void add_numbered(struct members *m, size_t number, struct ydoc_slice value,
                         uint32_t spelling)
{
    size_t key_at = m->keys.len;
    char s[24];

    snprintf(s, sizeof(s), "%zu", number);
    ydoc__write(&m->keys, s);
    add_member(m, key_at, value, spelling);
}

static void add_characters(struct members *m, struct ydoc_slice text)
{
    static const struct ydoc_slice half = {(const uint8_t *)"\xef\xbf\xbd", 3};
    size_t number = 0;

    for (size_t i = 0; i < text.len;) {
        size_t n = ydoc__utf8_len(text.p[i]);
        struct ydoc_slice one = {text.p + i, n};

        add_numbered(m, number++, n == 4 ? half : one, MEMBER_TEXT);
        if (n == 4)
            add_numbered(m, number++, half, MEMBER_TEXT);
        i += n;
    }
}

/* `text` has room for their digits. */
static void add_bytes(struct members *m, struct ydoc_slice bytes, struct ydoc_buf *text)
{
    for (size_t i = 0; i < bytes.len; i++) {
        struct ydoc_slice digits = {text->p + text->len, 0};
        char s[8];

        digits.len = (size_t)snprintf(s, sizeof(s), "%u", (unsigned)bytes.p[i]);
        ydoc_buf_append(text, s, digits.len);
        add_numbered(m, i, digits, MEMBER_TEXT);
    }
}

static void collect_any_members(struct members *m, struct lib0_reader *r, struct ydoc_buf *text)
{
    uint8_t tag = lib0_read_u8(r);
    uint64_t n;

    if (tag == ANY_BYTES) {
        struct ydoc_slice bytes = lib0_read_varbytes(r);

        if (ydoc_buf_reserve(text, 3 * bytes.len))
            add_bytes(m, bytes, text);
        return;
    }
    n = tag == ANY_ARRAY || tag == ANY_OBJECT ? lib0_read_varuint(r) : 0;
    for (uint64_t i = 0; i < n; i++) {
        struct ydoc_slice key = {NULL, 0}, value;
        size_t key_at = m->keys.len;

        if (tag == ANY_OBJECT)
            key = lib0_read_varbytes(r);
        value.p = r->p;
        ydoc__any_skip(r, YDOC__NESTING_MAX);
        value.len = (size_t)(r->p - value.p);
        ydoc_buf_append(&m->keys, key.p, key.len);
        if (tag == ANY_OBJECT)
            add_member(m, key_at, value, MEMBER_ANY);
        else
            add_numbered(m, (size_t)i, value, MEMBER_ANY);
    }
}

static void collect_members(struct members *m, struct ydoc_slice value, struct ydoc_buf *text)
{
    struct json_member one;
    struct json_walk w;
    struct lib0_reader r;
    size_t number = 0, key_at;

    if (any_is_stored_any(value)) {
        lib0_reader_init(&r, value.p + 1, value.len - 1);
        collect_any_members(m, &r, text);
    } else if (json_is_string(value)) {
        json_write_text(text, value);
        add_characters(m, ydoc_buf_slice(text));
    } else if (json_open(&w, value)) {
        while (json_next(&w, &one)) {
            key_at = m->keys.len;
            if (w.object) {
                json_write_text(&m->keys, one.key);
                add_member(m, key_at, one.value, MEMBER_JSON);
            } else {
                add_numbered(m, number++, one.value, MEMBER_JSON);
            }
        }
    }
}

static void write_format_attributes(struct xml *x, struct ydoc_slice value)
{
    struct members m;
    struct ydoc_buf text;
    struct json_member *v;
    size_t n, at = 0;

    ydoc_buf_init(&m.v, &x->out->alloc);
    ydoc_buf_init(&m.keys, &x->out->alloc);
    ydoc_buf_init(&text, &x->out->alloc);
    collect_members(&m, value, &text);
    if (m.v.failed || m.keys.failed || text.failed)
        x->out->failed = true;
    v = read_members_of(&m.v, &n);
    if (x->out->failed)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        v[i].key.p = m.keys.p + at;
        at += v[i].key.len;
    }
    json_sort_members(v, n, json_compare);
    for (size_t i = 0; i < n; i++) {
        write_attribute_name(x, v[i].key);
        if (v[i].number == MEMBER_TEXT)
            write_chars(x, v[i].value);
        else if (v[i].number == MEMBER_ANY)
            write_any_slice(x, v[i].value);
        else
            write_json_value(x, v[i].value, false);
        lib0_write_u8(x->out, '"');
    }
    ydoc_buf_fini(&m.v);
    ydoc_buf_fini(&m.keys);
    ydoc_buf_fini(&text);
}

/* The run's formats, sorted. They are not on the stack, for runs may nest. */
static struct json_member *sort_formats(struct xml *x, const struct rich *r,
                                        struct ydoc_buf *members, size_t *n)
{
    const struct rich_attribute *a = rich_attributes(r, n);
    struct json_member *v;

    for (size_t i = 0; i < *n; i++) {
        struct json_member m = {.key = a[i].key, .value = a[i].value};

        ydoc_buf_append(members, &m, sizeof(m));
    }
    if (members->failed)
        x->out->failed = true;
    v = read_members_of(members, n);
    json_sort_members(v, *n, json_compare);
    return v;
}

static void write_run(struct xml *x, const struct rich *r)
{
    struct ydoc_buf members;
    struct json_member *v;
    size_t n;

    ydoc_buf_init(&members, &x->out->alloc);
    v = sort_formats(x, r, &members, &n);
    for (size_t i = 0; i < n; i++) {
        lib0_write_u8(x->out, '<');
        write_name(x, v[i].key);
        write_format_attributes(x, v[i].value);
        lib0_write_u8(x->out, '>');
    }
    if (r->embed != NULL)
        write_elements(x, r->embed, 0);
    else
        write_chars(x, ydoc_buf_slice(&r->text));
    for (size_t i = n; i > 0; i--) {
        ydoc__write(x->out, "</");
        write_name(x, v[i - 1].key);
        lib0_write_u8(x->out, '>');
    }
    ydoc_buf_fini(&members);
}

static void write_formatted(struct xml *x, uint32_t type)
{
    struct rich r;

    rich_init(&r, x->doc, type, &x->out->alloc);
    while (x->out->len <= x->limit && rich_next(&r))
        write_run(x, &r);
    if (rich_failed(&r))
        x->out->failed = true;
    rich_fini(&r);
}

/* ---- types ---- */

/* A type may be a value too; its markup is text there. */
static void write_value(struct xml *x, const struct item *it)
{
    struct xml inner = *x;
    struct ydoc_buf text;

    if (!x->escaped || item_kind(it) != WIRE_TYPE) {
        write_elements(x, it, it->len - 1);
        return;
    }
    ydoc_buf_init(&text, &x->out->alloc);
    inner.out = &text;
    inner.escaped = false;
    write_type(&inner, it->content);
    if (text.failed)
        x->out->failed = true;
    write_chars(x, ydoc_buf_slice(&text));
    ydoc_buf_fini(&text);
}

static void write_attributes(struct xml *x, uint32_t type)
{
    struct ydoc_buf members;
    struct json_member *v;
    size_t n;

    ydoc_buf_init(&members, &x->out->alloc);
    read_members(x->doc, type, &members);
    v = read_members_of(&members, &n);
    json_sort_members(v, n, json_compare);
    for (size_t i = 0; i < n; i++) {
        const struct item *it = read_slot_value(x->doc, v[i].number);

        write_attribute_name(x, v[i].key);
        write_value(x, it);
        lib0_write_u8(x->out, '"');
    }
    if (members.failed)
        x->out->failed = true;
    ydoc_buf_fini(&members);
}

static void write_children(struct xml *x, uint32_t type)
{
    for (uint32_t h = read_list_start(x->doc, type); h != 0; h = x->doc->items.p[h].right) {
        const struct item *it = &x->doc->items.p[h];

        if (x->out->len > x->limit)
            return;
        if (!item_deleted(it) && item_countable(it))
            write_elements(x, it, 0);
    }
}

static void write_element(struct xml *x, uint32_t type)
{
    static const struct ydoc_slice none = {(const uint8_t *)"UNDEFINED", 9};
    uint32_t key = x->doc->types.p[type].name;
    struct ydoc_buf name;

    ydoc_buf_init(&name, &x->out->alloc);
    json_write_lowercase(&name, key != 0 ? store_key(x->doc, key) : none);
    lib0_write_u8(x->out, '<');
    write_name(x, ydoc_buf_slice(&name));
    write_attributes(x, type);
    lib0_write_u8(x->out, '>');
    write_children(x, type);
    ydoc__write(x->out, "</");
    write_name(x, ydoc_buf_slice(&name));
    lib0_write_u8(x->out, '>');
    if (name.failed)
        x->out->failed = true;
    ydoc_buf_fini(&name);
}

static void write_plain(struct xml *x, uint32_t type)
{
    struct ydoc_buf text;

    ydoc_buf_init(&text, &x->out->alloc);
    if (ydoc__read_text(x->doc, type, &text) != 0)
        x->out->failed = true;
    write_chars(x, ydoc_buf_slice(&text));
    ydoc_buf_fini(&text);
}

static void write_type(struct xml *x, uint32_t type)
{
    if (x->depth >= READ_DEPTH_MAX)
        return;
    x->depth++;
    switch (x->doc->types.p[type].ref) {
    case YDOC_KIND_XML_ELEMENT:
        write_element(x, type);
        break;
    case YDOC_KIND_XML_TEXT:
        write_formatted(x, type);
        break;
    case YDOC_KIND_XML_FRAGMENT:
        write_children(x, type);
        break;
    case YDOC_KIND_TEXT:
        write_plain(x, type);
        break;
    case YDOC_KIND_XML_HOOK:
        if (x->escaped) {
            write_element(x, type);
            break;
        }
        /* fall through */
    default:
        write_object(x);
    }
    x->depth--;
}

int ydoc__read_xml(const struct ydoc *doc, uint32_t type, bool escaped, struct ydoc_buf *out)
{
    struct xml x = {doc, out, escaped, 0, read_limit(doc, out)};
    size_t len_before = out->len;

    /* A root's kind is what it is called, so a root is a fragment here, unless
     * there are formats in it. */
    if (doc->types.p[type].ref != YDOC_KIND_UNKNOWN)
        write_type(&x, type);
    else if (doc->types.p[type].formatted)
        write_formatted(&x, type);
    else
        write_children(&x, type);
    return read_finish(out, len_before, x.limit);
}

static int read_root(const struct ydoc *doc, struct ydoc_slice root, bool escaped,
                     struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    return rc != 0 ? rc : ydoc__read_xml(doc, type, escaped, out);
}

int ydoc_read_xml_exact(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    return read_root(doc, root, false, out);
}

int ydoc_read_xml(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    return read_root(doc, root, true, out);
}
