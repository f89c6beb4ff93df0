/* oracle_edit - the command T: a list of operations as one transaction.
 *
 * What a transaction has done cannot be taken back, and a refused request has to
 * leave the document as it was. The operations are therefore tried on a copy
 * first. */
#include "ydoc_cli/oracle.h"

#include <string.h>

#include "ydoc_cli/oracle_value.h"

/* One operation: [name, path, …]. */
struct operation {
    struct ydoc *doc;
    const struct json_tree *t;
    ydoc_type type;
    const struct json_node *args[3]; /* what follows the path; NULL: not given */
};

static bool is_index(const struct json_node *node, uint32_t *out)
{
    if (node == NULL || node->type != JSON_NUMBER || node->number < 0 ||
        node->number > UINT32_MAX || node->number != (double)(uint32_t)node->number)
        return false;
    *out = (uint32_t)node->number;
    return true;
}

/* ---- where ---- */

static int find_root(const struct oracle *o, struct ydoc *doc, const struct json_node *name,
                     ydoc_type *out)
{
    struct ydoc_slice declared;
    enum ydoc_kind kind;
    size_t at = 0;

    while (name != NULL && name->type == JSON_STRING &&
           oracle_next_root(o, &at, &declared, &kind)) {
        if (declared.len == name->text.len && memcmp(declared.p, name->text.p, declared.len) == 0)
            return ydoc_root(doc, declared, kind, out);
    }
    return YDOC_ENOENT;
}

static int step_into(struct ydoc *doc, ydoc_type from, const struct json_node *step, ydoc_type *out)
{
    struct ydoc_value value = {.tag = YDOC_VALUE_ANY};
    uint32_t index;
    int rc;

    if (is_index(step, &index))
        rc = ydoc_list_get(doc, from, index, &value);
    else if (step->type == JSON_STRING)
        rc = ydoc_map_get(doc, from, step->text, &value);
    else
        return YDOC_EMALFORMED;
    if (rc == 0 && value.tag != YDOC_VALUE_TYPE)
        return YDOC_EKIND;
    *out = value.type;
    return rc;
}

static int find_type(const struct oracle *o, struct operation *op, const struct json_node *path)
{
    const struct json_node *step = path;
    int rc;

    if (path != NULL && path->type == JSON_ARRAY)
        step = json_first(op->t, path);
    rc = find_root(o, op->doc, step, &op->type);
    if (rc != 0 || step == path)
        return rc;
    for (step = json_sibling(op->t, step); step != NULL && rc == 0;
         step = json_sibling(op->t, step))
        rc = step_into(op->doc, op->type, step, &op->type);
    return rc;
}

int oracle_find_type(const struct oracle *o, const struct json_tree *t,
                     const struct json_node *path, ydoc_type *out)
{
    struct operation op = {.doc = o->doc, .t = t};
    int rc = find_type(o, &op, path);

    *out = op.type;
    return rc;
}

/* ---- what ---- */

/* Attributes as JSON in `b`; absent or null ones leave *out as it is. */
static int read_attributes(struct operation *op, const struct json_node *node, struct ydoc_buf *b,
                           struct ydoc_slice *out)
{
    int rc;

    if (node == NULL || node->type == JSON_NULL)
        return 0;
    rc = json_write_json(op->t, node, b);
    *out = ydoc_buf_slice(b);
    return rc;
}

static int do_insert(struct operation *op)
{
    struct ydoc_slice attributes = {NULL, 0};
    struct ydoc_buf b;
    uint32_t index;
    int rc;

    if (!is_index(op->args[0], &index) || op->args[1] == NULL || op->args[1]->type != JSON_STRING)
        return YDOC_EMALFORMED;
    ydoc_buf_init(&b, NULL);
    rc = read_attributes(op, op->args[2], &b, &attributes);
    if (rc == 0)
        rc = ydoc_text_insert(op->doc, op->type, index, op->args[1]->text, attributes);
    ydoc_buf_fini(&b);
    return rc;
}

static int do_delete(struct operation *op)
{
    uint32_t index, len;

    if (!is_index(op->args[0], &index) || !is_index(op->args[1], &len))
        return YDOC_EMALFORMED;
    return ydoc_text_delete(op->doc, op->type, index, len);
}

static int do_format(struct operation *op)
{
    struct ydoc_slice attributes = {NULL, 0};
    uint32_t index, len;
    struct ydoc_buf b;
    int rc;

    if (!is_index(op->args[0], &index) || !is_index(op->args[1], &len) || op->args[2] == NULL)
        return YDOC_EMALFORMED;
    ydoc_buf_init(&b, NULL);
    rc = read_attributes(op, op->args[2], &b, &attributes);
    if (rc == 0)
        rc = ydoc_text_format(op->doc, op->type, index, len, attributes);
    ydoc_buf_fini(&b);
    return rc;
}

/* A new type, or any value as the JSON of an embed. Yjs takes no attributes to
 * mean none, not those of the neighbour. */
static int do_embed(struct operation *op)
{
    struct ydoc_slice attributes = {(const uint8_t *)"{}", 2};
    struct ydoc_buf b, json;
    struct made m;
    uint32_t index;
    int rc;

    if (!is_index(op->args[0], &index) || op->args[1] == NULL)
        return YDOC_EMALFORMED;
    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&json, NULL);
    rc = made_init(&m, op->t, op->args[1]);
    if (rc == 0 && m.value.tag == YDOC_VALUE_ANY) {
        json_from_any(m.value.any, &json);
        m.value.tag = YDOC_VALUE_JSON;
        m.value.any = ydoc_buf_slice(&json);
    }
    if (rc == 0)
        rc = read_attributes(op, op->args[2], &b, &attributes);
    if (rc == 0)
        rc = ydoc_text_insert_embed(op->doc, op->type, index, &m.value, attributes);
    made_fini(&m);
    ydoc_buf_fini(&json);
    ydoc_buf_fini(&b);
    return rc;
}

static int do_list_insert(struct operation *op)
{
    struct made_values values;
    uint32_t index;
    int rc;

    if (!is_index(op->args[0], &index) || op->args[1] == NULL || op->args[1]->type != JSON_ARRAY)
        return YDOC_EMALFORMED;
    rc = made_values_init(&values, op->t, op->args[1]);
    if (rc != 0)
        return rc;
    rc = ydoc_list_insert(op->doc, op->type, index, values.values, values.n);
    made_values_fini(&values);
    return rc;
}

static int do_list_delete(struct operation *op)
{
    uint32_t index, len;

    if (!is_index(op->args[0], &index) || !is_index(op->args[1], &len))
        return YDOC_EMALFORMED;
    return ydoc_list_delete(op->doc, op->type, index, len);
}

static int do_set(struct operation *op)
{
    struct made m;
    int rc;

    if (op->args[0] == NULL || op->args[0]->type != JSON_STRING || op->args[1] == NULL)
        return YDOC_EMALFORMED;
    rc = made_init(&m, op->t, op->args[1]);
    if (rc == 0)
        rc = ydoc_map_set(op->doc, op->type, op->args[0]->text, &m.value);
    made_fini(&m);
    return rc;
}

/* Yjs takes a key that is not there for done. */
static int do_unset(struct operation *op)
{
    int rc;

    if (op->args[0] == NULL || op->args[0]->type != JSON_STRING)
        return YDOC_EMALFORMED;
    rc = ydoc_map_delete(op->doc, op->type, op->args[0]->text);
    return rc == YDOC_ENOENT ? 0 : rc;
}

static const struct {
    const char *name;
    int (*run)(struct operation *op);
} operations[] = {
    {"insert", do_insert}, {"delete", do_delete},       {"format", do_format},
    {"embed", do_embed},   {"ainsert", do_list_insert}, {"adelete", do_list_delete},
    {"set", do_set},       {"unset", do_unset},
};

static int run_operation(struct oracle *o, struct operation *op, const struct json_node *list)
{
    const struct json_node *name = json_first(op->t, list);
    int rc;

    for (size_t i = 0; name != NULL && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (!json_is_text(name, operations[i].name))
            continue;
        for (uint32_t a = 0; a < 3; a++)
            op->args[a] = json_at(op->t, list, a + 2);
        rc = find_type(o, op, json_at(op->t, list, 1));
        return rc != 0 ? rc : operations[i].run(op);
    }
    return YDOC_EMALFORMED;
}

static int run_all(struct oracle *o, struct ydoc *doc, const struct json_tree *t)
{
    const struct json_node *list = json_first(t, t->nodes);
    struct ydoc_error err = {0};
    unsigned number = 1;
    int rc = ydoc_begin(doc, NULL), committed;

    if (rc != 0)
        return rc;
    for (; list != NULL && rc == 0; list = json_sibling(t, list), number++) {
        struct operation op = {.doc = doc, .t = t};

        rc = run_operation(o, &op, list);
        if (rc != 0)
            oracle_refuse(o, "operation %u: %s", number, ydoc_strerror(rc));
    }
    committed = ydoc_commit(doc, &err);
    return rc != 0 ? rc : committed;
}

static int try_all(struct oracle *o, const struct json_tree *t)
{
    struct ydoc_buf state;
    struct ydoc *copy;
    int rc = oracle_new_doc(o, &copy);

    ydoc_buf_init(&state, NULL);
    if (rc == 0)
        rc = ydoc_encode_state_v1(o->doc, NULL, 0, &state, NULL);
    if (rc == 0)
        rc = ydoc_apply_v1(copy, state.p, state.len, &o->err);
    if (rc == 0)
        rc = run_all(o, copy, t);
    ydoc_free(copy);
    ydoc_buf_fini(&state);
    return rc;
}

int oracle_edit(struct oracle *o, const uint8_t *p, size_t len)
{
    struct json_tree t;
    int rc = json_tree_parse(&t, p, len, &o->err);

    if (rc == 0 && t.nodes->type != JSON_ARRAY)
        rc = oracle_refuse(o, "a list of operations is wanted");
    if (rc == 0)
        rc = try_all(o, &t);
    if (rc == 0)
        rc = run_all(o, o->doc, &t);
    json_tree_fini(&t);
    return rc;
}
