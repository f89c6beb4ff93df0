#ifndef YDOC_EDIT_H
#define YDOC_EDIT_H

/* edit - what the files of local editing share: handles, one edit as a
 * transaction, and the formatting of texts (format.c, edit_text.c). */
#include "ydoc/place.h"

/* ---- handles (edit.c) ---- */
ydoc_type edit_handle(const struct ydoc *doc, uint32_t type);
/* The type's number, or 0 when it is gone. */
uint32_t edit_resolve(const struct ydoc *doc, ydoc_type handle);
/* The same for what is deleted but kept. */
uint32_t edit_resolve_kept(const struct ydoc *doc, ydoc_type handle);

#define KIND_BIT(kind) (1u << (kind))
#define KINDS_TEXT                                                                                 \
    (KIND_BIT(YDOC_KIND_TEXT) | KIND_BIT(YDOC_KIND_XML_TEXT) | KIND_BIT(YDOC_KIND_UNKNOWN))
#define KINDS_LIST                                                                                 \
    (KIND_BIT(YDOC_KIND_ARRAY) | KIND_BIT(YDOC_KIND_XML_FRAGMENT) |                                \
     KIND_BIT(YDOC_KIND_XML_ELEMENT) | KIND_BIT(YDOC_KIND_UNKNOWN))
#define KINDS_MAP                                                                                  \
    (KIND_BIT(YDOC_KIND_MAP) | KIND_BIT(YDOC_KIND_XML_ELEMENT) | KIND_BIT(YDOC_KIND_XML_HOOK) |    \
     KINDS_TEXT)

/* ---- one edit ---- */
struct edit {
    struct ydoc *doc;
    uint32_t type;
    int rc; /* set by `work` when something of the caller's failed */
    void (*work)(struct edit *e);
};
/* Finds the type, checks its kind, and runs `work` as a transaction of its own
 * or inside the open one. */
int edit_run(struct edit *e, struct ydoc *doc, ydoc_type handle, unsigned kinds);
/* Inserts a value; `s` has its content. Calls value->fill. Returns the item. */
uint32_t edit_insert(struct edit *e, const struct neighbours *between, const struct wire_struct *s,
                     const struct ydoc_value *value);
uint32_t edit_list_head(const struct ydoc *doc, uint32_t type);
/* Fills `value` with element `n` of an item, which may be deleted, and read as undefined
 * where it was collected. */
void edit_read_value(const struct ydoc *doc, const struct item *it, uint32_t n,
                     struct ydoc_value *value);
/* JSON text as a document keeps it: what is no JSON after all becomes an any. */
struct ydoc_value edit_json_value(struct ydoc_slice stored);
/* The item whose last element is a key's value, deleted or not; 0: there never was one. */
uint32_t edit_find_entry(const struct ydoc *doc, uint32_t type, struct ydoc_slice key);
/* 0, or YDOC_ELIMIT: no update could carry so many bytes. */
int edit_check_len(const struct ydoc *doc, size_t bytes);

/* place_find for readers: 0, or YDOC_ENOMEM. */
int edit_find(const struct ydoc *doc, uint32_t type, uint32_t index, struct spot *spot);
/* The same for place_of. */
int edit_index_of(const struct ydoc *doc, uint32_t item, uint32_t *index);

/* ---- attributes (format.c) ---- */

/* A value's JSON text: a range of the slab, or bytes outside the document. */
struct attr {
    uint32_t key; /* interned */
    uint32_t at, len;
    const uint8_t *outside;
};
struct attrs {
    struct attr *p;
    uint32_t n, cap;
};

/* Lists that a running edit of a text needs. They belong to the document, so that
 * unwinding loses none; an edit inside an edit (ydoc_value.fill) has its own. */
struct text_frame {
    struct text_frame *next;
    bool used;
    struct attrs current; /* attributes at the position */
    struct attrs negated;
    struct attrs given;
    struct attrs start;
    VEC(uint32_t) formats;
};

/* A place between two items of a text, and the attributes there. */
struct text_pos {
    uint32_t type, left, right;
    struct text_frame *f;
};

struct text_frame *edit_take_frame(struct ydoc *doc);
void edit_give_frame(struct text_frame *f);
void edit_free_frames(struct ydoc *doc);

/* NULL: not in the list. */
struct attr *format_find(struct attrs *list, uint32_t key);
void format_set(struct ydoc *doc, struct attrs *list, struct attr a); /* as a JavaScript Map */
void format_remove(struct attrs *list, uint32_t key);
void format_copy(struct ydoc *doc, struct attrs *to, const struct attrs *from);

struct attr format_attr(struct ydoc *doc, uint32_t format_item);
struct ydoc_slice format_value(const struct ydoc *doc, const struct attr *a);
/* Yjs's equalAttrs: the same value, or objects with the same members. A missing
 * one (NULL) is null. */
bool format_equal(const struct ydoc *doc, const struct attr *a, const struct attr *b);
bool format_is_null(const struct ydoc *doc, const struct attr *a);

/* Past one item to the right. */
void format_forward(struct ydoc *doc, struct text_pos *pos);
/* Yjs's cleanupFormattingGap; `curr` 0 is the end of the text. */
void format_clean_gap(struct ydoc *doc, uint32_t start, uint32_t curr, struct text_frame *f);

#endif
