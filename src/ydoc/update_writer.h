#ifndef YDOC_UPDATE_WRITER_H
#define YDOC_UPDATE_WRITER_H

/* update_writer - an update of either format, struct by struct, when neither the
 * number of sections nor their sizes are known beforehand: Yjs's lazy writer.
 *
 * Structs of one client that follow one another make a section. What v1 input
 * spells as it would be written is copied in runs. Failed allocations stick and
 * show as out->failed in the end. */
#include "ydoc/columns.h"
#include "ydoc/dset.h"
#include "ydoc/wire.h"

struct section_mark {
    size_t at; /* in body */
    uint64_t structs;
};

struct update_columns {
    struct column_writer key, client, left, right, info, units, parent, type, len;
    struct ydoc_buf text;
    uint64_t keys;
};

struct update_writer {
    enum wire_version version;
    struct ydoc_buf body;  /* client (v1), clock and structs of each section */
    struct ydoc_buf marks; /* struct section_mark, one a section */
    uint64_t client;
    uint64_t next; /* clock at which the open section goes on */
    struct section_mark open;
    const uint8_t *run, *run_end; /* input that is still to be copied */
    struct update_columns v2;
};

void update_writer_init(struct update_writer *w, enum wire_version version,
                        const struct ydoc_alloc *alloc);
void update_writer_fini(struct update_writer *w);

/* The struct from `offset` units on, as Yjs's rewriters write it. */
void update_writer_add(struct update_writer *w, const struct wire_struct *s, uint32_t offset);
/* The same with `info` given: a document's items keep WIRE_HAS_SUB. */
void update_writer_add_as(struct update_writer *w, const struct wire_struct *s, uint32_t offset,
                          uint8_t info);

/* Appends the update. Deletions that v2 cannot say, because they are out of
 * order, are put in order. */
void update_writer_finish(struct update_writer *w, struct dset *deletes, struct ydoc_buf *out);

#endif
