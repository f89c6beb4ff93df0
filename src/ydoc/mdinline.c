/* mdinline - text, marks, links and images inside a line of Markdown.
 *
 * A paragraph is cut into pieces of equal marks, with the spaces at a piece's edges as
 * pieces of their own, because emphasis may not begin or end with a space. Then the
 * pieces are written from left to right with a stack of open marks; of several that
 * open together the one that lasts longest is outermost.
 *
 * CommonMark decides by the characters around it whether a run of * or _ opens or
 * closes. Where it would decide otherwise, the neighbouring character is written as
 * a reference like &#97;, which counts as punctuation. Two runs of the same
 * character never meet, except closing ones: the second takes _ instead of *.
 * Then an opening run can be taken for a closing one only where the rule of three
 * forbids it.
 */
#include "ydoc/markdown.h"
#include "ydoc/rich.h"

#include <stdio.h>

enum mark {
    BOLD,
    ITALIC,
    STRIKE,
    LINK,
    MARKS,
    CODE = MARKS, /* is never open between pieces */
};

enum piece_kind {
    TEXT,
    BLANK, /* nothing but spaces */
    BREAK,
    IMAGE, /* `type` */
};

struct piece {
    enum piece_kind kind;
    unsigned marks; /* 1 << enum mark */
    struct ydoc_slice link;
    size_t at, len; /* in the text */
    uint32_t type;
    uint32_t end[MARKS]; /* the last piece with this mark without a pause */
};

struct writer {
    struct md *m;
    enum md_where where;
    const struct piece *v;
    size_t n;
    const uint8_t *text;
    struct {
        enum mark mark;
        char c;
        struct ydoc_slice link;
        uint32_t end;
    } stack[MARKS];
    unsigned depth;
    enum md_class prev; /* of the last character written */
    size_t prev_at;     /* where it stands if it may become a reference; 0: it may not */
    uint32_t prev_point;
    bool line_start;
    bool shield; /* a word character must not follow as it is */
};

static bool same(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.len == b.len && (a.p == b.p || a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ---- characters ---- */

static bool is_alnum(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
}

static bool is_space(uint32_t c)
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

static enum md_class class_of(uint32_t c)
{
    if (is_space(c))
        return MD_SPACE;
    if (c < 0x80)
        return is_alnum(c) ? MD_WORD : MD_PUNCT;
    return is_letter(c) ? MD_WORD : MD_UNSURE;
}

static uint32_t read_point(const uint8_t *p, size_t *n)
{
    uint32_t c = p[0];

    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (*n > 1)
        c &= 0x7fu >> *n;
    for (size_t k = 1; k < *n; k++)
        c = c << 6 | (p[k] & 0x3f);
    return c;
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

static struct piece *pieces_of(const struct md_inline *p, size_t *n)
{
    *n = p->pieces.len / sizeof(struct piece);
    return (struct piece *)(void *)p->pieces.p;
}

static void add_piece(struct md_inline *p, enum piece_kind kind, const struct piece *like,
                      size_t len)
{
    struct piece one = *like, *v;
    size_t n;

    if (len == 0 && (kind == TEXT || kind == BLANK))
        return;
    v = pieces_of(p, &n);
    one.kind = kind;
    one.at = p->text.len - len;
    one.len = len;
    if (n > 0 && kind == v[n - 1].kind && (kind == TEXT || kind == BLANK) &&
        one.marks == v[n - 1].marks && same(one.link, v[n - 1].link))
        v[n - 1].len += len;
    else
        ydoc_buf_append(&p->pieces, &one, sizeof(one));
}

/* How many of the bytes at the start, or at the end, are spaces. */
static size_t leading_spaces(struct ydoc_slice s)
{
    size_t i = 0, n;

    while (i < s.len && is_space(read_point(s.p + i, &n)))
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
        if (!is_space(read_point(s.p + at, &n)))
            break;
        end = at;
    }
    return s.len - end;
}

static void add_part(struct md_inline *p, enum piece_kind kind, const struct piece *like,
                     struct ydoc_slice s)
{
    ydoc_buf_append(&p->text, s.p, s.len);
    if (!p->text.failed)
        add_piece(p, kind, like, s.len);
}

static void add_text(struct md_inline *p, struct ydoc_slice s, const struct piece *like)
{
    struct ydoc_slice head = s, tail = s;

    if ((like->marks & 1u << CODE) != 0) {
        add_part(p, TEXT, like, s);
        return;
    }
    head.len = leading_spaces(s);
    s.p += head.len;
    s.len -= head.len;
    tail.len = trailing_spaces(s);
    s.len -= tail.len;
    tail.p = s.p + s.len;
    add_part(p, BLANK, like, head);
    add_part(p, TEXT, like, s);
    add_part(p, BLANK, like, tail);
}

static unsigned mark_by_name(struct ydoc_slice name)
{
    static const struct {
        const char *name;
        enum mark mark;
    } known[] = {{"bold", BOLD},     {"strong", BOLD},          {"italic", ITALIC}, {"em", ITALIC},
                 {"strike", STRIKE}, {"strikethrough", STRIKE}, {"s", STRIKE},      {"code", CODE},
                 {"link", LINK},     {"inlineCode", CODE},      {"a", LINK}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (json_is(name, known[i].name))
            return 1u << known[i].mark;
    }
    return 0;
}

static void read_marks(const struct rich *r, struct piece *like)
{
    static const struct piece none;
    size_t n;
    const struct rich_attribute *a = rich_attributes(r, &n);

    *like = none;
    for (size_t i = 0; i < n; i++) {
        unsigned mark = mark_by_name(a[i].key);
        struct ydoc_slice href;

        if (mark == 1u << LINK) {
            if (!json_find(a[i].value, "href", &href) || !json_is_string(href) || href.len == 2)
                continue;
            like->link = a[i].value;
        }
        if (!json_is(a[i].value, "false"))
            like->marks |= mark;
    }
}

static void add_runs(struct md_inline *p, uint32_t type)
{
    struct piece like;
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
    return json_is(name, "hardBreak") || json_is(name, "hard_break") || json_is(name, "br");
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

    return is_text(doc, type) || is_break(name) || json_is(name, "image") ||
           json_is(name, "mention") || json_is(name, "emoji");
}

/* "@label" and ":name:". */
static void add_named(struct md_inline *p, uint32_t type, bool mention)
{
    static const struct piece none;
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
    static const struct piece none;

    add_piece(p, BREAK, &none, 0);
}

void md_inline_add(struct md_inline *p, uint32_t type)
{
    struct ydoc_slice name = name_of(p->m->doc, type);
    struct piece image = {.type = type};
    size_t n;

    if (p->m->out->len > p->m->limit)
        return;
    if (is_text(p->m->doc, type)) {
        add_runs(p, type);
    } else if (is_break(name)) {
        add_break(p);
    } else if (json_is(name, "image")) {
        add_piece(p, IMAGE, &image, 0);
    } else if (json_is(name, "mention") || json_is(name, "emoji")) {
        add_named(p, type, name.p[0] == 'm');
    } else {
        pieces_of(p, &n);
        if (n > 0)
            add_break(p);
        add_children(p, type);
    }
}

bool md_inline_is_empty(struct md_inline *p)
{
    size_t n;
    const struct piece *v = pieces_of(p, &n);

    while (n > 0 && v[n - 1].kind == BREAK)
        n--;
    p->pieces.len = n * sizeof(*v);
    return n == 0;
}

/* Spaces and breaks between pieces keep the marks that both sides have. */
static void settle_marks(struct piece *v, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        bool between;

        while (end < n && (v[end].kind == BLANK || v[end].kind == BREAK))
            end++;
        between = i > 0 && end < n;
        for (size_t k = i; k < end; k++) {
            v[k].marks = between ? v[i - 1].marks & v[end].marks & ~(1u << CODE) : 0;
            if (between && same(v[i - 1].link, v[end].link))
                v[k].link = v[end].link;
            else
                v[k].marks &= ~(1u << LINK);
        }
        i = end + 1;
    }
}

static void find_ends(struct piece *v, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        for (unsigned k = 0; k < MARKS; k++) {
            bool goes_on = i + 1 < n && (v[i].marks & v[i + 1].marks & 1u << k) != 0 &&
                           (k != LINK || same(v[i].link, v[i + 1].link));

            v[i].end[k] = goes_on ? v[i + 1].end[k] : (uint32_t)i;
        }
    }
}

/* ---- writing text ---- */

static void wrote_punct(struct writer *w)
{
    w->prev = MD_PUNCT;
    w->prev_at = 0;
    w->line_start = false;
    w->shield = false;
}

static void write_reference(struct writer *w, uint32_t c)
{
    char s[16];

    snprintf(s, sizeof(s), "&#%u;", (unsigned)c);
    md_write(w->m, s);
    wrote_punct(w);
}

/* What begins a list, a heading, a quotation, a rule or a table at a line's start. */
static bool opens_block(uint32_t c)
{
    return c == '#' || c == '-' || c == '+' || c == '=' || c == '>' || c == ':';
}

/* What GFM would make a link of: "http://", "www.", "a@b". */
static bool opens_link(const uint8_t *s, size_t at, size_t len)
{
    uint8_t before = at > 0 ? s[at - 1] : 'x', after = at + 1 < len ? s[at + 1] : 'x';

    if (s[at] == ':')
        return after == '/' && ((before | 0x20) == 'p' || (before | 0x20) == 's');
    if (s[at] == '.')
        return at >= 3 && (before | 0x20) == 'w' && (s[at - 2] | 0x20) == 'w' &&
               (s[at - 3] | 0x20) == 'w';
    return s[at] == '@' && (is_alnum(after) || after >= 0x80) && before != ' ';
}

static bool needs_escape(const struct writer *w, const uint8_t *s, size_t at, size_t len)
{
    uint8_t c = s[at], after = at + 1 < len ? s[at + 1] : 0;

    if (strchr("\\`*[]<~|", c) != NULL || (w->line_start && opens_block(c)))
        return true;
    switch (c) {
    case '_':
        return at == 0 || after == 0 || !is_alnum(s[at - 1]) || !is_alnum(after);
    case '!':
        return after == 0 || after == '[';
    case '#':
        return w->where == MD_HEADING && after == 0;
    case '&':
        return after == 0 || after == '#' || is_alnum(after);
    case ':':
    case '.':
    case '@':
        return opens_link(s, at, len);
    default:
        return false;
    }
}

/* "12." at a line's start: the length of the number if a list would begin. */
static size_t list_number(const uint8_t *s, size_t len)
{
    size_t i = 0;

    while (i < len && i < 9 && s[i] >= '0' && s[i] <= '9')
        i++;
    if (i == 0 || i == len || (s[i] != '.' && s[i] != ')'))
        return 0;
    return i + 1 == len || is_space(s[i + 1]) ? i : 0;
}

static void write_ascii(struct writer *w, const uint8_t *s, size_t at, size_t len)
{
    if (s[at] < 0x20) {
        write_reference(w, s[at] == 0 ? 0xfffd : s[at]);
        return;
    }
    if (needs_escape(w, s, at, len)) {
        lib0_write_u8(w->m->out, '\\');
        lib0_write_u8(w->m->out, s[at]);
        wrote_punct(w);
        return;
    }
    w->prev = class_of(s[at]);
    w->prev_at = w->m->out->len;
    w->prev_point = s[at];
    lib0_write_u8(w->m->out, s[at]);
    w->line_start = false;
    w->shield = false;
}

static void write_text(struct writer *w, const uint8_t *s, size_t len)
{
    size_t number = w->line_start ? list_number(s, len) : 0, n;

    for (size_t i = 0; i < len && !w->m->out->failed; i += n) {
        uint32_t c = read_point(s + i, &n);

        if (w->shield && class_of(c) >= MD_WORD) {
            write_reference(w, c);
        } else if (number > 0 && i == number) {
            lib0_write_u8(w->m->out, '\\');
            lib0_write_u8(w->m->out, (uint8_t)c);
            wrote_punct(w);
        } else if (c < 0x80) {
            write_ascii(w, s, i, len);
        } else {
            w->prev = class_of(c);
            w->prev_at = w->m->out->len;
            w->prev_point = c;
            ydoc_buf_append(w->m->out, s + i, n);
            w->line_start = false;
            w->shield = false;
        }
    }
}

/* Spaces at the edge of a line would be cut off. */
static void write_blank(struct writer *w, const struct piece *p, bool last)
{
    const uint8_t *s = w->text + p->at;
    size_t n;

    w->shield = false;
    for (size_t i = 0; i < p->len; i += n) {
        uint32_t c = read_point(s + i, &n);
        bool edge = w->line_start || (last && i + n == p->len);

        if (edge || (c < 0x20 && c != '\t')) {
            write_reference(w, c);
        } else {
            ydoc_buf_append(w->m->out, s + i, n);
            w->prev = MD_SPACE;
            w->prev_at = 0;
        }
    }
}

static void write_break(struct writer *w)
{
    if (w->where != MD_PARAGRAPH) {
        md_write(w->m, "<br>");
        wrote_punct(w);
        return;
    }
    md_write(w->m, "\\");
    md_end_line(w->m);
    md_begin_line(w->m);
    w->prev = MD_SPACE;
    w->prev_at = 0;
    w->line_start = true;
    w->shield = false;
}

/* ---- code, links, images ---- */

static void write_code(struct writer *w, const struct piece *p)
{
    const uint8_t *s = w->text + p->at;
    size_t run = 0, longest = 0;
    bool pad, all_spaces = true;

    for (size_t i = 0; i < p->len; i++) {
        run = s[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
        all_spaces = all_spaces && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r');
    }
    pad = s[0] == '`' || s[p->len - 1] == '`' ||
          (!all_spaces && (s[0] == ' ' || s[0] == '\n' || s[0] == '\r') &&
           (s[p->len - 1] == ' ' || s[p->len - 1] == '\n' || s[p->len - 1] == '\r'));
    for (size_t i = 0; i <= longest; i++)
        lib0_write_u8(w->m->out, '`');
    md_write(w->m, pad ? " " : "");
    for (size_t i = 0; i < p->len; i++) {
        if (s[i] == '|' && w->where == MD_CELL)
            lib0_write_u8(w->m->out, '\\');
        if (s[i] == 0)
            md_write(w->m, "\xef\xbf\xbd");
        else
            lib0_write_u8(w->m->out, s[i] == '\n' || s[i] == '\r' ? ' ' : s[i]);
    }
    md_write(w->m, pad ? " " : "");
    for (size_t i = 0; i <= longest; i++)
        lib0_write_u8(w->m->out, '`');
    wrote_punct(w);
}

/* Between < and >, so that only these, the backslash and what would be a
 * reference need escapes. */
static void write_destination(struct writer *w, struct ydoc_slice url)
{
    static const char hex[] = "0123456789ABCDEF";
    bool angles = url.len == 0;

    for (size_t i = 0; i < url.len; i++)
        angles = angles || url.p[i] <= ' ' || strchr("()<>", url.p[i]) != NULL;
    md_write(w->m, angles ? "<" : "");
    for (size_t i = 0; i < url.len; i++) {
        uint8_t c = url.p[i];

        if ((c < 0x20 && c != '\t') || c == '`') {
            lib0_write_u8(w->m->out, '%');
            lib0_write_u8(w->m->out, (uint8_t)hex[c >> 4]);
            lib0_write_u8(w->m->out, (uint8_t)hex[c & 15]);
            continue;
        }
        if (c == '<' || c == '>' || c == '\\' || c == '&' || c == '|')
            lib0_write_u8(w->m->out, '\\');
        lib0_write_u8(w->m->out, c);
    }
    md_write(w->m, angles ? ">" : "");
}

static void write_title(struct writer *w, struct ydoc_slice title)
{
    if (title.len == 0)
        return;
    md_write(w->m, " \"");
    for (size_t i = 0; i < title.len; i++) {
        uint8_t c = title.p[i];

        if (c == '"' || c == '\\' || c == '&' || c == '|' || c == '`' || c == '<')
            lib0_write_u8(w->m->out, '\\');
        lib0_write_u8(w->m->out, c < 0x20 ? ' ' : c);
    }
    md_write(w->m, "\"");
}

static void read_string(struct ydoc_slice object, const char *name, struct ydoc_buf *out)
{
    struct ydoc_slice value;

    if (json_find(object, name, &value) && json_is_string(value))
        json_write_text(out, value);
}

static void close_link(struct writer *w, struct ydoc_slice link)
{
    struct ydoc_buf href, title;

    ydoc_buf_init(&href, &w->m->out->alloc);
    ydoc_buf_init(&title, &w->m->out->alloc);
    read_string(link, "href", &href);
    read_string(link, "title", &title);
    md_write(w->m, "](");
    write_destination(w, ydoc_buf_slice(&href));
    write_title(w, ydoc_buf_slice(&title));
    md_write(w->m, ")");
    if (href.failed || title.failed)
        w->m->out->failed = true;
    ydoc_buf_fini(&href);
    ydoc_buf_fini(&title);
}

static void write_image(struct writer *w, uint32_t type)
{
    struct ydoc_buf part[3];
    static const char *const names[] = {"alt", "src", "title"};

    for (int i = 0; i < 3; i++) {
        ydoc_buf_init(&part[i], &w->m->out->alloc);
        md_attr(w->m->doc, type, names[i], &part[i]);
        w->m->out->failed = w->m->out->failed || part[i].failed;
    }
    md_write(w->m, "![");
    wrote_punct(w);
    write_text(w, part[0].p, part[0].len);
    md_write(w->m, "](");
    write_destination(w, ydoc_buf_slice(&part[1]));
    write_title(w, ydoc_buf_slice(&part[2]));
    md_write(w->m, ")");
    wrote_punct(w);
    for (int i = 0; i < 3; i++)
        ydoc_buf_fini(&part[i]);
}

/* ---- marks ---- */

static void write_delimiter(struct writer *w, enum mark mark, char c)
{
    lib0_write_u8(w->m->out, (uint8_t)c);
    if (mark != ITALIC)
        lib0_write_u8(w->m->out, (uint8_t)c);
}

/* Closes all but the first `keep`. */
static void close_marks(struct writer *w, unsigned keep)
{
    bool several = w->depth > keep + 1, underscore = false, first = true;

    while (w->depth > keep) {
        enum mark mark = w->stack[--w->depth].mark;
        char c = w->stack[w->depth].c;

        if (first)
            w->shield = several || w->prev != MD_WORD;
        first = false;
        if (mark == LINK)
            close_link(w, w->stack[w->depth].link);
        else
            write_delimiter(w, mark, c);
        underscore = c == '_';
        w->shield = mark != LINK && (w->shield || underscore || several);
        w->prev = MD_PUNCT;
        w->prev_at = 0;
    }
}

/* Makes what stands before an opening run punctuation, unless it is or the run
 * opens anyway. */
static void prepare_opening(struct writer *w, enum md_class next)
{
    uint32_t c = w->prev_point;

    if (next == MD_WORD || w->prev == MD_SPACE || w->prev == MD_PUNCT || w->prev_at == 0)
        return;
    w->m->out->len = w->prev_at;
    write_reference(w, c);
}

static void open_mark(struct writer *w, enum mark mark, const struct piece *p, enum md_class next)
{
    uint8_t last = w->m->out->len > 0 ? w->m->out->p[w->m->out->len - 1] : 0;
    char c = mark == STRIKE ? '~' : last == '*' ? '_' : '*';

    if (mark == LINK) {
        md_write(w->m, "[");
    } else {
        prepare_opening(w, next);
        write_delimiter(w, mark, c);
    }
    w->stack[w->depth].mark = mark;
    w->stack[w->depth].c = c;
    w->stack[w->depth].link = p->link;
    w->stack[w->depth].end = p->end[mark];
    w->depth++;
    wrote_punct(w);
}

/* How many of the open marks the piece goes on with. */
static unsigned count_kept(const struct writer *w, const struct piece *p)
{
    unsigned keep = 0;

    for (; keep < w->depth; keep++) {
        enum mark mark = w->stack[keep].mark;

        if ((p->marks & 1u << mark) == 0 || (mark == LINK && !same(w->stack[keep].link, p->link)))
            break;
    }
    return keep;
}

static enum md_class first_class(const struct writer *w, const struct piece *p)
{
    size_t n;
    uint32_t c;

    if (p->kind != TEXT || (p->marks & 1u << CODE) != 0)
        return MD_PUNCT;
    c = read_point(w->text + p->at, &n);
    /* A single character may become a reference itself when the next mark opens. */
    return p->len == n ? MD_UNSURE : class_of(c);
}

/* The same, and a link is not cut in two for the sake of a mark that ends in it. */
static unsigned count_kept_by(const struct writer *w, const struct piece *p)
{
    unsigned keep = count_kept(w, p);
    bool link_open = false;

    for (unsigned k = 0; k < keep; k++)
        link_open = link_open || w->stack[k].mark == LINK;
    for (unsigned k = 0; k < keep && !link_open && (p->marks & 1u << LINK) != 0; k++) {
        if (w->stack[k].end < p->end[LINK])
            return k;
    }
    return keep;
}

/* Between the pieces i - 1 and i, before spaces, because nothing may close behind
 * them: what the next piece after them does not go on with. */
static void close_before(struct writer *w, size_t i)
{
    if (i > 0 && w->v[i - 1].kind != TEXT && w->v[i - 1].kind != IMAGE)
        return;
    while (i < w->n && (w->v[i].kind == BLANK || w->v[i].kind == BREAK))
        i++;
    close_marks(w, i < w->n ? count_kept_by(w, &w->v[i]) : 0);
}

static void switch_marks(struct writer *w, const struct piece *p)
{
    unsigned keep = count_kept_by(w, p), open = 0, n = 0;
    enum mark missing[MARKS];

    close_marks(w, keep);
    for (open = 0; n < keep; n++)
        open |= 1u << w->stack[n].mark;
    n = 0;
    for (unsigned k = MARKS; k-- > 0;) {
        unsigned at = n;

        if ((p->marks & ~open & 1u << k) == 0)
            continue;
        for (; at > 0 && p->end[missing[at - 1]] < p->end[k]; at--)
            missing[at] = missing[at - 1];
        missing[at] = (enum mark)k;
        n++;
    }
    for (unsigned k = 0; k < n; k++)
        open_mark(w, missing[k], p, k + 1 < n ? MD_PUNCT : first_class(w, p));
}

void md_inline_write(struct md_inline *p, enum md_where where)
{
    struct writer w = {.m = p->m, .where = where, .text = p->text.p, .prev = MD_SPACE};
    struct piece *v = pieces_of(p, &w.n);

    if (p->pieces.failed || p->text.failed)
        return;
    settle_marks(v, w.n);
    find_ends(v, w.n);
    w.v = v;
    w.line_start = true;
    for (size_t i = 0; i < w.n && p->m->out->len <= p->m->limit; i++) {
        bool last = i + 1 == w.n || (v[i + 1].kind == BREAK && where != MD_PARAGRAPH);

        if (v[i].kind == BREAK || v[i].kind == BLANK)
            close_before(&w, i);
        else
            switch_marks(&w, &v[i]);
        if (v[i].kind == BREAK)
            write_break(&w);
        else if (v[i].kind == BLANK)
            write_blank(&w, &v[i], last);
        else if (v[i].kind == IMAGE)
            write_image(&w, v[i].type);
        else if ((v[i].marks & 1u << CODE) != 0)
            write_code(&w, &v[i]);
        else
            write_text(&w, w.text + v[i].at, v[i].len);
    }
    close_marks(&w, 0);
}
