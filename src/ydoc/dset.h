#ifndef YDOC_DSET_H
#define YDOC_DSET_H

/* dset - a delete set in memory: ranges of ids, in the order they were added.
 * Failed allocations stick in `failed`, as in ydoc_buf. */
#include "ydoc/internal.h"
#include "ydoc/wire.h"

struct dset {
    struct wire_range *v;
    size_t n, cap;
    struct ydoc_alloc alloc;
    bool failed;
};

void dset_init(struct dset *d, const struct ydoc_alloc *alloc);
void dset_fini(struct dset *d);
void dset_add(struct dset *d, uint64_t client, uint32_t clock, uint32_t len);
/* Adds the delete set at which the walk has arrived; what is wrong with it
 * becomes the walk's failure. */
void dset_add_walk(struct dset *d, struct wire_walk *w);

/* Clients descending; the ranges of a client keep their order. */
void dset_sort_clients(struct dset *d);
/* Clients descending, ranges ascending, touching and overlapping ones joined. */
void dset_sort_and_merge(struct dset *d);
/* Appends format v1. The clients must be in order. */
void dset_write(const struct dset *d, struct ydoc_buf *out);
/* Appends format v2, which cannot say ranges out of order: see dset.c. */
void dset_write_v2(const struct dset *d, struct ydoc_buf *out);

#endif
