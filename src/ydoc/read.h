#ifndef YDOC_READ_H
#define YDOC_READ_H

/* read - what a document says, as JSON; and what the files share that read a
 * document in other forms (xml.c, prosemirror.c, markdown.c).
 *
 * Types nest without bound in a document and readers recurse, so below
 * READ_DEPTH_MAX a type is left out or null. A format may hold much and be said
 * again for every run of text it covers; read_limit keeps a result, and the time
 * for it, in proportion to the document all the same.
 */
#include <ydoc.h>

#include "ydoc/json_walk.h"
#include "ydoc/store.h"

#define READ_DEPTH_MAX 200

/* One root as JSON in the given style. TEXT_TAGGED keeps everything that Yjs
 * knows: {"$text": delta}, {"$map": {…}}, {"$el": …} and so on, for comparing. */
int ydoc__read_root(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out);
/* The same for any type, and a text's toDelta(). */
int ydoc__read_type(const struct ydoc *doc, uint32_t type, enum ydoc_kind kind,
                    enum text_style style, struct ydoc_buf *out);
int ydoc__read_delta(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out);
int ydoc__read_text(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out);
/* xml.c: exactly Yjs's toString(), or escaped and well-formed. */
int ydoc__read_xml(const struct ydoc *doc, uint32_t type, bool escaped, struct ydoc_buf *out);
int ydoc__read_prosemirror(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out);
int ydoc__read_markdown(const struct ydoc *doc, uint32_t type, struct ydoc_buf *out);

/* 0 and the type of a root, YDOC_ENOENT or YDOC_EBROKEN. */
int read_find_root(const struct ydoc *doc, struct ydoc_slice root, uint32_t *type);

/* How long `out` may become by reading `doc` onto its end. */
size_t read_limit(const struct ydoc *doc, const struct ydoc_buf *out);
/* The end of every reader: YDOC_ELIMIT, YDOC_ENOMEM or 0. */
int read_finish(struct ydoc_buf *out, size_t len_before, size_t limit);

static inline struct ydoc_slice read_content(const struct ydoc *doc, const struct item *it)
{
    struct ydoc_slice s = {item_bytes(doc, it), it->bytes};

    return s;
}
static inline uint32_t read_list_start(const struct ydoc *doc, uint32_t type)
{
    return doc->slots.p[doc->types.p[type].list].head;
}
/* The live value of a map slot, or NULL. */
static inline const struct item *read_slot_value(const struct ydoc *doc, uint32_t slot)
{
    uint32_t h = doc->slots.p[slot].head;

    return h != 0 && !item_deleted(&doc->items.p[h]) ? &doc->items.p[h] : NULL;
}
/* Appends to `members` a struct json_member for each key with a value, in the
 * order of JavaScript's properties; `number` is the slot. */
void read_members(const struct ydoc *doc, uint32_t type, struct ydoc_buf *members);
static inline struct json_member *read_members_of(const struct ydoc_buf *members, size_t *n)
{
    *n = members->failed ? 0 : members->len / sizeof(struct json_member);
    return (struct json_member *)(void *)members->p;
}
/* A format's or an embed's value as the document keeps it (any.h): JSON text, where
 * `undefined` may stand, or a lib0 any. */
void read_write_stored(struct ydoc_buf *out, struct ydoc_slice stored, enum text_style style);
/* One attribute or element as JSON: the last one of the item. */
void read_write_last(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                     unsigned depth);

#endif
