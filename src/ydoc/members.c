/* members - see members.h. Sorted by key first, which brings equal keys
 * together, then by rank. A heap sort: no memory, and no input makes it slow. */
#include "ydoc/members.h"

#include <string.h>

typedef bool (*before_fn)(const struct member *a, const struct member *b);

bool members_is_index(struct ydoc_slice key, uint64_t *index)
{
    uint64_t v = 0;

    if (key.len == 0 || key.len > 10 || (key.p[0] == '0' && key.len > 1))
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] < '0' || key.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(key.p[i] - '0');
    }
    *index = v;
    return v < UINT32_MAX;
}

static bool before_by_key(const struct member *a, const struct member *b)
{
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = n > 0 ? memcmp(a->key.p, b->key.p, n) : 0;

    if (order == 0 && a->key.len != b->key.len)
        return a->key.len < b->key.len;
    return order != 0 ? order < 0 : a->rank < b->rank;
}

static bool before_by_rank(const struct member *a, const struct member *b)
{
    return a->rank < b->rank;
}

static void sift_down(struct member *v, size_t i, size_t n, before_fn before)
{
    struct member m = v[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        if (child + 1 < n && before(&v[child], &v[child + 1]))
            child++;
        if (!before(&m, &v[child]))
            break;
        v[i] = v[child];
        i = child;
    }
    v[i] = m;
}

static void sort(struct member *v, size_t n, before_fn before)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(v, i, n, before);
    for (size_t end = n; end > 1;) {
        struct member m = v[--end];

        v[end] = v[0];
        v[0] = m;
        sift_down(v, 0, end, before);
    }
}

/* Few members, none of them twice, no index: they stay as they are. */
static bool is_ordered(const struct member *v, size_t n)
{
    uint64_t index;

    if (n > 8)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (members_is_index(v[i].key, &index))
            return false;
        for (size_t k = 0; k < i; k++) {
            if (ydoc__same(v[i].key, v[k].key))
                return false;
        }
    }
    return true;
}

size_t members_order(struct member *v, size_t n)
{
    size_t kept = 0;

    if (is_ordered(v, n))
        return n;
    for (size_t i = 0; i < n; i++)
        v[i].rank = i;
    sort(v, n, before_by_key);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && ydoc__same(v[kept - 1].key, v[i].key))
            v[kept - 1].value = v[i].value;
        else
            v[kept++] = v[i];
    }
    for (size_t i = 0; i < kept; i++) {
        uint64_t index;

        v[i].rank = members_is_index(v[i].key, &index) ? index : v[i].rank + UINT32_MAX;
    }
    sort(v, kept, before_by_rank);
    return kept;
}
