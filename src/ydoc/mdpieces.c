/* mdpieces - a paragraph cut into pieces of equal marks, for mdinline.c to write.
 *
 * The spaces at a piece's edges are pieces of their own, because emphasis may not
 * begin or end with a space. Text of code is not cut.
 */
#include "ydoc/markdown.h"

#include "ydoc/any.h"
#include "ydoc/rich.h"

/* ---- characters ---- */

bool md_is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000 || c == 0xfeff;
}

/* Ranges that hold letters only. */
static bool is_letter(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0xc0, 0xd6},     {0xd8, 0xf6},     {0xf8, 0x24f},    {0x388, 0x3f5},    {0x400, 0x481},
        {0x48a, 0x52f},   {0x5d0, 0x5ea},   {0x620, 0x64a},   {0x671, 0x6d3},    {0x904, 0x939},
        {0xe01, 0xe2e},   {0x1100, 0x11ff}, {0x1e00, 0x1fbc}, {0x3041, 0x3096},  {0x30a1, 0x30fa},
        {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0x20000, 0x2a6df}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    }
    return false;
}

enum md_class md_class_of(uint32_t c)
{
    if (md_is_space(c))
        return MD_SPACE;
    if (c < 0x80)
        return md_is_alnum(c) ? MD_WORD : MD_PUNCT;
    return is_letter(c) ? MD_WORD : MD_UNSURE;
}

/* ---- collecting ---- */

void md_inline_init(struct md_inline *p, struct md *m)
{
    p->m = m;
    ydoc_buf_init(&p->pieces, &m->out->alloc);
    ydoc_buf_init(&p->text, &m->out->alloc);
}

void md_inline_fini(struct md_inline *p)
{
    if (p->pieces.failed || p->text.failed)
        p->m->out->failed = true;
    ydoc_buf_fini(&p->pieces);
    ydoc_buf_fini(&p->text);
}

static void add_piece(struct md_inline *p, enum md_kind kind, const struct md_piece *like,
                      size_t len)
{
    struct md_piece one = *like, *v;
    size_t n;

    if (len == 0 && (kind == MD_TEXT || kind == MD_BLANK))
        return;
    v = md_pieces(p, &n);
    one.kind = kind;
    one.at = p->text.len - len;
    one.len = len;
    if (n > 0 && kind == v[n - 1].kind && (kind == MD_TEXT || kind == MD_BLANK) &&
        one.marks == v[n - 1].marks && ydoc__same(one.link, v[n - 1].link))
        v[n - 1].len += len;
    else
        ydoc_buf_append(&p->pieces, &one, sizeof(one));
}

/* How many of the bytes at the start, or at the end, are spaces. */
static size_t leading_spaces(struct ydoc_slice s)
{
    size_t i = 0, n;

    while (i < s.len && md_is_space(ydoc__utf8_point(s.p + i, &n)))
        i += n;
    return i;
}

static size_t trailing_spaces(struct ydoc_slice s)
{
    size_t end = s.len, n;

    while (end > 0) {
        size_t at = end - 1;

        while ((s.p[at] & 0xc0) == 0x80)
            at--;
        if (!md_is_space(ydoc__utf8_point(s.p + at, &n)))
            break;
        end = at;
    }
    return s.len - end;
}

static void add_part(struct md_inline *p, enum md_kind kind, const struct md_piece *like,
                     struct ydoc_slice s)
{
    ydoc_buf_append(&p->text, s.p, s.len);
    if (!p->text.failed)
        add_piece(p, kind, like, s.len);
}

static void add_text(struct md_inline *p, struct ydoc_slice s, const struct md_piece *like)
{
    struct ydoc_slice head = s, tail = s;

    if ((like->marks & 1u << MD_CODE) != 0) {
        add_part(p, MD_TEXT, like, s);
        return;
    }
    head.len = leading_spaces(s);
    s.p += head.len;
    s.len -= head.len;
    tail.len = trailing_spaces(s);
    s.len -= tail.len;
    tail.p = s.p + s.len;
    add_part(p, MD_BLANK, like, head);
    add_part(p, MD_TEXT, like, s);
    add_part(p, MD_BLANK, like, tail);
}

static unsigned mark_by_name(struct ydoc_slice name)
{
    static const struct {
        const char *name;
        enum md_mark mark;
    } known[] = {{"bold", MD_BOLD},       {"strong", MD_BOLD},   {"italic", MD_ITALIC},
                 {"em", MD_ITALIC},       {"strike", MD_STRIKE}, {"strikethrough", MD_STRIKE},
                 {"s", MD_STRIKE},        {"code", MD_CODE},     {"link", MD_LINK},
                 {"inlineCode", MD_CODE}, {"a", MD_LINK}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (ydoc__is(name, known[i].name))
            return 1u << known[i].mark;
    }
    return 0;
}

static bool link_part_any(struct lib0_reader *r, const char *name, struct ydoc_buf *out)
{
    if (lib0_read_u8(r) != ANY_OBJECT)
        return false;
    for (uint64_t n = lib0_read_varuint(r); n > 0; n--) {
        bool found = ydoc__is(lib0_read_varbytes(r), name);
        struct ydoc_slice text;

        if (!found || *r->p != ANY_STRING) {
            ydoc__any_skip(r, YDOC__NESTING_MAX);
            continue;
        }
        lib0_read_u8(r);
        text = lib0_read_varbytes(r);
        if (out != NULL)
            ydoc_buf_append(out, text.p, text.len);
        return text.len > 0;
    }
    return false;
}

bool md_link_part(struct ydoc_slice link, const char *name, struct ydoc_buf *out)
{
    struct ydoc_slice value;
    struct lib0_reader r;

    if (any_is_stored_any(link)) {
        lib0_reader_init(&r, link.p + 1, link.len - 1);
        return link_part_any(&r, name, out);
    }
    if (!json_find(link, name, &value) || !json_is_string(value))
        return false;
    if (out != NULL)
        json_write_text(out, value);
    return value.len > 2;
}

static void read_marks(const struct rich *r, struct md_piece *like)
{
    static const struct md_piece none;
    size_t n;
    const struct rich_attribute *a = rich_attributes(r, &n);

    *like = none;
    for (size_t i = 0; i < n; i++) {
        unsigned mark = mark_by_name(a[i].key);

        if (mark == 1u << MD_LINK) {
            if (!md_link_part(a[i].value, "href", NULL))
                continue;
            like->link = a[i].value;
        }
        if (!ydoc__is(a[i].value, "false"))
            like->marks |= mark;
    }
}

static void add_runs(struct md_inline *p, uint32_t type)
{
    struct md_piece like;
    struct rich r;

    if (p->m->depth >= READ_DEPTH_MAX)
        return;
    p->m->depth++;
    rich_init(&r, p->m->doc, type, &p->m->out->alloc);
    while (p->m->out->len <= p->m->limit && rich_next(&r)) {
        read_marks(&r, &like);
        if (r.embed == NULL)
            add_text(p, ydoc_buf_slice(&r.text), &like);
        else if (item_kind(r.embed) == WIRE_TYPE)
            md_inline_add(p, r.embed->content);
    }
    if (rich_failed(&r))
        p->m->out->failed = true;
    rich_fini(&r);
    p->m->depth--;
}

static struct ydoc_slice name_of(const struct ydoc *doc, uint32_t type)
{
    static const struct ydoc_slice none;
    uint32_t key = doc->types.p[type].name;

    return doc->types.p[type].ref == YDOC_KIND_XML_ELEMENT && key != 0 ? store_key(doc, key) : none;
}

static bool is_break(struct ydoc_slice name)
{
    return ydoc__is(name, "hardBreak") || ydoc__is(name, "hard_break") || ydoc__is(name, "br");
}

bool md_is_break(const struct ydoc *doc, uint32_t type)
{
    return is_break(name_of(doc, type));
}

static bool is_text(const struct ydoc *doc, uint32_t type)
{
    uint8_t ref = doc->types.p[type].ref;

    return ref == YDOC_KIND_XML_TEXT || ref == YDOC_KIND_TEXT;
}

bool md_is_inline(const struct ydoc *doc, uint32_t type)
{
    struct ydoc_slice name = name_of(doc, type);

    return is_text(doc, type) || is_break(name) || ydoc__is(name, "image") ||
           ydoc__is(name, "mention") || ydoc__is(name, "emoji");
}

/* "@label" and ":name:". */
static void add_named(struct md_inline *p, uint32_t type, bool mention)
{
    static const struct md_piece none;
    const struct ydoc *doc = p->m->doc;
    struct ydoc_buf text;

    ydoc_buf_init(&text, &p->m->out->alloc);
    if (!mention)
        ydoc_buf_append(&text, ":", 1);
    else if (!md_attr(doc, type, "mentionSuggestionChar", &text))
        ydoc_buf_append(&text, "@", 1);
    if (!mention)
        md_attr(doc, type, "name", &text);
    else if (!md_attr(doc, type, "label", &text))
        md_attr(doc, type, "id", &text);
    if (!mention)
        ydoc_buf_append(&text, ":", 1);
    if (text.failed)
        p->m->out->failed = true;
    else
        add_text(p, ydoc_buf_slice(&text), &none);
    ydoc_buf_fini(&text);
}

static void add_children(struct md_inline *p, uint32_t type)
{
    const struct ydoc *doc = p->m->doc;

    if (p->m->depth >= READ_DEPTH_MAX)
        return;
    p->m->depth++;
    for (uint32_t h = read_list_start(doc, type); h != 0; h = doc->items.p[h].right) {
        const struct item *it = &doc->items.p[h];

        if (!item_deleted(it) && item_kind(it) == WIRE_TYPE)
            md_inline_add(p, it->content);
    }
    p->m->depth--;
}

static void add_break(struct md_inline *p)
{
    static const struct md_piece none;

    add_piece(p, MD_BREAK, &none, 0);
}

void md_inline_add(struct md_inline *p, uint32_t type)
{
    struct ydoc_slice name = name_of(p->m->doc, type);
    struct md_piece image = {.type = type};
    size_t n;

    if (p->m->out->len > p->m->limit)
        return;
    if (is_text(p->m->doc, type)) {
        add_runs(p, type);
    } else if (is_break(name)) {
        add_break(p);
    } else if (ydoc__is(name, "image")) {
        add_piece(p, MD_IMAGE, &image, 0);
    } else if (ydoc__is(name, "mention") || ydoc__is(name, "emoji")) {
        add_named(p, type, name.p[0] == 'm');
    } else {
        md_pieces(p, &n);
        if (n > 0)
            add_break(p);
        add_children(p, type);
    }
}

bool md_inline_is_empty(struct md_inline *p)
{
    size_t n;
    const struct md_piece *v = md_pieces(p, &n);

    while (n > 0 && v[n - 1].kind == MD_BREAK)
        n--;
    p->pieces.len = n * sizeof(*v);
    return n == 0;
}
