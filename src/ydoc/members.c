/* members - see members.h. Sorted by key first, which brings equal keys
 * together, then by rank. */
#include "ydoc/members.h"

#include <string.h>

#include "ydoc/heap_sort.h"

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

static bool before_by_key(const struct member *a, const struct member *b, int unused)
{
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = n > 0 ? memcmp(a->key.p, b->key.p, n) : 0;

    (void)unused;
    if (order == 0 && a->key.len != b->key.len)
        return a->key.len < b->key.len;
    return order != 0 ? order < 0 : a->rank < b->rank;
}

static bool before_by_rank(const struct member *a, const struct member *b, int unused)
{
    (void)unused;
    return a->rank < b->rank;
}

HEAP_SORT(sort_by_key, struct member, int, before_by_key)
HEAP_SORT(sort_by_rank, struct member, int, before_by_rank)

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
    sort_by_key(v, n, 0);
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
    sort_by_rank(v, kept, 0);
    return kept;
}
