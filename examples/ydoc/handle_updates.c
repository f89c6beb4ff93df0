/* handle_updates - updates without a document: merged, compared, converted; and what
 * an update that is broken does to a document: nothing.
 *
 *     cc handle_updates.c -o handle_updates $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     merged: 25 bytes, the second half: 15 bytes, in v2: 34 bytes
 *     refused: byte 11: unexpected end
 *     still: ab
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

/* Each edit's update, one after the other. */
struct log {
    struct ydoc_buf bytes;
    size_t ends[2];
    unsigned n;
};

static void keep(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    struct log *log = ctx;

    (void)doc;
    (void)origin;
    ydoc_buf_append(&log->bytes, update.p, update.len);
    log->ends[log->n++] = log->bytes.len;
}

int main(void)
{
    struct ydoc_options options = {.client_id = 5};
    struct ydoc_slice updates[2];
    struct ydoc_buf merged, sv, half, v2, text;
    struct ydoc_error err = {0};
    struct log log = {.n = 0};
    struct ydoc *doc;
    ydoc_type t, m;

    ydoc_buf_init(&log.bytes, NULL);
    ydoc_buf_init(&merged, NULL);
    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&half, NULL);
    ydoc_buf_init(&v2, NULL);
    ydoc_buf_init(&text, NULL);
    must(ydoc_new(&doc, &options));
    must(ydoc_root(doc, slice("text"), YDOC_KIND_TEXT, &t));
    must(ydoc_root(doc, slice("more"), YDOC_KIND_TEXT, &m));
    must(ydoc_observe_updates(doc, 1, keep, &log));
    must(ydoc_text_insert(doc, t, 0, slice("ab"), none));
    must(ydoc_text_insert(doc, m, 0, slice("cd"), none));

    updates[0].p = log.bytes.p;
    updates[0].len = log.ends[0];
    updates[1].p = log.bytes.p + log.ends[0];
    updates[1].len = log.ends[1] - log.ends[0];
    must(ydoc_merge_updates_v1(updates, 2, &merged, &err));
    must(ydoc_state_vector_from_update_v1(updates[0].p, updates[0].len, &sv, &err));
    must(ydoc_diff_update_v1(merged.p, merged.len, sv.p, sv.len, &half, &err));
    must(ydoc_convert_v1_to_v2(merged.p, merged.len, &v2, &err));
    printf("merged: %zu bytes, the second half: %zu bytes, in v2: %zu bytes\n", merged.len,
           half.len, v2.len);

    if (ydoc_apply_v1(doc, merged.p, 11, &err) == YDOC_EMALFORMED) /* the rest is missing */
        printf("refused: %s\n", err.msg);
    must(ydoc_read_text(doc, slice("text"), &text));
    printf("still: %.*s\n", (int)text.len, (const char *)text.p);

    ydoc_free(doc);
    ydoc_buf_fini(&log.bytes);
    ydoc_buf_fini(&merged);
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&half);
    ydoc_buf_fini(&v2);
    ydoc_buf_fini(&text);
    return 0;
}
