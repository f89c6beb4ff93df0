/* markdown - what Tiptap and ProseMirror write in a fragment, as Markdown.
 *
 * CommonMark 0.31 with GFM's tables, task lists and strikethrough. Every line begins
 * with the prefix of the blocks around it ("> ", or the width of a list's marker).
 * Blocks are parted by a blank line, which a block asks for when it ends and the
 * next line writes, with the prefix that both have in common.
 *
 * A list that follows another one takes another marker, or they would be one. Lists
 * whose items are a paragraph each, or a paragraph and lists, are tight. A table's
 * first row is its head. Unknown nodes give what is in them.
 */
#include "ydoc/markdown.h"

#include <stdio.h>

#include "ydoc/any.h"

#define COLSPAN_MAX 32u
#define NUMBER_MAX 999999999u /* CommonMark reads nine digits */

enum block {
    OTHER,
    PARAGRAPH,
    HEADING,
    BULLETS,
    NUMBERS,
    TASKS,
    QUOTE,
    CODE,
    RULE,
    TABLE,
};

/* What stood before a block in the same container. */
struct before {
    enum block list; /* BULLETS for tasks too */
    char marker;
};

static void write_blocks(struct md *m, uint32_t type, struct before *before);

/* ---- attributes ---- */

static bool write_plain_json(struct ydoc_slice json, struct ydoc_buf *out)
{
    if (json_is_string(json))
        json_write_text(out, json);
    else if (json.len > 0 && *json.p != '{' && *json.p != '[' && !ydoc__is(json, "null") &&
             !ydoc__is(json, "undefined"))
        ydoc_buf_append(out, json.p, json.len);
    else
        return false;
    return true;
}

static bool write_plain_any(struct lib0_reader *r, struct ydoc_buf *out)
{
    struct ydoc_slice s;

    if (r->p == r->end)
        return false;
    if (*r->p == ANY_STRING) {
        lib0_read_u8(r);
        s = lib0_read_varbytes(r);
        ydoc_buf_append(out, s.p, s.len);
        return true;
    }
    if (*r->p < ANY_TRUE || *r->p > ANY_INTEGER)
        return false;
    text_write_any(out, r, TEXT_PLAIN);
    return true;
}

bool md_attr(const struct ydoc *doc, uint32_t type, const char *name, struct ydoc_buf *out)
{
    struct ydoc_slice text = {(const uint8_t *)name, strlen(name)};
    uint32_t key = store_find_key(doc, text), slot;
    struct ydoc_slice body;
    const struct item *it;
    struct lib0_reader r;

    slot = key == 0 ? 0 : store_find_map_slot(doc, type, key);
    it = slot == 0 ? NULL : read_slot_value(doc, slot);
    if (it == NULL || it->len != 1)
        return false;
    body = read_content(doc, it);
    lib0_reader_init(&r, body.p, body.len);
    if (item_kind(it) == WIRE_ANY)
        return write_plain_any(&r, out);
    return item_kind(it) == WIRE_JSON && write_plain_json(lib0_read_varbytes(&r), out);
}

uint32_t md_attr_number(const struct md *m, uint32_t type, const char *name, uint32_t none,
                        uint32_t max)
{
    struct ydoc_buf text;
    uint64_t v = 0;
    bool found;

    ydoc_buf_init(&text, &m->out->alloc);
    found = md_attr(m->doc, type, name, &text) && text.len > 0;
    for (size_t i = 0; i < text.len && found && v <= max; i++) {
        found = text.p[i] >= '0' && text.p[i] <= '9';
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (text.failed)
        m->out->failed = true;
    ydoc_buf_fini(&text);
    return !found ? none : v > max ? max : (uint32_t)v;
}

static bool is_checked(const struct md *m, uint32_t type)
{
    struct ydoc_buf text;
    bool checked;

    ydoc_buf_init(&text, &m->out->alloc);
    checked = md_attr(m->doc, type, "checked", &text) && ydoc__is(ydoc_buf_slice(&text), "true");
    ydoc_buf_fini(&text);
    return checked;
}

/* ---- lines ---- */

static void write_prefix(struct md *m, size_t len)
{
    ydoc_buf_append(m->out, m->prefix.p, len);
}

void md_begin_line(struct md *m)
{
    size_t len = m->gap_len;

    if (m->open)
        return;
    if (m->gap) {
        while (len > 0 && m->prefix.p[len - 1] == ' ')
            len--;
        write_prefix(m, len);
        md_write(m, "\n");
    }
    m->gap = false;
    write_prefix(m, m->prefix.len);
    m->open = true;
}

void md_end_line(struct md *m)
{
    md_write(m, "\n");
    m->open = false;
}

static void end_block(struct md *m)
{
    if (m->open)
        md_end_line(m);
    m->gap = !m->tight;
    m->gap_len = m->prefix.len;
}

static void push_prefix(struct md *m, const char *s, size_t len)
{
    ydoc_buf_append(&m->prefix, s, len);
}

static void pop_prefix(struct md *m, size_t len)
{
    m->prefix.len = len;
    if (m->gap_len > len)
        m->gap_len = len;
}

/* ---- children ---- */

/* The next child that is a type, from item *h on; 0 at the end. */
static uint32_t next_child(const struct ydoc *doc, uint32_t *h)
{
    while (*h != 0) {
        const struct item *it = &doc->items.p[*h];

        *h = it->right;
        if (!item_deleted(it) && item_kind(it) == WIRE_TYPE)
            return it->content;
    }
    return 0;
}

static uint32_t first_child(const struct ydoc *doc, uint32_t type)
{
    uint32_t h = read_list_start(doc, type);

    return next_child(doc, &h);
}

static enum block block_of(const struct ydoc *doc, uint32_t type)
{
    static const struct {
        const char *name;
        enum block block;
    } known[] = {{"paragraph", PARAGRAPH}, {"heading", HEADING},     {"bulletList", BULLETS},
                 {"bullet_list", BULLETS}, {"orderedList", NUMBERS}, {"ordered_list", NUMBERS},
                 {"taskList", TASKS},      {"blockquote", QUOTE},    {"codeBlock", CODE},
                 {"code_block", CODE},     {"horizontalRule", RULE}, {"horizontal_rule", RULE},
                 {"table", TABLE}};
    uint32_t key = doc->types.p[type].name;

    if (doc->types.p[type].ref != YDOC_KIND_XML_ELEMENT || key == 0)
        return OTHER;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (ydoc__is(store_key(doc, key), known[i].name))
            return known[i].block;
    }
    return OTHER;
}

static bool is_list(enum block b)
{
    return b == BULLETS || b == NUMBERS || b == TASKS;
}

/* ---- paragraphs ---- */

static void write_paragraph(struct md *m, struct md_inline *p)
{
    if (md_inline_is_empty(p))
        return;
    md_begin_line(m);
    md_inline_write(p, MD_PARAGRAPH);
    end_block(m);
}

static void collect_children(struct md_inline *p, uint32_t type)
{
    uint32_t h = read_list_start(p->m->doc, type), child;

    while ((child = next_child(p->m->doc, &h)) != 0)
        md_inline_add(p, child);
}

static void write_lines_of(struct md *m, uint32_t type)
{
    struct md_inline p;

    md_inline_init(&p, m);
    collect_children(&p, type);
    write_paragraph(m, &p);
    md_inline_fini(&p);
}

static void write_heading(struct md *m, uint32_t type)
{
    uint32_t level = md_attr_number(m, type, "level", 1, 6);
    struct md_inline p;

    md_inline_init(&p, m);
    collect_children(&p, type);
    md_begin_line(m);
    ydoc_buf_append(m->out, "######", level == 0 ? 1 : level);
    if (!md_inline_is_empty(&p)) {
        md_write(m, " ");
        md_inline_write(&p, MD_HEADING);
    }
    end_block(m);
    md_inline_fini(&p);
}

/* ---- code ---- */

static size_t longest_run(struct ydoc_slice s, uint8_t c)
{
    size_t run = 0, longest = 0;

    for (size_t i = 0; i < s.len; i++) {
        run = s.p[i] == c ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void write_fence(struct md *m, char c, size_t n)
{
    md_begin_line(m);
    for (size_t i = 0; i < n; i++)
        lib0_write_u8(m->out, (uint8_t)c);
}

/* A line of code; an empty one has no spaces at its end. */
static void write_code_line(struct md *m, struct ydoc_slice line)
{
    size_t len = m->prefix.len;

    if (line.len > 0) {
        md_begin_line(m);
    } else {
        while (len > 0 && m->prefix.p[len - 1] == ' ')
            len--;
        write_prefix(m, len);
    }
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] == 0)
            md_write(m, "\xef\xbf\xbd");
        else
            lib0_write_u8(m->out, line.p[i]);
    }
    md_end_line(m);
}

static void write_code_lines(struct md *m, struct ydoc_slice text)
{
    size_t from = 0;

    for (size_t i = 0; i <= text.len && text.len > 0; i++) {
        struct ydoc_slice line = {text.p + from, i - from};

        if (i < text.len && text.p[i] != '\n' && text.p[i] != '\r')
            continue;
        write_code_line(m, line);
        if (i + 1 < text.len && text.p[i] == '\r' && text.p[i + 1] == '\n')
            i++;
        from = i + 1;
        if (m->out->len > m->limit)
            return;
    }
}

/* The text in a block of code: breaks are ends of lines. */
static void collect_code(struct md *m, uint32_t type, struct ydoc_buf *text)
{
    uint32_t h = read_list_start(m->doc, type), child;

    if (m->depth >= READ_DEPTH_MAX)
        return;
    m->depth++;
    while ((child = next_child(m->doc, &h)) != 0) {
        uint8_t ref = m->doc->types.p[child].ref;

        if (ref == YDOC_KIND_XML_TEXT || ref == YDOC_KIND_TEXT) {
            if (ydoc__read_text(m->doc, child, text) != 0)
                m->out->failed = true;
        } else if (first_child(m->doc, child) == 0) {
            ydoc_buf_append(text, "\n", 1);
        } else {
            collect_code(m, child, text);
        }
    }
    m->depth--;
}

/* What may stand behind a fence: one line, no spaces at its edges. */
static void write_info(struct md *m, struct ydoc_slice info)
{
    while (info.len > 0 && *info.p <= ' ') {
        info.p++;
        info.len--;
    }
    while (info.len > 0 && info.p[info.len - 1] <= ' ')
        info.len--;
    for (size_t i = 0; i < info.len; i++) {
        uint8_t c = info.p[i];

        if (c == '\\' || c == '&')
            lib0_write_u8(m->out, '\\');
        lib0_write_u8(m->out, c < 0x20 ? ' ' : c);
    }
}

static void write_code(struct md *m, uint32_t type)
{
    struct ydoc_buf text, info;
    size_t n;
    char c;

    ydoc_buf_init(&text, &m->out->alloc);
    ydoc_buf_init(&info, &m->out->alloc);
    if (!md_attr(m->doc, type, "language", &info))
        md_attr(m->doc, type, "params", &info);
    collect_code(m, type, &text);
    c = longest_run(ydoc_buf_slice(&info), '`') > 0 ? '~' : '`';
    n = longest_run(ydoc_buf_slice(&text), (uint8_t)c);
    n = n < 3 ? 3 : n + 1;
    write_fence(m, c, n);
    write_info(m, ydoc_buf_slice(&info));
    md_end_line(m);
    write_code_lines(m, ydoc_buf_slice(&text));
    write_fence(m, c, n);
    if (text.failed || info.failed)
        m->out->failed = true;
    end_block(m);
    ydoc_buf_fini(&text);
    ydoc_buf_fini(&info);
}

/* ---- lists ---- */

static bool has_text(const struct ydoc *doc, uint32_t paragraph)
{
    uint32_t h = read_list_start(doc, paragraph), child;

    while ((child = next_child(doc, &h)) != 0) {
        if (doc->types.p[child].length > 0 ||
            (doc->types.p[child].ref == YDOC_KIND_XML_ELEMENT && !md_is_break(doc, child)))
            return true;
    }
    return false;
}

/* Only a list with something in its first item, and number 1, may follow a
 * paragraph without a blank line. */
static bool may_follow(const struct md *m, uint32_t list)
{
    uint32_t item = first_child(m->doc, list);
    uint32_t child = item == 0 ? 0 : first_child(m->doc, item);

    if (child == 0 || block_of(m->doc, child) != PARAGRAPH || !has_text(m->doc, child))
        return false;
    return block_of(m->doc, list) != NUMBERS ||
           (md_attr_number(m, list, "start", 1, NUMBER_MAX) == 1 &&
            md_attr_number(m, list, "order", 1, NUMBER_MAX) == 1);
}

static bool is_tight(const struct md *m, uint32_t list)
{
    uint32_t h = read_list_start(m->doc, list), item;

    while ((item = next_child(m->doc, &h)) != 0) {
        uint32_t inner = read_list_start(m->doc, item), child;

        for (bool first = true; (child = next_child(m->doc, &inner)) != 0; first = false) {
            enum block b = block_of(m->doc, child);

            if (!(first && b == PARAGRAPH) && !(is_list(b) && may_follow(m, child)))
                return false;
        }
    }
    return true;
}

static size_t write_marker(struct md *m, enum block list, uint32_t number, char marker)
{
    char s[24];

    if (list == NUMBERS)
        snprintf(s, sizeof(s), "%u%c ", (unsigned)number, marker);
    else
        snprintf(s, sizeof(s), "%c ", marker);
    md_write(m, s);
    return strlen(s);
}

static void write_item(struct md *m, enum block list, uint32_t item, size_t width)
{
    static const char spaces[] = "            ";
    uint32_t child = first_child(m->doc, item);
    size_t len = m->prefix.len, begin = m->out->len;
    struct before before = {0};

    push_prefix(m, spaces, width);
    if (list == TASKS) {
        md_write(m, is_checked(m, item) ? "[x]" : "[ ]");
        if (child != 0 && block_of(m->doc, child) == PARAGRAPH && has_text(m->doc, child))
            md_write(m, " ");
        else
            end_block(m);
    }
    write_blocks(m, item, &before);
    if (m->open && m->out->len == begin &&
        !m->out->failed) /* nothing in it: no space at the line's end */
        m->out->len--;
    if (m->open)
        md_end_line(m);
    pop_prefix(m, len);
}

static void write_list(struct md *m, uint32_t type, enum block list, struct before *before)
{
    enum block family = list == TASKS ? BULLETS : list;
    const char *markers = family == NUMBERS ? ".)" : "-*";
    char marker = before->list == family && before->marker == markers[0] ? markers[1] : markers[0];
    uint32_t number = md_attr_number(m, type, "start", 1, NUMBER_MAX);
    uint32_t h = read_list_start(m->doc, type), item;
    bool tight = m->tight;

    if (number == 1)
        number = md_attr_number(m, type, "order", 1, NUMBER_MAX);
    m->tight = is_tight(m, type);
    while ((item = next_child(m->doc, &h)) != 0 && m->out->len <= m->limit) {
        size_t width;

        md_begin_line(m);
        width = write_marker(m, list, number, marker);
        number += number < NUMBER_MAX;
        write_item(m, list, item, width);
        m->gap = !m->tight;
        m->gap_len = m->prefix.len;
    }
    m->tight = tight;
    end_block(m);
    before->list = family;
    before->marker = marker;
}

/* ---- tables ---- */

static uint32_t count_columns(const struct md *m, uint32_t row)
{
    uint32_t h = read_list_start(m->doc, row), cell, n = 0;

    while ((cell = next_child(m->doc, &h)) != 0) {
        uint32_t span = md_attr_number(m, cell, "colspan", 1, COLSPAN_MAX);

        n += span == 0 ? 1 : span;
    }
    return n;
}

static void write_cell(struct md *m, uint32_t cell)
{
    uint32_t span = md_attr_number(m, cell, "colspan", 1, COLSPAN_MAX);
    struct md_inline p;

    md_inline_init(&p, m);
    collect_children(&p, cell);
    md_write(m, " ");
    if (!md_inline_is_empty(&p))
        md_inline_write(&p, MD_CELL);
    md_write(m, " |");
    md_inline_fini(&p);
    for (uint32_t i = 1; i < span; i++)
        md_write(m, "  |");
}

/* Rows may be shorter than the head, but not longer. */
static void write_row(struct md *m, uint32_t row, uint32_t columns)
{
    uint32_t h = read_list_start(m->doc, row), cell, n = count_columns(m, row);

    md_begin_line(m);
    md_write(m, "|");
    while ((cell = next_child(m->doc, &h)) != 0 && m->out->len <= m->limit)
        write_cell(m, cell);
    for (; n < columns && m->out->len <= m->limit; n++)
        md_write(m, "  |");
    md_end_line(m);
}

static void write_table(struct md *m, uint32_t type)
{
    uint32_t columns = 0, row, h;
    bool head = true;

    for (h = read_list_start(m->doc, type); (row = next_child(m->doc, &h)) != 0;) {
        uint32_t n = count_columns(m, row);

        columns = n > columns ? n : columns;
    }
    if (columns == 0)
        return;
    for (h = read_list_start(m->doc, type); (row = next_child(m->doc, &h)) != 0; head = false) {
        if (m->out->len > m->limit)
            return;
        if (!head && count_columns(m, row) == 0)
            continue;
        write_row(m, row, head ? columns : 1);
        if (!head)
            continue;
        md_begin_line(m);
        md_write(m, "|");
        for (uint32_t i = 0; i < columns && m->out->len <= m->limit; i++)
            md_write(m, " --- |");
        md_end_line(m);
    }
    end_block(m);
}

/* ---- blocks ---- */

static void write_quote(struct md *m, uint32_t type)
{
    size_t len = m->prefix.len;
    struct before before = {0};
    bool tight = m->tight;
    size_t inside;

    m->tight = false;
    md_write(m, m->open ? "> " : "");
    push_prefix(m, "> ", 2);
    inside = m->out->len;
    write_blocks(m, type, &before);
    if (m->open && m->out->len == inside && !m->out->failed) /* nothing in it */
        m->out->len -= 2;
    pop_prefix(m, len);
    m->tight = tight;
    if (m->gap) {
        m->gap = !tight;
        m->gap_len = len;
    }
}

/* Behind a list's marker --- could be read as one rule together with it. */
static void write_rule(struct md *m)
{
    const char *rule = m->open ? "___" : "---";

    md_begin_line(m);
    md_write(m, rule);
    end_block(m);
}

static void write_other(struct md *m, uint32_t type, struct before *before)
{
    uint32_t child = first_child(m->doc, type);

    if (child == 0)
        return;
    if (md_is_inline(m->doc, child))
        write_lines_of(m, type);
    else
        write_blocks(m, type, before);
}

static void write_block(struct md *m, uint32_t type, struct before *before)
{
    static const struct before none;
    enum block b = block_of(m->doc, type);
    struct before last = *before;

    if (b != OTHER)
        *before = none;
    switch (b) {
    case PARAGRAPH:
        write_lines_of(m, type);
        break;
    case HEADING:
        write_heading(m, type);
        break;
    case BULLETS:
    case NUMBERS:
    case TASKS:
        *before = last;
        write_list(m, type, b, before);
        break;
    case QUOTE:
        write_quote(m, type);
        break;
    case CODE:
        write_code(m, type);
        break;
    case RULE:
        write_rule(m);
        break;
    case TABLE:
        write_table(m, type);
        break;
    default:
        write_other(m, type, before);
    }
}

/* What belongs in a line may stand between blocks: a paragraph is made of it. */
static void write_blocks(struct md *m, uint32_t type, struct before *before)
{
    static const struct before none;
    uint32_t h = read_list_start(m->doc, type), child;
    struct md_inline p;

    if (m->depth >= READ_DEPTH_MAX)
        return;
    m->depth++;
    md_inline_init(&p, m);
    while ((child = next_child(m->doc, &h)) != 0 && m->out->len <= m->limit) {
        if (md_is_inline(m->doc, child)) {
            md_inline_add(&p, child);
            *before = none;
            continue;
        }
        write_paragraph(m, &p);
        ydoc_buf_reset(&p.pieces);
        ydoc_buf_reset(&p.text);
        write_block(m, child, before);
    }
    write_paragraph(m, &p);
    md_inline_fini(&p);
    m->depth--;
}

int ydoc__read_markdown(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out)
{
    struct md m = {.doc = doc, .out = out, .limit = read_limit(doc, out)};
    struct before before = {0};
    size_t len_before = out->len;

    ydoc_buf_init(&m.prefix, &out->alloc);
    write_blocks(&m, type, &before);
    if (m.prefix.failed)
        out->failed = true;
    ydoc_buf_fini(&m.prefix);
    return read_finish(out, len_before, m.limit);
}

int ydoc_read_markdown(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    uint32_t type;
    int rc = read_find_root(doc, root, &type);

    return rc != 0 ? rc : ydoc__read_markdown(doc, type, out);
}
