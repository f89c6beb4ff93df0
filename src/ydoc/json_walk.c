/* json_walk - walking JSON that is in JSON.stringify's form: no white space, one
 * spelling for each string and number. See json.h. */
#include "ydoc/json.h"

#include <string.h>

static void drop(struct ydoc_slice *s, size_t n)
{
    s->p += n;
    s->len -= n;
}

struct ydoc_slice json_inside(struct ydoc_slice value)
{
    struct ydoc_slice s = {value.p + 1, value.len - 2};

    return s;
}

bool json_next_element(struct ydoc_slice *inside, struct ydoc_slice *value)
{
    if (inside->len == 0)
        return false;
    *value = json_take_value(inside);
    if (inside->len > 0)
        drop(inside, 1);
    return true;
}

bool json_next_member(struct ydoc_slice *inside, struct ydoc_slice *key, struct ydoc_slice *value)
{
    if (inside->len == 0)
        return false;
    *key = json_inside(json_take_value(inside));
    drop(inside, 1);
    return json_next_element(inside, value);
}

/* ---- equality ---- */

static bool same_bytes(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool same_primitive(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.p[0] != '{' && a.p[0] != '[' && same_bytes(a, b);
}

static size_t count_members(struct ydoc_slice object)
{
    struct ydoc_slice inside = json_inside(object), key, value;
    size_t n = 0;

    while (json_next_member(&inside, &key, &value))
        n++;
    return n;
}

static bool has_member(struct ydoc_slice object, struct ydoc_slice key, struct ydoc_slice value)
{
    struct ydoc_slice inside = json_inside(object), k, v;

    while (json_next_member(&inside, &k, &v)) {
        if (same_bytes(k, key))
            return same_primitive(v, value);
    }
    return false;
}

static bool equal_objects(struct ydoc_slice a, struct ydoc_slice b)
{
    struct ydoc_slice inside = json_inside(a), key, value;

    if (count_members(a) != count_members(b))
        return false;
    while (json_next_member(&inside, &key, &value)) {
        if (!has_member(b, key, value))
            return false;
    }
    return true;
}

static bool equal_lists(struct ydoc_slice a, struct ydoc_slice b)
{
    struct ydoc_slice x = json_inside(a), y = json_inside(b), v, w;

    while (json_next_element(&x, &v)) {
        if (!json_next_element(&y, &w) || !same_primitive(v, w))
            return false;
    }
    return y.len == 0;
}

bool json_equal_flat(struct ydoc_slice a, struct ydoc_slice b)
{
    if (a.p[0] != b.p[0] || (a.p[0] != '{' && a.p[0] != '['))
        return false;
    return a.p[0] == '{' ? equal_objects(a, b) : equal_lists(a, b);
}
