/* undo_edits - what one person did is taken back, and nothing of what another did.
 *
 *     cc undo_edits.c -o undo_edits $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     one two THREE
 *     one THREE
 *     one two THREE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ydoc.h>

static struct ydoc_slice slice(const char *s)
{
    struct ydoc_slice out = {(const uint8_t *)s, strlen(s)};

    return out;
}

static const struct ydoc_slice none = {NULL, 0}; /* no attributes are given */

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", ydoc_strerror(rc));
        exit(1);
    }
}

static const char editor[] = "editor"; /* the origin of what this person does */

static void type(struct ydoc *doc, ydoc_type text, const char *words, const void *origin)
{
    must(ydoc_begin(doc, origin));
    must(ydoc_text_insert(doc, text, ydoc_type_length(doc, text), slice(words), none));
    must(ydoc_commit(doc, NULL));
}

static void show(const struct ydoc *doc)
{
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    must(ydoc_read_text(doc, slice("t"), &out));
    printf("%.*s\n", (int)out.len, (const char *)out.p);
    ydoc_buf_fini(&out);
}

int main(void)
{
    const void *origins[] = {editor};
    struct ydoc_undo_options options = {.origins = origins, .origins_n = 1, .capture_each = true};
    struct ydoc_undo *undo;
    struct ydoc *doc;
    ydoc_type text;

    must(ydoc_new(&doc, NULL));
    must(ydoc_root(doc, slice("t"), YDOC_KIND_TEXT, &text));
    options.scope = &text;
    options.scope_n = 1;
    must(ydoc_undo_new(&undo, doc, &options));

    type(doc, text, "one ", editor);
    type(doc, text, "two ", editor);
    type(doc, text, "THREE", NULL); /* not the editor's: never taken back */
    show(doc);
    must(ydoc_undo_undo(undo));
    show(doc);
    must(ydoc_undo_redo(undo));
    show(doc);

    ydoc_undo_free(undo); /* before its document */
    ydoc_free(doc);
    return 0;
}
