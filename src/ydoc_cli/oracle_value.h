#ifndef SKEIN_YDOC_CLI_ORACLE_VALUE_H
#define SKEIN_YDOC_CLI_ORACLE_VALUE_H

/* oracle_value - values of local edits, from JSON (docs/ydoc-oracle.md). */
#include "ydoc_cli/json_tree.h"

/* A value for the library. It must not move while it is in use: a new type's
 * `fill` finds its contents through it. */
struct made {
    struct ydoc_value value;
    struct ydoc_buf bytes;
    const struct json_tree *tree;
    const struct json_node *node;
};

/* Whatever it answers, made_fini() frees it. */
int made_init(struct made *m, const struct json_tree *t, const struct json_node *node);
void made_fini(struct made *m);

/* All values of a list; on failure there is nothing to free. */
struct made_values {
    struct made *made;
    struct ydoc_value *values;
    size_t n;
};
int made_values_init(struct made_values *v, const struct json_tree *t,
                     const struct json_node *list);
void made_values_fini(struct made_values *v);

/* Appends what JSON.stringify gives for the value: tagged values that JSON does
 * not have become what they become there. */
int json_write_json(const struct json_tree *t, const struct json_node *node, struct ydoc_buf *out);
/* The same for a value that is an `any` already. */
void json_from_any(struct ydoc_slice any, struct ydoc_buf *out);

#endif
