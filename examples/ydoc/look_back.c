/* look_back - a document as it was at a snapshot, and what has changed since.
 *
 *     cc look_back.c -o look_back $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     then: good morning
 *     now:  good evening
 *     "good "
 *     "morning" {"ychange":{"type":"removed"}}
 *     "evening" {"ychange":{"type":"added"}}
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

static void print(const char *label, struct ydoc_buf *b)
{
    printf("%s%.*s\n", label, (int)b->len, (const char *)b->p);
    ydoc_buf_reset(b);
}

static int print_run(const struct ydoc_run *run, void *ctx)
{
    (void)ctx;
    printf("\"%.*s\"%s%.*s\n", (int)run->text.len, (const char *)run->text.p,
           run->attributes.len > 0 ? " " : "", (int)run->attributes.len,
           (const char *)run->attributes.p);
    return 0;
}

int main(void)
{
    struct ydoc_options options = {.keep_deleted = true}; /* Yjs: gc: false */
    struct ydoc_snapshot *then, *now;
    struct ydoc_at changes = {0};
    struct ydoc_buf out;
    struct ydoc *doc;
    ydoc_type text;

    ydoc_buf_init(&out, NULL);
    must(ydoc_new(&doc, &options));
    must(ydoc_root(doc, slice("t"), YDOC_KIND_TEXT, &text));
    must(ydoc_text_insert(doc, text, 0, slice("good morning"), none));
    must(ydoc_snapshot_new(&then, doc));
    must(ydoc_text_delete(doc, text, 5, 7));
    must(ydoc_text_insert(doc, text, 5, slice("evening"), none));
    must(ydoc_snapshot_new(&now, doc));

    must(ydoc_text_string_at(doc, text, then, &out));
    print("then: ", &out);
    must(ydoc_read_text(doc, slice("t"), &out));
    print("now:  ", &out);
    changes.snapshot = now;
    changes.before = then;
    must(ydoc_text_runs_at(doc, text, &changes, print_run, NULL));

    ydoc_snapshot_free(then);
    ydoc_snapshot_free(now);
    ydoc_free(doc);
    ydoc_buf_fini(&out);
    return 0;
}
