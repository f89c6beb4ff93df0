/* spans - deletions in order of client and clock.
 *
 * They come in ascending runs, one for each client of an update, so the runs
 * are merged pair by pair: n log(runs). Deletions in an order that a peer has
 * chosen make many runs, and n log n. Without memory for the merging they are
 * sorted in place.
 */
#include "ydoc/store.h"

#include <string.h>

#include "ydoc/heap_sort.h"

static bool before(const struct span *a, const struct span *b)
{
    return a->client < b->client || (a->client == b->client && a->clock < b->clock);
}

/* Where the ascending run ends that begins at `i`. */
static uint32_t run_end(const struct span *v, uint32_t n, uint32_t i)
{
    for (i++; i < n && !before(&v[i], &v[i - 1]); i++)
        ;
    return i;
}

static bool before_any(const struct span *a, const struct span *b, int unused)
{
    (void)unused;
    return before(a, b);
}
HEAP_SORT(heap_sort, struct span, int, before_any)

static void merge_two(struct span *to, const struct span *from, uint32_t mid, uint32_t end)
{
    uint32_t a = 0, b = mid, n = 0;

    while (a < mid && b < end)
        to[n++] = before(&from[b], &from[a]) ? from[b++] : from[a++];
    memcpy(to + n, from + (a < mid ? a : b), (a < mid ? mid - a : end - b) * sizeof(*to));
}

/* One pass over all pairs of runs. True: more than one run is left. */
static bool merge_runs(struct span *to, const struct span *from, uint32_t n)
{
    uint32_t i = 0, pairs = 0;

    while (i < n) {
        uint32_t mid = run_end(from, n, i), end = mid < n ? run_end(from, n, mid) : n;

        merge_two(to + i, from + i, mid - i, end - i);
        i = end;
        pairs++;
    }
    return pairs > 1;
}

void store_sort_spans(struct ydoc *doc, struct span *v, uint32_t n)
{
    struct span *tmp, *from = v, *to;
    bool more = true;

    if (n < 2 || run_end(v, n, 0) == n)
        return;
    tmp = n < 16 ? NULL : store_resize(doc, NULL, 0, n * sizeof(*v));
    if (tmp == NULL) {
        heap_sort(v, n, 0);
        return;
    }
    for (to = tmp; more; to = to == tmp ? v : tmp) {
        more = merge_runs(to, from, n);
        from = to;
    }
    if (from != v)
        memcpy(v, from, n * sizeof(*v));
    store_resize(doc, tmp, n * sizeof(*v), 0);
}
