/* observe_changes - a document that forwards its updates, and another one that tells
 * what each transaction did to a text and to a map.
 *
 *     cc observe_changes.c -o observe_changes $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     remote [{"insert":"Hello"}] {}
 *     remote [{"retain":5},{"insert":"!","attributes":{"bold":true}}] {}
 *     remote [] {"colour":{"action":"add"}}
 *     remote [] {"colour":{"action":"update","oldValue":"red"}}
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

/* Marks what came over the wire, so that it is not sent back. */
static const char from_wire[] = "wire";

static void forward(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *peer)
{
    (void)doc;
    if (origin != from_wire)
        must(ydoc_apply_v1_from(peer, update.p, update.len, from_wire, NULL));
}

static void tell(struct ydoc *doc, struct ydoc_event *event, void *ctx)
{
    struct ydoc_buf delta, keys;

    (void)doc;
    (void)ctx;
    ydoc_buf_init(&delta, NULL);
    ydoc_buf_init(&keys, NULL);
    must(ydoc_event_delta_json(event, &delta));
    must(ydoc_event_keys_json(event, &keys));
    printf("%s %.*s %.*s\n", ydoc_event_is_local(event) ? "local" : "remote", (int)delta.len,
           (const char *)delta.p, (int)keys.len, (const char *)keys.p);
    ydoc_buf_fini(&delta);
    ydoc_buf_fini(&keys);
}

static void open_roots(struct ydoc *doc, ydoc_type *text, ydoc_type *map)
{
    must(ydoc_root(doc, slice("t"), YDOC_KIND_TEXT, text));
    must(ydoc_root(doc, slice("m"), YDOC_KIND_MAP, map));
}

int main(void)
{
    struct ydoc_value red = {.tag = YDOC_VALUE_STRING, .any = slice("red")};
    struct ydoc_value blue = {.tag = YDOC_VALUE_STRING, .any = slice("blue")};
    ydoc_type text, map, peers_text, peers_map;
    struct ydoc *doc, *peer;
    int number;

    must(ydoc_new(&doc, NULL));
    must(ydoc_new(&peer, NULL));
    open_roots(doc, &text, &map);
    open_roots(peer, &peers_text, &peers_map);
    number = ydoc_observe_updates(doc, 1, forward, peer);
    must(number);
    must(ydoc_observe(peer, peers_text, tell, NULL));
    must(ydoc_observe(peer, peers_map, tell, NULL));

    must(ydoc_text_insert(doc, text, 0, slice("Hello"), none));
    must(ydoc_text_insert(doc, text, 5, slice("!"), slice("{\"bold\":true}")));
    must(ydoc_map_set(doc, map, slice("colour"), &red));
    must(ydoc_map_set(doc, map, slice("colour"), &blue));

    ydoc_unobserve(doc, number);
    must(ydoc_map_delete(doc, map, slice("colour"))); /* nobody hears of this */
    ydoc_free(doc);
    ydoc_free(peer);
    return 0;
}
