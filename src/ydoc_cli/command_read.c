/* command_read - text and json: what a document says. */
#include "ydoc_cli/command.h"

#include <stdio.h>
#include <string.h>

/* Appends `name, name…` of all roots, for a message. */
static void list_roots(const struct ydoc *doc, char *words, size_t size)
{
    struct ydoc_root root;
    uint32_t iter = 0;
    size_t at = 0;

    words[0] = '\0';
    while (ydoc_next_root(doc, &iter, &root) && at < size)
        at += (size_t)snprintf(words + at, size - at, "%s%.*s", at > 0 ? ", " : "",
                               (int)root.name.len, (const char *)root.name.p);
}

/* The root that is meant: --root, or the only one. */
static int choose_root(const struct command_line *c, const struct ydoc *doc,
                       struct ydoc_slice *name)
{
    struct ydoc_root root;
    uint32_t iter = 0;
    char words[400];
    size_t n = 0;

    while (ydoc_next_root(doc, &iter, &root)) {
        n++;
        *name = root.name;
        if (c->root != NULL && root.name.len == strlen(c->root) &&
            memcmp(root.name.p, c->root, root.name.len) == 0)
            return COMMAND_OK;
    }
    if (c->root == NULL && n == 1)
        return COMMAND_OK;
    list_roots(doc, words, sizeof(words));
    if (n == 0)
        command_complain("the document is empty: it has no root");
    else if (c->root == NULL)
        command_complain("which root? Say --root NAME; there are: %s", words);
    else
        command_complain("no root is called \"%.100s\"; there are: %s", c->root, words);
    return COMMAND_REFUSED;
}

static int read_text(const struct command_line *c, const struct ydoc *doc, struct ydoc_buf *out)
{
    struct ydoc_slice name;
    int status = choose_root(c, doc, &name);

    if (status == COMMAND_OK && ydoc_read_text(doc, name, out) != 0)
        return COMMAND_SYSTEM;
    return status;
}

static int read_json(const struct command_line *c, const struct ydoc *doc, struct ydoc_buf *out)
{
    struct ydoc_slice name;
    int status, rc;

    if (c->root == NULL) {
        rc = ydoc_read_json(doc, out);
    } else {
        status = choose_root(c, doc, &name);
        if (status != COMMAND_OK)
            return status;
        rc = ydoc_read_root_json(doc, name, c->kind, out);
    }
    ydoc_buf_append(out, "\n", 1);
    return rc == 0 && !out->failed ? COMMAND_OK : COMMAND_SYSTEM;
}

static int load_and_read(const struct command_line *c,
                         int (*read)(const struct command_line *, const struct ydoc *,
                                     struct ydoc_buf *))
{
    struct ydoc_buf out;
    struct ydoc *doc;
    int status = command_load(c, &doc);

    ydoc_buf_init(&out, NULL);
    if (status == COMMAND_OK) {
        status = read(c, doc, &out);
        if (status == COMMAND_SYSTEM)
            command_complain("out of memory");
    }
    if (status == COMMAND_OK)
        status = command_write(c, &out);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
    return status;
}

int command_text(struct command_line *c)
{
    return load_and_read(c, read_text);
}

int command_json(struct command_line *c)
{
    if (c->kind != YDOC_KIND_UNKNOWN && c->root == NULL) {
        command_complain("--kind says what one root is: say --root NAME too");
        return COMMAND_USAGE;
    }
    return load_and_read(c, read_json);
}
