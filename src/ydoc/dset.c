/* dset - see dset.h. Sorting is a bottom-up merge sort: stable, which
 * dset_sort_clients() needs, and O(n log n) on whatever a peer sends. Sets that
 * come from Yjs are in order already and are only looked through. */
#include "ydoc/dset.h"

#include <string.h>

void dset_init(struct dset *d, const struct ydoc_alloc *alloc)
{
    memset(d, 0, sizeof(*d));
    d->alloc = ydoc__alloc_or_default(alloc);
}

void dset_fini(struct dset *d)
{
    if (d->v != NULL)
        d->alloc.resize(d->alloc.ctx, d->v, d->cap * sizeof(*d->v), 0);
    d->v = NULL;
    d->n = 0;
    d->cap = 0;
}

void dset_add(struct dset *d, uint64_t client, uint32_t clock, uint32_t len)
{
    if (d->n == d->cap) {
        size_t cap = d->cap + d->cap / 2 + 4;
        void *p = d->failed ? NULL
                            : d->alloc.resize(d->alloc.ctx, d->v, d->cap * sizeof(*d->v),
                                              cap * sizeof(*d->v));

        if (p == NULL) {
            d->failed = true;
            return;
        }
        d->v = p;
        d->cap = cap;
    }
    d->v[d->n].client = client;
    d->v[d->n].clock = clock;
    d->v[d->n].len = len;
    d->n++;
}

void dset_add_walk(struct dset *d, struct wire_walk *w)
{
    struct wire_deletes it;
    struct wire_range range;
    uint64_t n = 0;

    if (w->r.why != NULL)
        return;
    wire_walk_deletes(w, &it);
    for (; n <= w->budget && wire_deletes_next(&it, &range); n++)
        dset_add(d, range.client, range.clock, range.len);
    wire_walk_end_deletes(w, &it, n);
}

static bool before_by_client(const struct wire_range *a, const struct wire_range *b)
{
    return a->client > b->client;
}

static bool before_by_clock(const struct wire_range *a, const struct wire_range *b)
{
    return a->client > b->client || (a->client == b->client && a->clock < b->clock);
}

typedef bool (*before_fn)(const struct wire_range *a, const struct wire_range *b);

static void merge_runs(struct wire_range *to, const struct wire_range *from, size_t mid, size_t end,
                       before_fn before)
{
    size_t a = 0, b = mid, n = 0;

    while (a < mid && b < end)
        to[n++] = before(&from[b], &from[a]) ? from[b++] : from[a++];
    while (a < mid)
        to[n++] = from[a++];
    while (b < end)
        to[n++] = from[b++];
}

static void sort(struct dset *d, before_fn before)
{
    size_t bytes = d->n * sizeof(*d->v);
    struct wire_range *from = d->v, *to, *tmp;
    size_t i = 1;

    while (i < d->n && !before(&d->v[i], &d->v[i - 1]))
        i++;
    if (i >= d->n)
        return;
    tmp = d->alloc.resize(d->alloc.ctx, NULL, 0, bytes);
    if (tmp == NULL) {
        d->failed = true;
        return;
    }
    to = tmp;
    for (size_t width = 1; width < d->n; width *= 2) {
        struct wire_range *swap = from;

        for (i = 0; i < d->n; i += 2 * width) {
            size_t left = d->n - i;

            merge_runs(to + i, from + i, width < left ? width : left,
                       2 * width < left ? 2 * width : left, before);
        }
        from = to;
        to = swap;
    }
    if (from != d->v)
        memcpy(d->v, from, bytes);
    d->alloc.resize(d->alloc.ctx, tmp, bytes, 0);
}

void dset_sort_clients(struct dset *d)
{
    sort(d, before_by_client);
}

void dset_sort_and_merge(struct dset *d)
{
    size_t n = 0;

    sort(d, before_by_clock);
    for (size_t i = 0; i < d->n; i++) {
        struct wire_range *last = n > 0 ? &d->v[n - 1] : NULL;

        if (last != NULL && last->client == d->v[i].client &&
            d->v[i].clock - last->clock <= last->len) {
            uint32_t end = d->v[i].clock - last->clock + d->v[i].len;

            if (end > last->len)
                last->len = end;
        } else {
            d->v[n++] = d->v[i];
        }
    }
    d->n = n;
}

static size_t same_client(const struct dset *d, size_t i)
{
    size_t n = 0;

    while (i + n < d->n && d->v[i + n].client == d->v[i].client)
        n++;
    return n;
}

static size_t count_clients(const struct dset *d)
{
    size_t clients = 0;

    for (size_t i = 0; i < d->n; i += same_client(d, i))
        clients++;
    return clients;
}

/* Ranges out of order have negative differences; of those lib0's writer of unsigned
 * numbers puts the low seven bits. Nobody reads that back as it was. Yjs's rewriters
 * do not sort what they copy, so neither is it done here. */
static void write_difference(struct ydoc_buf *out, uint32_t clock, uint32_t end)
{
    if (clock >= end)
        lib0_write_varuint(out, clock - end);
    else
        lib0_write_u8(out, (uint8_t)((clock - end) & 0x7f));
}

void dset_write_v2(const struct dset *d, struct ydoc_buf *out)
{
    lib0_write_varuint(out, count_clients(d));
    for (size_t i = 0; i < d->n;) {
        size_t n = same_client(d, i);
        uint32_t end = 0;

        lib0_write_varuint(out, d->v[i].client);
        lib0_write_varuint(out, n);
        for (; n > 0; n--, i++) {
            write_difference(out, d->v[i].clock, end);
            lib0_write_varuint(out, d->v[i].len - 1);
            end = d->v[i].clock + d->v[i].len;
        }
    }
    if (d->failed)
        out->failed = true;
}

void dset_write(const struct dset *d, struct ydoc_buf *out)
{
    lib0_write_varuint(out, count_clients(d));
    for (size_t i = 0; i < d->n;) {
        size_t n = same_client(d, i);

        lib0_write_varuint(out, d->v[i].client);
        lib0_write_varuint(out, n);
        for (; n > 0; n--, i++) {
            lib0_write_varuint(out, d->v[i].clock);
            lib0_write_varuint(out, d->v[i].len);
        }
    }
    if (d->failed)
        out->failed = true;
}
