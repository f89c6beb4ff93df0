/* json_walk - see json_walk.h.
 *
 * Two values are compared by writing both with sorted members, which bounds the
 * work by O(n log n) for each level of nesting; a search of each member in the
 * other object would be quadratic. Values that differ in length differ: the
 * canonical form has one spelling for everything but the order of members.
 */
#include "ydoc/json_walk.h"

#include <string.h>

#include "ydoc/heap_sort.h"

/* UTF-8 sorts like code points, UTF-16 puts U+10000 and above (lead bytes from
 * 0xf0) before U+E000 to U+FFFF (lead bytes 0xee and 0xef). */
static int rank_of(uint8_t b)
{
    return b >= 0xf0 ? b - 0x10 : b >= 0xee ? b + 0x10 : b;
}

int json_compare(struct ydoc_slice a, struct ydoc_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;

    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i < n)
        return rank_of(a.p[i]) < rank_of(b.p[i]) ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

int json_compare_index(struct ydoc_slice a, struct ydoc_slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.p, b.p, a.len);
}

bool json_is_index(struct ydoc_slice key)
{
    static const struct ydoc_slice last = {(const uint8_t *)"4294967294", 10};

    if (key.len == 0 || key.len > 10 || (key.p[0] == '0' && key.len > 1))
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] < '0' || key.p[i] > '9')
            return false;
    }
    return json_compare_index(key, last) <= 0;
}

static bool key_before(const struct json_member *a, const struct json_member *b,
                       json_compare_fn compare)
{
    return compare(a->key, b->key) < 0;
}
HEAP_SORT(sort_members, struct json_member, json_compare_fn, key_before)

void json_sort_members(struct json_member *v, size_t n, json_compare_fn compare)
{
    sort_members(v, n, compare);
}

/* ---- walking ---- */

static void drop(struct ydoc_slice *s, size_t n)
{
    s->p += n;
    s->len -= n;
}

bool json_open(struct json_walk *w, struct ydoc_slice value)
{
    w->rest = value;
    if (value.len < 2 || (value.p[0] != '{' && value.p[0] != '['))
        return false;
    w->object = value.p[0] == '{';
    drop(&w->rest, 1);
    return true;
}

bool json_next(struct json_walk *w, struct json_member *m)
{
    struct ydoc_slice none = {w->rest.p, 0};

    if (w->rest.len == 0 || *w->rest.p == '}' || *w->rest.p == ']')
        return false;
    m->key = none;
    m->number = 0;
    if (w->object) {
        m->key = json_take_value(&w->rest);
        drop(&w->rest, 1);
    }
    m->value = json_take_value(&w->rest);
    if (w->rest.len > 0 && *w->rest.p == ',')
        drop(&w->rest, 1);
    return true;
}

bool json_find(struct ydoc_slice object, const char *name, struct ydoc_slice *value)
{
    size_t len = strlen(name);
    struct json_member m;
    struct json_walk w;

    if (!json_open(&w, object) || !w.object)
        return false;
    while (json_next(&w, &m)) {
        if (m.key.len == len + 2 && memcmp(m.key.p + 1, name, len) == 0) {
            *value = m.value;
            return true;
        }
    }
    return false;
}

/* ---- strings ---- */

/* Behind a backslash; the canonical form has \u for controls and for half a
 * surrogate pair alone. */
void json_write_text(struct ydoc_buf *out, struct ydoc_slice string)
{
    struct ydoc_slice inside = {string.p + 1, string.len - 2};

    json_unescape(out, inside);
}

static void write_sorted(struct ydoc_buf *out, struct ydoc_slice value);

static void write_sorted_members(struct ydoc_buf *out, struct json_walk *w)
{
    struct json_member m, *v;
    struct ydoc_buf members;
    size_t n;

    ydoc_buf_init(&members, &out->alloc);
    while (json_next(w, &m))
        ydoc_buf_append(&members, &m, sizeof(m));
    if (members.failed)
        out->failed = true;
    v = (struct json_member *)(void *)members.p;
    n = members.failed ? 0 : members.len / sizeof(m);
    json_sort_members(v, n, json_compare);
    for (size_t i = 0; i < n; i++) {
        ydoc_buf_append(out, v[i].key.p, v[i].key.len);
        lib0_write_u8(out, ':');
        write_sorted(out, v[i].value);
        lib0_write_u8(out, ',');
    }
    ydoc_buf_fini(&members);
}

/* As deep as the check of the JSON allowed. */
static void write_sorted(struct ydoc_buf *out, struct ydoc_slice value)
{
    struct json_member m;
    struct json_walk w;

    if (!json_open(&w, value)) {
        ydoc_buf_append(out, value.p, value.len);
        return;
    }
    lib0_write_u8(out, value.p[0]);
    if (w.object) {
        write_sorted_members(out, &w);
    } else {
        while (json_next(&w, &m)) {
            write_sorted(out, m.value);
            lib0_write_u8(out, ',');
        }
    }
    lib0_write_u8(out, ']');
}

int json_equal(struct ydoc_slice a, struct ydoc_slice b, const struct ydoc_alloc *alloc)
{
    struct ydoc_buf x, y;
    int rc;

    if (a.len != b.len)
        return 0;
    if (memcmp(a.p, b.p, a.len) == 0)
        return 1;
    if (a.p[0] != b.p[0] || (a.p[0] != '{' && a.p[0] != '['))
        return 0;
    ydoc_buf_init(&x, alloc);
    ydoc_buf_init(&y, alloc);
    write_sorted(&x, a);
    write_sorted(&y, b);
    rc = x.failed || y.failed ? YDOC_ENOMEM : x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
    ydoc_buf_fini(&x);
    ydoc_buf_fini(&y);
    return rc;
}

/* ---- flat equality ---- */

static bool same_primitive(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.p[0] != '{' && a.p[0] != '[' && ydoc__same(a, b);
}

static size_t count_members(struct json_walk w)
{
    struct json_member m;
    size_t n = 0;

    while (json_next(&w, &m))
        n++;
    return n;
}

static bool has_member(struct json_walk w, const struct json_member *wanted)
{
    struct json_member m;

    while (json_next(&w, &m)) {
        if (ydoc__same(m.key, wanted->key))
            return same_primitive(m.value, wanted->value);
    }
    return false;
}

static bool equal_lists(struct json_walk a, struct json_walk b)
{
    struct json_member m, n;

    while (json_next(&a, &m)) {
        if (!json_next(&b, &n) || !same_primitive(m.value, n.value))
            return false;
    }
    return !json_next(&b, &n);
}

bool json_equal_flat(struct ydoc_slice a, struct ydoc_slice b)
{
    struct json_walk x, y;
    struct json_member m;

    if (!json_open(&x, a) || !json_open(&y, b) || x.object != y.object)
        return false;
    if (!x.object)
        return equal_lists(x, y);
    if (count_members(x) != count_members(y))
        return false;
    while (json_next(&x, &m)) {
        if (!has_member(y, &m))
            return false;
    }
    return true;
}
