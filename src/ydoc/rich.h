#ifndef YDOC_RICH_H
#define YDOC_RICH_H

/* rich - a text's runs, one after the other, as Y.Text's toDelta() packs them: a
 * run ends at every visible format item and at every embed. */
#include "ydoc/store.h"

/* Of a text's attributes at most so many are kept at a time: a peer could
 * otherwise make reading quadratic. */
#define RICH_ATTRIBUTES_MAX 256

struct rich_attribute {
    struct ydoc_slice key;   /* UTF-8 */
    struct ydoc_slice value; /* JSON */
};

struct rich {
    const struct ydoc *doc;
    uint32_t next;
    struct ydoc_buf attributes; /* struct rich_attribute, in the order of properties */
    struct ydoc_buf text;       /* of the run */
    const struct item *embed;   /* or this */
    bool given;                 /* `text` is what the last call gave */
};

void rich_init(struct rich *r, const struct ydoc *doc, uint32_t type,
               const struct ydoc_alloc *alloc);
void rich_fini(struct rich *r);
/* The next run: `embed`, or `text` if that is NULL. False at the end, or when
 * there is no memory. */
bool rich_next(struct rich *r);
static inline bool rich_failed(const struct rich *r)
{
    return r->attributes.failed || r->text.failed;
}
static inline struct rich_attribute *rich_attributes(const struct rich *r, size_t *n)
{
    *n = r->attributes.len / sizeof(struct rich_attribute);
    return (struct rich_attribute *)(void *)r->attributes.p;
}

#endif
