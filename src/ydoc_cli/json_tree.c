/* json_tree - see json_tree.h. Unescaped text is never longer than its source,
 * so the buffer is sized once and slices into it stay good. */
#include "ydoc_cli/json_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ydoc/lib0.h"

#define NUMBER_BYTES_MAX 400u

struct parser {
    struct json_tree *t;
    const uint8_t *p, *end, *base;
    const char *why;
    const uint8_t *fail_at;
};

static void fail(struct parser *s, const char *why)
{
    if (s->why == NULL) {
        s->why = why;
        s->fail_at = s->p;
    }
    s->p = s->end;
}

static void skip_space(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(struct parser *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != (uint8_t)c)
        return false;
    s->p++;
    return true;
}

static bool take_word(struct parser *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return false;
    s->p += n;
    return true;
}

/* ---- strings ---- */

static uint32_t read_hex4(struct parser *s)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = s->p < s->end ? *s->p : 0;

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            fail(s, "four hexadecimal digits are wanted");
        if (s->why != NULL)
            return 0;
        s->p++;
    }
    return v;
}

static void write_utf8(struct ydoc_buf *b, uint32_t c)
{
    if (c < 0x80) {
        lib0_write_u8(b, (uint8_t)c);
        return;
    }
    if (c >= 0x10000) {
        lib0_write_u8(b, (uint8_t)(0xf0 | c >> 18));
        lib0_write_u8(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
    } else if (c >= 0x800) {
        lib0_write_u8(b, (uint8_t)(0xe0 | c >> 12));
    }
    if (c >= 0x800)
        lib0_write_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    else
        lib0_write_u8(b, (uint8_t)(0xc0 | c >> 6));
    lib0_write_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
}

static void read_unicode_escape(struct parser *s)
{
    uint32_t c = read_hex4(s);

    if (c >= 0xd800 && c < 0xdc00 && s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u') {
        const uint8_t *at = s->p;
        uint32_t low;

        s->p += 2;
        low = read_hex4(s);
        if (low >= 0xdc00 && low < 0xe000)
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        else if (s->why == NULL)
            s->p = at; /* a character of its own, or another half */
    }
    if (c >= 0xd800 && c < 0xe000)
        c = 0xfffd;
    write_utf8(&s->t->text, c);
}

static void read_escape(struct parser *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known;
    uint8_t c;

    if (s->p == s->end) {
        fail(s, "unexpected end");
        return;
    }
    c = *s->p++;
    known = c != 0 ? strchr(from, c) : NULL;
    if (c == 'u')
        read_unicode_escape(s);
    else if (known != NULL)
        lib0_write_u8(&s->t->text, (uint8_t)to[known - from]);
    else
        fail(s, "unknown escape");
}

/* From behind the opening quote. */
static struct ydoc_slice read_string(struct parser *s)
{
    size_t from = s->t->text.len;
    struct ydoc_slice text;

    while (s->p < s->end && *s->p != '"') {
        uint8_t c = *s->p++;

        if (c == '\\')
            read_escape(s);
        else if (c < 0x20)
            fail(s, "a control character in a string");
        else
            lib0_write_u8(&s->t->text, c);
    }
    if (s->p == s->end)
        fail(s, "unexpected end");
    else
        s->p++;
    text.p = s->t->text.p + from;
    text.len = s->t->text.len - from;
    return text;
}

/* ---- values ---- */

static size_t count_digits(const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;

    while (p + n < end && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

static double read_number(struct parser *s)
{
    char copy[NUMBER_BYTES_MAX + 1];
    const uint8_t *p = s->p;
    size_t n;

    p += *p == '-';
    n = count_digits(p, s->end);
    if (n == 0 || (n > 1 && *p == '0')) {
        fail(s, "a value is wanted");
        return 0;
    }
    p += n;
    if (p < s->end && *p == '.') {
        n = count_digits(p + 1, s->end);
        p = n > 0 ? p + 1 + n : NULL;
    }
    if (p != NULL && p < s->end && (*p | 0x20) == 'e') {
        const uint8_t *digits = p + 1 + (s->end - p > 1 && (p[1] == '+' || p[1] == '-'));

        n = count_digits(digits, s->end);
        p = n > 0 ? digits + n : NULL;
    }
    if (p == NULL || (size_t)(p - s->p) > NUMBER_BYTES_MAX) {
        fail(s, p == NULL ? "digits are wanted" : "a number of too many digits");
        return 0;
    }
    memcpy(copy, s->p, (size_t)(p - s->p));
    copy[p - s->p] = '\0';
    s->p = p;
    return strtod(copy, NULL);
}

/* The number of a new node, or 0 and a failure. */
static uint32_t add_node(struct parser *s)
{
    struct json_tree *t = s->t;

    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 16 : 2 * t->cap;
        struct json_node *nodes = cap < UINT32_MAX ? realloc(t->nodes, cap * sizeof(*nodes)) : NULL;

        if (nodes == NULL) {
            fail(s, "out of memory");
            return 0;
        }
        t->nodes = nodes;
        t->cap = cap;
    }
    t->nodes[t->n] = (struct json_node){.type = JSON_NULL};
    return (uint32_t)t->n++;
}

static uint32_t read_value(struct parser *s, uint32_t depth);

static void read_children(struct parser *s, uint32_t node, uint32_t depth)
{
    bool object = s->t->nodes[node].type == JSON_OBJECT;
    char close = object ? '}' : ']';
    uint32_t last = 0;

    if (take(s, close))
        return;
    do {
        struct ydoc_slice name = {NULL, 0};
        uint32_t child;

        if (object) {
            if (take(s, '"'))
                name = read_string(s);
            else
                fail(s, "a name is wanted");
            if (!take(s, ':'))
                fail(s, "a colon is wanted");
        }
        child = read_value(s, depth + 1);
        if (s->why != NULL)
            return;
        s->t->nodes[child].name = name;
        if (last == 0)
            s->t->nodes[node].child = child;
        else
            s->t->nodes[last].next = child;
        s->t->nodes[node].n++;
        last = child;
    } while (take(s, ','));
    if (!take(s, close))
        fail(s, object ? "a comma or } is wanted" : "a comma or ] is wanted");
}

static uint32_t read_value(struct parser *s, uint32_t depth)
{
    uint32_t node = add_node(s);
    struct ydoc_slice text;
    double number;

    skip_space(s);
    if (s->p == s->end)
        fail(s, "unexpected end");
    if (depth > JSON_NESTING_MAX)
        fail(s, "nested too deep");
    if (s->why != NULL)
        return 0;
    if (take(s, '{') || take(s, '[')) {
        s->t->nodes[node].type = s->p[-1] == '{' ? JSON_OBJECT : JSON_ARRAY;
        read_children(s, node, depth);
    } else if (take(s, '"')) {
        text = read_string(s);
        s->t->nodes[node].type = JSON_STRING;
        s->t->nodes[node].text = text;
    } else if (take_word(s, "true")) {
        s->t->nodes[node].type = JSON_TRUE;
    } else if (take_word(s, "false")) {
        s->t->nodes[node].type = JSON_FALSE;
    } else if (!take_word(s, "null")) {
        number = read_number(s);
        s->t->nodes[node].type = JSON_NUMBER;
        s->t->nodes[node].number = number;
    }
    return node;
}

static int parse_error(const struct parser *s, struct ydoc_error *err)
{
    err->code =
        s->t->text.failed || strcmp(s->why, "out of memory") == 0 ? YDOC_ENOMEM : YDOC_EMALFORMED;
    err->offset = (size_t)(s->fail_at - s->base);
    snprintf(err->msg, sizeof(err->msg), "JSON: byte %zu: %s", err->offset, s->why);
    return err->code;
}

int json_tree_parse(struct json_tree *t, const uint8_t *p, size_t len, struct ydoc_error *err)
{
    struct parser s = {.t = t, .p = p, .end = p + len, .base = p};

    memset(t, 0, sizeof(*t));
    ydoc_buf_init(&t->text, NULL);
    if (len == 0)
        fail(&s, "unexpected end");
    else if (lib0_utf16_len(p, len) < 0)
        fail(&s, "the text is not UTF-8");
    else if (!ydoc_buf_reserve(&t->text, len))
        fail(&s, "out of memory");
    else
        read_value(&s, 0);
    if (s.why == NULL) {
        skip_space(&s);
        if (s.p != s.end)
            fail(&s, "something stands behind the value");
    }
    return s.why == NULL ? 0 : parse_error(&s, err);
}

void json_tree_fini(struct json_tree *t)
{
    free(t->nodes);
    ydoc_buf_fini(&t->text);
    memset(t, 0, sizeof(*t));
}

/* ---- looking ---- */

const struct json_node *json_first(const struct json_tree *t, const struct json_node *node)
{
    return node->child != 0 ? &t->nodes[node->child] : NULL;
}

const struct json_node *json_sibling(const struct json_tree *t, const struct json_node *node)
{
    return node->next != 0 ? &t->nodes[node->next] : NULL;
}

const struct json_node *json_at(const struct json_tree *t, const struct json_node *node, uint32_t i)
{
    const struct json_node *child = json_first(t, node);

    for (; child != NULL && i > 0; i--)
        child = json_sibling(t, child);
    return child;
}

const struct json_node *json_member(const struct json_tree *t, const struct json_node *node,
                                    const char *name)
{
    const struct json_node *child = node->type == JSON_OBJECT ? json_first(t, node) : NULL;
    size_t len = strlen(name);

    while (child != NULL && (child->name.len != len || memcmp(child->name.p, name, len) != 0))
        child = json_sibling(t, child);
    return child;
}

bool json_is_text(const struct json_node *node, const char *text)
{
    return node != NULL && node->type == JSON_STRING && node->text.len == strlen(text) &&
           memcmp(node->text.p, text, node->text.len) == 0;
}
