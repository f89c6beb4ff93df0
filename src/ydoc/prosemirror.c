/* prosemirror - a fragment as ProseMirror's JSON.
 *
 * The shape is that of y-prosemirror's yXmlFragmentToProsemirrorJSON: an XmlElement
 * is a node with its name, its attributes and its children, an XmlText is a text
 * node for each run, and each format of a run is a mark. Marks that may cover the
 * same text several times carry "--" and a hash of eight characters behind their
 * name; it is taken off.
 */
#include "ydoc/read.h"
#include "ydoc/rich.h"

struct pm {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    unsigned depth;
    size_t limit;
};

static void write_cstr(struct pm *w, const char *s)
{
    ydoc_buf_append(w->out, s, strlen(s));
}

static bool is_hash_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '+' ||
           c == '/' || c == '=';
}

/* /(.*)(--[a-zA-Z0-9+/=]{8})$/ */
static struct ydoc_slice mark_name(struct ydoc_slice key)
{
    struct ydoc_slice name = key;

    if (key.len < 10 || key.p[key.len - 10] != '-' || key.p[key.len - 9] != '-')
        return key;
    for (size_t i = key.len - 8; i < key.len; i++) {
        if (!is_hash_char(key.p[i]))
            return key;
    }
    name.len -= 10;
    for (size_t i = name.len; i > 0; i--) { /* the dot matches no end of line */
        if (name.p[i - 1] == '\n' || name.p[i - 1] == '\r') {
            name.p += i;
            name.len -= i;
            break;
        }
    }
    return name;
}

static void write_marks(struct pm *w, const struct rich *r)
{
    size_t n;
    const struct rich_attribute *a = rich_attributes(r, &n);

    if (n == 0)
        return;
    write_cstr(w, ",\"marks\":[");
    for (size_t i = 0; i < n; i++) {
        write_cstr(w, i > 0 ? ",{\"type\":" : "{\"type\":");
        text_write_string(w->out, mark_name(a[i].key));
        write_cstr(w, ",\"attrs\":");
        read_write_stored(w->out, a[i].value, TEXT_PLAIN);
        write_cstr(w, "}");
    }
    write_cstr(w, "]");
}

static void write_text(struct pm *w, uint32_t type, bool *first)
{
    struct rich r;

    rich_init(&r, w->doc, type, &w->out->alloc);
    while (w->out->len <= w->limit && rich_next(&r)) {
        write_cstr(w, *first ? "" : ",");
        *first = false;
        write_cstr(w, "{\"type\":\"text\",\"text\":");
        if (r.embed != NULL)
            read_write_last(w->doc, w->out, r.embed, w->depth);
        else
            text_write_string(w->out, ydoc_buf_slice(&r.text));
        write_marks(w, &r);
        write_cstr(w, "}");
    }
    if (rich_failed(&r))
        w->out->failed = true;
    rich_fini(&r);
}

/* What JSON.stringify leaves out. */
static bool is_undefined(const struct ydoc *doc, const struct item *it)
{
    struct ydoc_slice body = read_content(doc, it);

    if (!item_countable(it))
        return true;
    if (item_kind(it) == WIRE_JSON)
        return body.len >= 10 && memcmp(body.p + body.len - 10, "\x09undefined", 10) == 0;
    return item_kind(it) == WIRE_ANY && it->len == 1 && body.p[0] == 127;
}

static void write_attrs(struct pm *w, uint32_t type)
{
    struct ydoc_buf members;
    struct json_member *v;
    bool first = true;
    size_t n;

    ydoc_buf_init(&members, &w->out->alloc);
    read_members(w->doc, type, &members);
    v = read_members_of(&members, &n);
    write_cstr(w, n > 0 ? ",\"attrs\":{" : "");
    for (size_t i = 0; i < n && w->out->len <= w->limit; i++) {
        const struct item *it = read_slot_value(w->doc, v[i].number);

        if (is_undefined(w->doc, it))
            continue;
        write_cstr(w, first ? "" : ",");
        first = false;
        text_write_string(w->out, v[i].key);
        write_cstr(w, ":");
        read_write_last(w->doc, w->out, it, w->depth);
    }
    write_cstr(w, n > 0 ? "}" : "");
    if (members.failed)
        w->out->failed = true;
    ydoc_buf_fini(&members);
}

static void write_children(struct pm *w, uint32_t type);

static bool has_children(const struct ydoc *doc, uint32_t type)
{
    return doc->types.p[type].length > 0;
}

static void write_node(struct pm *w, uint32_t type)
{
    uint32_t name = w->doc->types.p[type].name;

    write_cstr(w, "{\"type\":");
    if (name != 0)
        text_write_string(w->out, store_key(w->doc, name));
    else
        write_cstr(w, "\"UNDEFINED\"");
    write_attrs(w, type);
    if (has_children(w->doc, type)) {
        write_cstr(w, ",\"content\":[");
        write_children(w, type);
        write_cstr(w, "]");
    }
    write_cstr(w, "}");
}

static void write_child(struct pm *w, uint32_t type, bool *first)
{
    uint8_t ref = w->doc->types.p[type].ref;

    if (ref == YDOC_KIND_XML_TEXT || ref == YDOC_KIND_TEXT) {
        write_text(w, type, first);
    } else if (ref == YDOC_KIND_XML_ELEMENT) {
        write_cstr(w, *first ? "" : ",");
        *first = false;
        write_node(w, type);
    }
}

static void write_children(struct pm *w, uint32_t type)
{
    bool first = true;

    if (w->depth >= READ_DEPTH_MAX)
        return;
    w->depth++;
    for (uint32_t h = read_list_start(w->doc, type); h != 0; h = w->doc->items.p[h].right) {
        const struct item *it = &w->doc->items.p[h];

        if (!item_deleted(it) && item_kind(it) == WIRE_TYPE && w->out->len <= w->limit)
            write_child(w, it->content, &first);
    }
    w->depth--;
}

int ydoc__read_prosemirror(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    struct pm w = {doc, out, 0, read_limit(doc, out)};
    size_t len_before = out->len;

    write_cstr(&w, "{\"type\":\"doc\",\"content\":[");
    write_children(&w, type);
    write_cstr(&w, "]}");
    return read_finish(out, len_before, w.limit);
}

int ydoc_read_prosemirror(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    return rc != 0 ? rc : ydoc__read_prosemirror(doc, type, out);
}
