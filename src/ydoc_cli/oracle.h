#ifndef SKEIN_YDOC_CLI_ORACLE_H
#define SKEIN_YDOC_CLI_ORACLE_H

/* oracle - what the commands of `ydoc oracle` share: the one document, the
 * answer in the making, and why a request is refused. */
#include "ydoc_cli/command.h"

#define ORACLE_CLIENT 4000000001u

struct oracle {
    struct ydoc *doc;       /* NULL before the first N */
    struct ydoc_undo *undo; /* of the document, or NULL */
    bool gc;
    struct ydoc_buf roots;   /* declared: u8 kind, u8 length, name; repeated */
    struct ydoc_buf emitted; /* u32le length, bytes; repeated */
    uint32_t emitted_n;
    struct ydoc_buf events; /* JSON, of transactions that are over (oracle_events.c) */
    struct ydoc_buf calls;  /* and of the one that is being told */
    struct ydoc_buf out;
    struct ydoc_error err;
};

/* Puts the words into o->err and returns YDOC_EMALFORMED. */
int oracle_refuse(struct oracle *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The next declared root, from *at = 0; false at the end. */
bool oracle_next_root(const struct oracle *o, size_t *at, struct ydoc_slice *name,
                      enum ydoc_kind *kind);
/* A document with the declared roots; *doc is NULL on failure. */
int oracle_new_doc(const struct oracle *o, struct ydoc **doc);

/* The commands O and o: events. */
int oracle_observe_events(struct oracle *o, const uint8_t *p, size_t len);
int oracle_take_events(struct oracle *o, const uint8_t *p, size_t len);

struct json_tree;
struct json_node;
/* The type that a path names: a declared root, or [root, step, …]. */
int oracle_find_type(const struct oracle *o, const struct json_tree *t,
                     const struct json_node *path, ydoc_type *out);

/* The command K: the undo manager. */
int oracle_undo(struct oracle *o, const uint8_t *p, size_t len);
/* The command T: local edits. */
int oracle_edit(struct oracle *o, const uint8_t *p, size_t len);

/* Numbers are little-endian. */
uint32_t oracle_get_u32(const uint8_t *p);
void oracle_add_u32(struct ydoc_buf *b, uint32_t v);
/* The part of a list that begins at *at, behind which *at moves; false: it is cut off. */
bool oracle_next_part(struct ydoc_slice list, size_t *at, struct ydoc_slice *part);

#endif
