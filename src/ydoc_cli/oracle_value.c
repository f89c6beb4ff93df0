/* oracle_value - the values of local edits: plain ones become a lib0 `any`, and
 * {"$text": …}, {"$map": …}, a list and the like become new shared types that
 * are filled as soon as they stand in the document.
 *
 * Their contents come in the order in which Yjs writes those of a type that was
 * filled before it was inserted: entries as given, a text's operations before
 * its attributes, an element's children before its attributes. */
#include "ydoc_cli/oracle_value.h"

#include <stdlib.h>
#include <string.h>

#include "ydoc/lib0.h"
#include "ydoc/text.h"

static int fill_list(struct ydoc *doc, ydoc_type type, const struct json_tree *t,
                     const struct json_node *children)
{
    struct made_values values;
    int rc;

    if (children == NULL)
        return 0;
    rc = children->type == JSON_ARRAY ? made_values_init(&values, t, children) : YDOC_EMALFORMED;
    if (rc != 0)
        return rc;
    rc = ydoc_list_insert(doc, type, 0, values.values, values.n);
    made_values_fini(&values);
    return rc;
}

static int fill_map(struct ydoc *doc, ydoc_type type, const struct json_tree *t,
                    const struct json_node *entries)
{
    int rc = 0;

    if (entries == NULL)
        return 0;
    if (entries->type != JSON_OBJECT)
        return YDOC_EMALFORMED;
    for (const struct json_node *e = json_first(t, entries); e != NULL && rc == 0;
         e = json_sibling(t, e)) {
        struct made m;

        rc = made_init(&m, t, e);
        if (rc == 0)
            rc = ydoc_map_set(doc, type, e->name, &m.value);
        made_fini(&m);
    }
    return rc;
}

static int fill_text(struct ydoc *doc, ydoc_type type, const struct json_tree *t,
                     const struct json_node *delta)
{
    struct ydoc_buf json;
    int rc;

    ydoc_buf_init(&json, NULL);
    rc = json_write_json(t, delta, &json);
    if (rc == 0)
        rc = ydoc_text_apply_delta(doc, type, ydoc_buf_slice(&json), NULL);
    ydoc_buf_fini(&json);
    return rc;
}

static int fill(struct ydoc *doc, ydoc_type type, void *ctx)
{
    const struct made *m = ctx;
    const struct json_tree *t = m->tree;
    const struct json_node *node = m->node;
    int rc;

    switch (m->value.kind) {
    case YDOC_KIND_ARRAY:
        return fill_list(doc, type, t, node);
    case YDOC_KIND_MAP:
        return fill_map(doc, type, t, json_member(t, node, "$map"));
    case YDOC_KIND_XML_HOOK:
        return fill_map(doc, type, t, json_member(t, node, "m"));
    case YDOC_KIND_XML_FRAGMENT:
        return fill_list(doc, type, t, json_member(t, node, "$frag"));
    case YDOC_KIND_XML_ELEMENT:
        rc = fill_list(doc, type, t, json_member(t, node, "c"));
        return rc != 0 ? rc : fill_map(doc, type, t, json_member(t, node, "a"));
    default:
        rc = fill_text(doc, type, t, json_first(t, node));
        return rc != 0 ? rc : fill_map(doc, type, t, json_member(t, node, "attrs"));
    }
}

/* ---- what a value is ---- */

static const struct {
    const char *tag;
    enum ydoc_kind kind;
    bool named;
} tags[] = {
    {"$text", YDOC_KIND_TEXT, false},     {"$xtext", YDOC_KIND_XML_TEXT, false},
    {"$map", YDOC_KIND_MAP, false},       {"$frag", YDOC_KIND_XML_FRAGMENT, false},
    {"$el", YDOC_KIND_XML_ELEMENT, true}, {"$hook", YDOC_KIND_XML_HOOK, true},
};

static bool is_named(const struct json_node *node, const char *name)
{
    return node->name.len == strlen(name) && memcmp(node->name.p, name, node->name.len) == 0;
}

/* Is it a new type, told by its first member? */
static bool find_type(struct made *m)
{
    const struct json_node *first = json_first(m->tree, m->node);

    if (m->node->type == JSON_ARRAY) {
        m->value.kind = YDOC_KIND_ARRAY;
        return true;
    }
    for (size_t i = 0; first != NULL && i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (m->node->type != JSON_OBJECT || !is_named(first, tags[i].tag))
            continue;
        m->value.kind = tags[i].kind;
        if (tags[i].named)
            m->value.name = first->text;
        return true;
    }
    return false;
}

static bool is_true(const struct json_tree *t, const struct json_node *node, const char *name,
                    bool otherwise)
{
    const struct json_node *member = json_member(t, node, name);

    return member == NULL ? otherwise : member->type == JSON_TRUE;
}

/* The options that Yjs writes: gc if false, autoLoad if true, meta unless null. */
static int make_doc(struct made *m, const struct json_node *guid)
{
    const struct json_node *meta = json_member(m->tree, m->node, "meta");
    bool gc = is_true(m->tree, m->node, "gc", true);
    bool load = is_true(m->tree, m->node, "autoLoad", false);
    struct ydoc_buf *b = &m->bytes;

    if (meta != NULL && meta->type == JSON_NULL)
        meta = NULL;
    m->value.tag = YDOC_VALUE_DOC;
    m->value.name = guid->text;
    lib0_write_u8(b, 118);
    lib0_write_varuint(b, (uint64_t)!gc + load + (meta != NULL));
    if (!gc)
        ydoc_buf_append(b, "\2gc\x79", 4);
    if (load)
        ydoc_buf_append(b, "\10autoLoad\x78", 10);
    if (meta == NULL)
        return 0;
    ydoc_buf_append(b, "\4meta", 5);
    return json_write_any(m->tree, meta, b);
}

int made_init(struct made *m, const struct json_tree *t, const struct json_node *node)
{
    const struct json_node *first = json_first(t, node);
    int rc = 0;

    memset(m, 0, sizeof(*m));
    ydoc_buf_init(&m->bytes, NULL);
    m->tree = t;
    m->node = node;
    if (find_type(m)) {
        m->value.tag = YDOC_VALUE_TYPE;
        m->value.fill = fill;
        m->value.ctx = m;
        return 0;
    }
    if (node->type == JSON_OBJECT && first != NULL && is_named(first, "$doc"))
        rc = make_doc(m, first);
    else if (node->type == JSON_OBJECT && first != NULL && is_named(first, "$plain"))
        rc = json_write_any(t, first, &m->bytes);
    else
        rc = json_write_any(t, node, &m->bytes);
    m->value.any = ydoc_buf_slice(&m->bytes);
    return m->bytes.failed ? YDOC_ENOMEM : rc;
}

void made_fini(struct made *m)
{
    ydoc_buf_fini(&m->bytes);
}

int made_values_init(struct made_values *v, const struct json_tree *t, const struct json_node *list)
{
    const struct json_node *child = json_first(t, list);
    int rc = 0;

    v->made = calloc((size_t)list->n + 1, sizeof(*v->made));
    v->values = calloc((size_t)list->n + 1, sizeof(*v->values));
    if (v->made == NULL || v->values == NULL)
        rc = YDOC_ENOMEM;
    for (v->n = 0; v->n < list->n && rc == 0; v->n++, child = json_sibling(t, child)) {
        rc = made_init(&v->made[v->n], t, child);
        v->values[v->n] = v->made[v->n].value;
    }
    if (rc != 0)
        made_values_fini(v);
    return rc;
}

void made_values_fini(struct made_values *v)
{
    for (size_t i = 0; i < v->n; i++)
        made_fini(&v->made[i]);
    free(v->made);
    free(v->values);
}

void json_from_any(struct ydoc_slice any, struct ydoc_buf *out)
{
    struct lib0_reader r;

    lib0_reader_init(&r, any.p, any.len);
    text_write_any(out, &r, TEXT_PLAIN);
}

int json_write_json(const struct json_tree *t, const struct json_node *node, struct ydoc_buf *out)
{
    struct ydoc_buf any;
    int rc;

    ydoc_buf_init(&any, NULL);
    rc = json_write_any(t, node, &any);
    if (rc == 0 && !any.failed)
        json_from_any(ydoc_buf_slice(&any), out);
    if (any.failed || out->failed)
        rc = YDOC_ENOMEM;
    ydoc_buf_fini(&any);
    return rc;
}
