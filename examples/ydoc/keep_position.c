/* keep_position - a relative position: a cursor that stays at its character while
 * others type in front of it, also after a trip over the wire.
 *
 *     cc keep_position.c -o keep_position $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     5 bytes
 *     before: 4
 *     after: 10
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

static void show(const char *when, struct ydoc *doc, const struct ydoc_buf *encoded)
{
    struct ydoc_position at;
    struct ydoc_relpos pos;

    must(ydoc_relpos_decode(&pos, encoded->p, encoded->len, NULL));
    must(ydoc_relpos_resolve(doc, &pos, true, &at));
    printf("%s: %u\n", when, (unsigned)at.index);
}

int main(void)
{
    struct ydoc_options options = {.client_id = 1000};
    struct ydoc_relpos pos;
    struct ydoc_buf encoded;
    struct ydoc *doc;
    ydoc_type text;

    ydoc_buf_init(&encoded, NULL);
    must(ydoc_new(&doc, &options));
    must(ydoc_root(doc, slice("t"), YDOC_KIND_TEXT, &text));
    must(ydoc_text_insert(doc, text, 0, slice("the fox"), none));
    must(ydoc_relpos_from_index(doc, text, 4, 0, &pos)); /* before the f */
    must(ydoc_relpos_encode(&pos, &encoded));
    printf("%zu bytes\n", encoded.len);
    show("before", doc, &encoded);
    must(ydoc_text_insert(doc, text, 4, slice("quick "), none));
    show("after", doc, &encoded);

    ydoc_free(doc);
    ydoc_buf_fini(&encoded);
    return 0;
}
