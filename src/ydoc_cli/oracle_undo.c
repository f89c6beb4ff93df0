/* oracle_undo - the command K: {"scope":[path, …],"captureTimeout":ms} starts an undo
 * manager in place of the one there was, "undo", "redo" and "stop" are for it. The answer
 * is one byte: whether something was done. */
#include <string.h>

#include "ydoc_cli/json_tree.h"
#include "ydoc_cli/oracle.h"

/* Fills the scope, `list` having at most SCOPE_MAX paths. */
#define SCOPE_MAX 256u

static int read_scope(struct oracle *o, const struct json_tree *t, const struct json_node *list,
                      ydoc_type *scope)
{
    const struct json_node *path = json_first(t, list);
    int rc = 0;

    for (uint32_t i = 0; path != NULL && rc == 0; i++, path = json_sibling(t, path)) {
        rc = oracle_find_type(o, t, path, &scope[i]);
        if (rc != 0)
            oracle_refuse(o, "type %u of the scope: %s", i + 1, ydoc_strerror(rc));
    }
    return rc;
}

static int start(struct oracle *o, const struct json_tree *t)
{
    const struct json_node *list = json_member(t, t->nodes, "scope");
    const struct json_node *timeout = json_member(t, t->nodes, "captureTimeout");
    struct ydoc_undo_options options = {0};
    struct ydoc_undo *undo;
    ydoc_type scope[SCOPE_MAX];
    int rc;

    if (list == NULL || list->type != JSON_ARRAY || list->n > SCOPE_MAX)
        return oracle_refuse(o, "a scope of up to %u types is wanted", SCOPE_MAX);
    if (timeout != NULL && (timeout->type != JSON_NUMBER || !(timeout->number >= 0) ||
                            !(timeout->number <= 9007199254740991.0)))
        return oracle_refuse(o, "captureTimeout is a number of milliseconds");
    rc = read_scope(o, t, list, scope);
    options.scope = scope;
    options.scope_n = list->n;
    options.capture_timeout_ms = timeout != NULL ? (uint64_t)timeout->number : 500;
    options.capture_each = options.capture_timeout_ms == 0;
    if (rc == 0)
        rc = ydoc_undo_new(&undo, o->doc, &options);
    if (rc != 0)
        return rc;
    ydoc_undo_free(o->undo);
    o->undo = undo;
    return 0;
}

static int order(struct oracle *o, const struct json_node *word)
{
    if (o->undo == NULL)
        return oracle_refuse(o, "no undo manager was started");
    if (json_is_text(word, "undo"))
        return ydoc_undo_undo(o->undo);
    if (json_is_text(word, "redo"))
        return ydoc_undo_redo(o->undo);
    if (!json_is_text(word, "stop"))
        return oracle_refuse(o, "undo, redo, stop, or an object");
    ydoc_undo_stop_capturing(o->undo);
    return 0;
}

int oracle_undo(struct oracle *o, const uint8_t *p, size_t len)
{
    struct json_tree t;
    int rc = json_tree_parse(&t, p, len, &o->err);
    uint8_t done;

    if (rc == 0)
        rc = t.nodes->type == JSON_OBJECT ? start(o, &t) : order(o, t.nodes);
    json_tree_fini(&t);
    if (rc < 0)
        return rc;
    done = (uint8_t)rc;
    ydoc_buf_append(&o->out, &done, 1);
    return 0;
}
