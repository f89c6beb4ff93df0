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

#include <stdio.h>

#define NOWHERE SIZE_MAX

struct writer {
    struct md *m;
    enum md_where where;
    const struct md_piece *v;
    size_t n;
    const uint8_t *text;
    struct {
        enum md_mark mark;
        char c;
        struct ydoc_slice link;
        uint32_t end;
    } stack[MD_MARKS];
    unsigned depth;
    enum md_class prev; /* of the last character written */
    size_t prev_at;     /* where it stands if it may become a reference; NOWHERE: it may not */
    uint32_t prev_point;
    bool line_start;
    bool shield;   /* a word character must not follow as it is */
    bool followed; /* something other than a space stands behind the piece */
};

/* Spaces and breaks between pieces keep the marks that both sides have. */
static void settle_marks(struct md_piece *v, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        bool between;

        while (end < n && (v[end].kind == MD_BLANK || v[end].kind == MD_BREAK))
            end++;
        between = i > 0 && end < n;
        for (size_t k = i; k < end; k++) {
            v[k].marks = between ? v[i - 1].marks & v[end].marks & ~(1u << MD_CODE) : 0;
            if (between && ydoc__same(v[i - 1].link, v[end].link))
                v[k].link = v[end].link;
            else
                v[k].marks &= ~(1u << MD_LINK);
        }
        i = end + 1;
    }
}

static void find_ends(struct md_piece *v, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        for (unsigned k = 0; k < MD_MARKS; k++) {
            bool goes_on = i + 1 < n && (v[i].marks & v[i + 1].marks & 1u << k) != 0 &&
                           (k != MD_LINK || ydoc__same(v[i].link, v[i + 1].link));

            v[i].end[k] = goes_on ? v[i + 1].end[k] : (uint32_t)i;
        }
    }
}

/* ---- writing text ---- */

static void wrote_punct(struct writer *w)
{
    w->prev = MD_PUNCT;
    w->prev_at = NOWHERE;
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
static bool opens_link(const struct writer *w, const uint8_t *s, size_t at, size_t len)
{
    uint8_t before = at > 0 ? s[at - 1] : w->prev == MD_SPACE ? ' ' : 'x';
    uint8_t after = at + 1 < len ? s[at + 1] : 'x';

    if (s[at] == ':')
        return after == '/' && ((before | 0x20) == 'p' || (before | 0x20) == 's');
    if (s[at] == '.')
        return at >= 3 && (before | 0x20) == 'w' && (s[at - 2] | 0x20) == 'w' &&
               (s[at - 3] | 0x20) == 'w';
    return s[at] == '@' && (md_is_alnum(after) || after >= 0x80) &&
           (md_is_alnum(before) || before >= 0x80 || strchr("._-+", before) != NULL);
}

static bool needs_escape(const struct writer *w, const uint8_t *s, size_t at, size_t len)
{
    uint8_t c = s[at], after = at + 1 < len ? s[at + 1] : 0;

    if (strchr("\\`*[]<~|", c) != NULL || (w->line_start && opens_block(c)))
        return true;
    switch (c) {
    case '_':
        return at == 0 || after == 0 || !md_is_alnum(s[at - 1]) || !md_is_alnum(after);
    case '!':
        return after == '[' || (after == 0 && w->followed);
    case '#':
        return w->where == MD_HEADING && after == 0;
    case '&':
        return after == '#' || md_is_alnum(after) || (after == 0 && w->followed);
    case ':':
    case '.':
    case '@':
        return opens_link(w, s, at, len);
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
    return i + 1 == len || md_is_space(s[i + 1]) ? i : 0;
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
    w->prev = md_class_of(s[at]);
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
        uint32_t c = ydoc__utf8_point(s + i, &n);

        if (w->shield && md_class_of(c) >= MD_WORD) {
            write_reference(w, c);
        } else if (number > 0 && i == number) {
            lib0_write_u8(w->m->out, '\\');
            lib0_write_u8(w->m->out, (uint8_t)c);
            wrote_punct(w);
        } else if (c < 0x80) {
            write_ascii(w, s, i, len);
        } else {
            w->prev = md_class_of(c);
            w->prev_at = w->m->out->len;
            w->prev_point = c;
            ydoc_buf_append(w->m->out, s + i, n);
            w->line_start = false;
            w->shield = false;
        }
    }
}

/* Spaces at the edge of a line would be cut off. */
static void write_blank(struct writer *w, const struct md_piece *p, bool last)
{
    const uint8_t *s = w->text + p->at;
    size_t n;

    w->shield = false;
    for (size_t i = 0; i < p->len; i += n) {
        uint32_t c = ydoc__utf8_point(s + i, &n);
        bool edge = w->line_start || (last && i + n == p->len);

        if (edge || (c < 0x20 && c != '\t')) {
            write_reference(w, c);
        } else {
            ydoc_buf_append(w->m->out, s + i, n);
            w->prev = MD_SPACE;
            w->prev_at = NOWHERE;
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
    w->prev_at = NOWHERE;
    w->line_start = true;
    w->shield = false;
}

/* ---- code, links, images ---- */

/* In a table's cell a backslash in front of | has no certain meaning inside
 * backticks. */
static bool is_unsure_code(const struct writer *w, const struct md_piece *p)
{
    const uint8_t *s = w->text + p->at;

    for (size_t i = 1; i < p->len && w->where == MD_CELL; i++) {
        if (s[i] == '|' && s[i - 1] == '\\')
            return true;
    }
    return false;
}

static void write_code_as_html(struct writer *w, const struct md_piece *p)
{
    md_write(w->m, "<code>");
    wrote_punct(w);
    write_text(w, w->text + p->at, p->len);
    md_write(w->m, "</code>");
    wrote_punct(w);
}

static void write_code(struct writer *w, const struct md_piece *p)
{
    const uint8_t *s = w->text + p->at;
    size_t run = 0, longest = 0;
    bool pad, all_spaces = true;

    if (is_unsure_code(w, p)) {
        write_code_as_html(w, p);
        return;
    }
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

static void close_link(struct writer *w, struct ydoc_slice link)
{
    struct ydoc_buf href, title;

    ydoc_buf_init(&href, &w->m->out->alloc);
    ydoc_buf_init(&title, &w->m->out->alloc);
    md_link_part(link, "href", &href);
    md_link_part(link, "title", &title);
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

static void write_delimiter(struct writer *w, enum md_mark mark, char c)
{
    lib0_write_u8(w->m->out, (uint8_t)c);
    if (mark != MD_ITALIC)
        lib0_write_u8(w->m->out, (uint8_t)c);
}

/* Closes all but the first `keep`. */
static void close_marks(struct writer *w, unsigned keep)
{
    bool several = w->depth > keep + 1, underscore = false, first = true;

    while (w->depth > keep) {
        enum md_mark mark = w->stack[--w->depth].mark;
        char c = w->stack[w->depth].c;

        if (first)
            w->shield = several || w->prev != MD_WORD;
        first = false;
        if (mark == MD_LINK)
            close_link(w, w->stack[w->depth].link);
        else
            write_delimiter(w, mark, c);
        underscore = c == '_';
        w->shield = mark != MD_LINK && (w->shield || underscore || several);
        w->prev = MD_PUNCT;
        w->prev_at = NOWHERE;
    }
}

/* Makes what stands before an opening run punctuation, unless it is or the run
 * opens anyway. */
static void prepare_opening(struct writer *w, enum md_class next)
{
    uint32_t c = w->prev_point;

    if (next == MD_WORD || w->prev == MD_SPACE || w->prev == MD_PUNCT || w->prev_at == NOWHERE)
        return;
    w->m->out->len = w->prev_at;
    write_reference(w, c);
}

static void open_mark(struct writer *w, enum md_mark mark, const struct md_piece *p,
                      enum md_class next)
{
    uint8_t last = w->m->out->len > 0 ? w->m->out->p[w->m->out->len - 1] : 0;
    char c = mark == MD_STRIKE ? '~' : last == '*' ? '_' : '*';

    if (mark == MD_LINK) {
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
static unsigned count_kept(const struct writer *w, const struct md_piece *p)
{
    unsigned keep = 0;

    for (; keep < w->depth; keep++) {
        enum md_mark mark = w->stack[keep].mark;

        if ((p->marks & 1u << mark) == 0 ||
            (mark == MD_LINK && !ydoc__same(w->stack[keep].link, p->link)))
            break;
    }
    return keep;
}

static bool opens_after(const struct writer *w, const struct md_piece *p)
{
    const struct md_piece *next = p + 1;

    return next < w->v + w->n && (next->kind == MD_TEXT || next->kind == MD_IMAGE) &&
           ((next->marks & ~p->marks) != 0 || !ydoc__same(next->link, p->link));
}

static enum md_class first_class(const struct writer *w, const struct md_piece *p)
{
    size_t n;
    uint32_t c;

    if (p->kind != MD_TEXT || (p->marks & 1u << MD_CODE) != 0)
        return MD_PUNCT;
    c = ydoc__utf8_point(w->text + p->at, &n);
    /* A single character may become a reference itself when the next mark opens. */
    return p->len == n && opens_after(w, p) ? MD_UNSURE : md_class_of(c);
}

/* The same, and a link is not cut in two for the sake of a mark that ends in it. */
static unsigned count_kept_by(const struct writer *w, const struct md_piece *p)
{
    unsigned keep = count_kept(w, p);
    bool link_open = false;

    for (unsigned k = 0; k < keep; k++)
        link_open = link_open || w->stack[k].mark == MD_LINK;
    for (unsigned k = 0; k < keep && !link_open && (p->marks & 1u << MD_LINK) != 0; k++) {
        if (w->stack[k].end < p->end[MD_LINK])
            return k;
    }
    return keep;
}

/* Between the pieces i - 1 and i, before spaces, because nothing may close behind
 * them: what the next piece after them does not go on with. */
static void close_before(struct writer *w, size_t i)
{
    if (i > 0 && w->v[i - 1].kind != MD_TEXT && w->v[i - 1].kind != MD_IMAGE)
        return;
    while (i < w->n && (w->v[i].kind == MD_BLANK || w->v[i].kind == MD_BREAK))
        i++;
    close_marks(w, i < w->n ? count_kept_by(w, &w->v[i]) : 0);
}

static void switch_marks(struct writer *w, const struct md_piece *p)
{
    unsigned keep = count_kept_by(w, p), open = 0, n = 0;
    enum md_mark missing[MD_MARKS] = {(enum md_mark)0};

    close_marks(w, keep);
    for (open = 0; n < keep; n++)
        open |= 1u << w->stack[n].mark;
    n = 0;
    for (unsigned k = MD_MARKS; k-- > 0;) {
        unsigned at = n;

        if ((p->marks & ~open & 1u << k) == 0)
            continue;
        for (; at > 0 && p->end[missing[at - 1]] < p->end[k]; at--)
            missing[at] = missing[at - 1];
        missing[at] = (enum md_mark)k;
        n++;
    }
    for (unsigned k = 0; k < n; k++)
        open_mark(w, missing[k], p, k + 1 < n ? MD_PUNCT : first_class(w, p));
}

void md_inline_write(struct md_inline *p, enum md_where where)
{
    struct writer w = {
        .m = p->m, .where = where, .text = p->text.p, .prev = MD_SPACE, .prev_at = NOWHERE};
    struct md_piece *v = md_pieces(p, &w.n);

    if (p->pieces.failed || p->text.failed)
        return;
    settle_marks(v, w.n);
    find_ends(v, w.n);
    w.v = v;
    w.line_start = true;
    for (size_t i = 0; i < w.n && p->m->out->len <= p->m->limit; i++) {
        bool last = i + 1 == w.n || (v[i + 1].kind == MD_BREAK && where != MD_PARAGRAPH);

        w.followed = i + 1 < w.n && (v[i + 1].kind == MD_TEXT || v[i + 1].kind == MD_IMAGE);
        if (v[i].kind == MD_BREAK || v[i].kind == MD_BLANK)
            close_before(&w, i);
        else
            switch_marks(&w, &v[i]);
        if (v[i].kind == MD_BREAK)
            write_break(&w);
        else if (v[i].kind == MD_BLANK)
            write_blank(&w, &v[i], last);
        else if (v[i].kind == MD_IMAGE)
            write_image(&w, v[i].type);
        else if ((v[i].marks & 1u << MD_CODE) != 0)
            write_code(&w, &v[i]);
        else
            write_text(&w, w.text + v[i].at, v[i].len);
    }
    close_marks(&w, 0);
}
