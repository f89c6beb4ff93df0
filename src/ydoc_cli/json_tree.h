#ifndef SKEIN_YDOC_CLI_JSON_TREE_H
#define SKEIN_YDOC_CLI_JSON_TREE_H

/* json_tree - JSON text as a tree, the way JavaScript reads it: numbers are
 * doubles and keep -0, members keep their order, and half a surrogate pair
 * (\ud83d alone) becomes U+FFFD, as it does when JavaScript writes UTF-8.
 * Two members of one name stay two. Nested at most JSON_NESTING_MAX deep. */
#include <stdbool.h>
#include <stdint.h>

#include <ydoc.h>

#define JSON_NESTING_MAX 128u

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node {
    enum json_type type;
    uint32_t n;           /* of an array's or object's children */
    uint32_t child, next; /* node numbers; 0: none */
    double number;
    struct ydoc_slice text; /* of a string: UTF-8, may hold NUL */
    struct ydoc_slice name; /* of an object's child */
};

struct json_tree {
    struct json_node *nodes; /* nodes[0] is the whole text */
    size_t n, cap;
    struct ydoc_buf text; /* what the slices point into */
};

/* 0, YDOC_EMALFORMED with the byte in `err`, or YDOC_ENOMEM. Whatever it
 * answers, json_tree_fini() frees the tree. */
int json_tree_parse(struct json_tree *t, const uint8_t *p, size_t len, struct ydoc_error *err);
void json_tree_fini(struct json_tree *t);

/* The first child, and the next one; NULL at the end. */
const struct json_node *json_first(const struct json_tree *t, const struct json_node *node);
const struct json_node *json_sibling(const struct json_tree *t, const struct json_node *node);

/* The child at a position, or with a name; NULL if there is none. */
const struct json_node *json_at(const struct json_tree *t, const struct json_node *node,
                                uint32_t i);
const struct json_node *json_member(const struct json_tree *t, const struct json_node *node,
                                    const char *name);

bool json_is_text(const struct json_node *node, const char *text);

/* Appends the node as a lib0 `any`, with the tags JavaScript would choose. The
 * objects {"$u":1}, {"$n":"-0"}, {"$big":"digits"} and {"$bin":"base64"} are the
 * values that JSON does not have. YDOC_EMALFORMED for one that says nothing. */
int json_write_any(const struct json_tree *t, const struct json_node *node, struct ydoc_buf *out);

/* Appends the bytes that a base64 string stands for, padded or not. */
int json_decode_base64(const struct json_node *node, struct ydoc_buf *out);

#endif
