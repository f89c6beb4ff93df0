/* edit_document - one document edited by a program: a text, a map with a list in
 * it, everything in one transaction; then read.
 *
 *     cc edit_document.c -o edit_document $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     Hello world
 *     [{"insert":"Hello","attributes":{"bold":true}},{"insert":" world"}]
 *     {"title":"Notes","tags":["draft",1]}
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

static void print(struct ydoc_buf *b)
{
    printf("%.*s\n", (int)b->len, (const char *)b->p);
    ydoc_buf_reset(b);
}

/* Called with the new list as soon as it stands in the document. */
static int fill_tags(struct ydoc *doc, ydoc_type list, void *ctx)
{
    struct ydoc_value values[2] = {
        {.tag = YDOC_VALUE_STRING, .any = slice("draft")},
        {.tag = YDOC_VALUE_ANY, .any = {(const uint8_t *)"\x7d\x01", 2}}};

    (void)ctx;
    return ydoc_list_push(doc, list, values, 2);
}

static void edit(struct ydoc *doc, ydoc_type text, ydoc_type map)
{
    struct ydoc_value title = {.tag = YDOC_VALUE_STRING, .any = slice("Notes")};
    struct ydoc_value tags = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_ARRAY, .fill = fill_tags};

    must(ydoc_begin(doc, NULL));
    must(ydoc_text_insert(doc, text, 0, slice("Hello world"), none));
    must(ydoc_text_format(doc, text, 0, 5, slice("{\"bold\":true}")));
    must(ydoc_map_set(doc, map, slice("title"), &title));
    must(ydoc_map_set(doc, map, slice("tags"), &tags));
    must(ydoc_commit(doc, NULL));
}

int main(void)
{
    struct ydoc_buf out;
    struct ydoc *doc;
    ydoc_type text, map;

    ydoc_buf_init(&out, NULL);
    must(ydoc_new(&doc, NULL));
    must(ydoc_root(doc, slice("body"), YDOC_KIND_TEXT, &text));
    must(ydoc_root(doc, slice("about"), YDOC_KIND_MAP, &map));
    edit(doc, text, map);

    must(ydoc_read_text(doc, slice("body"), &out));
    print(&out);
    must(ydoc_read_delta(doc, slice("body"), &out));
    print(&out);
    must(ydoc_read_root_json(doc, slice("about"), YDOC_KIND_MAP, &out));
    print(&out);

    ydoc_free(doc);
    ydoc_buf_fini(&out);
    return 0;
}
