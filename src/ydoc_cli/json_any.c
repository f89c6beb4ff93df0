/* json_any - a JSON value as lib0's `any`: one tag byte and what belongs to it. */
#include "ydoc_cli/json_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ydoc/any.h"

/* {"$n": …} */
static int write_named_number(struct ydoc_buf *out, const struct json_node *name)
{
    if (json_is_text(name, "-0"))
        any__write_number(out, -0.0);
    else if (json_is_text(name, "NaN"))
        any__write_number(out, NAN);
    else if (json_is_text(name, "Infinity"))
        any__write_number(out, INFINITY);
    else if (json_is_text(name, "-Infinity"))
        any__write_number(out, -INFINITY);
    else
        return YDOC_EMALFORMED;
    return 0;
}

/* Digits with an optional minus, modulo 2^64 as BigInt64Array stores them. */
static int write_bigint(struct ydoc_buf *out, const struct json_node *digits)
{
    bool negative = digits->type == JSON_STRING && digits->text.len > 0 && digits->text.p[0] == '-';
    uint64_t v = 0;

    if (digits->type != JSON_STRING || digits->text.len <= negative)
        return YDOC_EMALFORMED;
    for (size_t i = negative; i < digits->text.len; i++) {
        if (digits->text.p[i] < '0' || digits->text.p[i] > '9')
            return YDOC_EMALFORMED;
        v = v * 10 + (uint64_t)(digits->text.p[i] - '0');
    }
    lib0_write_u8(out, ANY_BIGINT);
    any__write_be(out, negative ? (uint64_t)0 - v : v, 8);
    return 0;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int json_decode_base64(const struct json_node *node, struct ydoc_buf *out)
{
    size_t n = node->text.len;
    uint32_t bits = 0;

    if (node->type != JSON_STRING)
        return YDOC_EMALFORMED;
    while (n > 0 && n + 2 >= node->text.len && node->text.p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(node->text.p[i]);

        if (digit < 0)
            return YDOC_EMALFORMED;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            lib0_write_u8(out, (uint8_t)(bits >> (6 - 2 * (i % 4))));
    }
    return n % 4 == 1 ? YDOC_EMALFORMED : 0;
}

static int write_bytes(struct ydoc_buf *out, const struct json_node *base64)
{
    struct ydoc_buf bytes;
    int rc;

    ydoc_buf_init(&bytes, NULL);
    rc = json_decode_base64(base64, &bytes);
    lib0_write_u8(out, ANY_BYTES);
    lib0_write_varbytes(out, bytes.p, bytes.len);
    if (bytes.failed)
        rc = YDOC_ENOMEM;
    ydoc_buf_fini(&bytes);
    return rc;
}

static int write_object(const struct json_tree *t, const struct json_node *node,
                        struct ydoc_buf *out)
{
    const struct json_node *child = json_first(t, node);
    int rc = 0;

    if (node->n == 1 && json_member(t, node, "$u") != NULL) {
        lib0_write_u8(out, ANY_UNDEFINED);
        return 0;
    }
    if (node->n == 1 && json_member(t, node, "$n") != NULL)
        return write_named_number(out, child);
    if (node->n == 1 && json_member(t, node, "$big") != NULL)
        return write_bigint(out, child);
    if (node->n == 1 && json_member(t, node, "$bin") != NULL)
        return write_bytes(out, child);
    lib0_write_u8(out, ANY_OBJECT);
    lib0_write_varuint(out, node->n);
    for (; child != NULL && rc == 0; child = json_sibling(t, child)) {
        lib0_write_varbytes(out, child->name.p, child->name.len);
        rc = json_write_any(t, child, out);
    }
    return rc;
}

static int write_array(const struct json_tree *t, const struct json_node *node,
                       struct ydoc_buf *out)
{
    int rc = 0;

    lib0_write_u8(out, ANY_ARRAY);
    lib0_write_varuint(out, node->n);
    for (const struct json_node *c = json_first(t, node); c != NULL && rc == 0;
         c = json_sibling(t, c))
        rc = json_write_any(t, c, out);
    return rc;
}

int json_write_any(const struct json_tree *t, const struct json_node *node, struct ydoc_buf *out)
{
    switch (node->type) {
    case JSON_NULL:
        lib0_write_u8(out, ANY_NULL);
        return 0;
    case JSON_FALSE:
        lib0_write_u8(out, ANY_FALSE);
        return 0;
    case JSON_TRUE:
        lib0_write_u8(out, ANY_TRUE);
        return 0;
    case JSON_NUMBER:
        any__write_number(out, node->number);
        return 0;
    case JSON_STRING:
        lib0_write_u8(out, ANY_STRING);
        lib0_write_varbytes(out, node->text.p, node->text.len);
        return 0;
    case JSON_ARRAY:
        return write_array(t, node, out);
    default:
        return write_object(t, node, out);
    }
}
