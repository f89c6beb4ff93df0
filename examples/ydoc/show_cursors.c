/* show_cursors - awareness: who is here and where their cursors are. The caller gives
 * the time, here by hand.
 *
 *     cc show_cursors.c -o show_cursors $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     client 7 shows {"name":"Ann","cursor":3}
 *     clients after 31 seconds of silence: 0
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

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", ydoc_strerror(rc));
        exit(1);
    }
}

static struct ydoc_awareness *open_awareness(uint64_t client, uint64_t now_ms)
{
    struct ydoc_awareness_options options = {.client = client, .seed = 12345};
    struct ydoc_awareness *a;

    must(ydoc_awareness_new(&a, &options, now_ms));
    return a;
}

int main(void)
{
    struct ydoc_slice nothing = {NULL, 0};
    struct ydoc_awareness *ann = open_awareness(7, 1000), *server = open_awareness(1, 1000);
    struct ydoc_awareness_entry entry;
    struct ydoc_error err = {0};
    struct ydoc_buf update;
    uint32_t iter = 0;
    unsigned n = 0;

    must(ydoc_awareness_set_local(server, nothing, 1000, &err)); /* shows nothing itself */
    must(ydoc_awareness_set_local(ann, slice("{\"name\":\"Ann\"}"), 1000, &err));
    must(ydoc_awareness_set_local_field(ann, slice("cursor"), slice("3"), 1500, &err));

    ydoc_buf_init(&update, NULL);
    must(ydoc_awareness_encode_all(ann, &update));
    must(ydoc_awareness_apply(server, ydoc_buf_slice(&update), 1500, NULL, &err));
    while (ydoc_awareness_next_state(server, &iter, &entry))
        printf("client %llu shows %.*s\n", (unsigned long long)entry.client, (int)entry.json.len,
               (const char *)entry.json.p);

    must(ydoc_awareness_tick(server, 1500 + 31000));
    for (iter = 0; ydoc_awareness_next_state(server, &iter, &entry);)
        n++;
    printf("clients after 31 seconds of silence: %u\n", n);

    ydoc_buf_fini(&update);
    ydoc_awareness_free(ann);
    ydoc_awareness_free(server);
    return 0;
}
