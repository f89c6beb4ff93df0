/* sync_peers - two documents brought in step: by state vector and update, and by the
 * messages of y-protocols that a y-websocket connection carries.
 *
 *     cc sync_peers.c -o sync_peers $(pkg-config --cflags --libs ydoc)
 *
 * prints
 *     by hand: hers his
 *     by messages: hers his more
 *     the same state: yes
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

static struct ydoc *new_peer(uint64_t client)
{
    struct ydoc_options options = {.client_id = client};
    struct ydoc *doc;

    must(ydoc_new(&doc, &options));
    return doc;
}

static void type(struct ydoc *doc, const char *words)
{
    ydoc_type text;

    must(ydoc_root(doc, slice("t"), YDOC_KIND_TEXT, &text));
    must(ydoc_text_insert(doc, text, ydoc_type_length(doc, text), slice(words), none));
}

static void show(const char *how, const struct ydoc *doc)
{
    struct ydoc_buf text;

    ydoc_buf_init(&text, NULL);
    must(ydoc_read_text(doc, slice("t"), &text));
    printf("%s: %.*s\n", how, (int)text.len, (const char *)text.p);
    ydoc_buf_fini(&text);
}

/* Brings `to` what it lacks of `from`. */
static void bring(const struct ydoc *from, struct ydoc *to)
{
    struct ydoc_buf sv, update;

    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&update, NULL);
    must(ydoc_encode_state_vector(to, &sv));
    must(ydoc_encode_state_v1(from, sv.p, sv.len, &update, NULL));
    must(ydoc_apply_v1(to, update.p, update.len, NULL));
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&update);
}

/* What one end of a connection does with a message that has arrived; what it has to
 * answer is appended to `reply`. An error is the sender's fault: close the connection. */
static int receive(struct ydoc *doc, struct ydoc_slice bytes, struct ydoc_buf *reply,
                   struct ydoc_error *err)
{
    struct ydoc_message m;
    int rc = ydoc_message_decode(&m, bytes.p, bytes.len, err);

    if (rc != 0 || m.type != YDOC_MESSAGE_SYNC)
        return rc;
    if (m.kind != YDOC_SYNC_STEP1)
        return ydoc_apply_v1(doc, m.body.p, m.body.len, err);
    ydoc_message_begin(reply, YDOC_MESSAGE_SYNC);
    return ydoc_sync_write_step2(doc, m.body.p, m.body.len, reply, err);
}

/* Step 1 says what `to` has, and the answer is what it lacks. */
static void sync_by_messages(struct ydoc *from, struct ydoc *to)
{
    struct ydoc_buf question, answer, nothing;
    struct ydoc_error err = {0};

    ydoc_buf_init(&question, NULL);
    ydoc_buf_init(&answer, NULL);
    ydoc_buf_init(&nothing, NULL);
    ydoc_message_begin(&question, YDOC_MESSAGE_SYNC);
    must(ydoc_sync_write_step1(to, &question));
    must(receive(from, ydoc_buf_slice(&question), &answer, &err));
    must(receive(to, ydoc_buf_slice(&answer), &nothing, &err));
    ydoc_buf_fini(&question);
    ydoc_buf_fini(&answer);
    ydoc_buf_fini(&nothing);
}

static bool same_state(const struct ydoc *a, const struct ydoc *b)
{
    struct ydoc_buf x, y;
    bool same;

    ydoc_buf_init(&x, NULL);
    ydoc_buf_init(&y, NULL);
    must(ydoc_encode_state_v1(a, NULL, 0, &x, NULL));
    must(ydoc_encode_state_v1(b, NULL, 0, &y, NULL));
    same = x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
    ydoc_buf_fini(&x);
    ydoc_buf_fini(&y);
    return same;
}

int main(void)
{
    struct ydoc *ann = new_peer(1), *bob = new_peer(2);

    type(ann, "hers");
    type(bob, " his");
    bring(ann, bob);
    bring(bob, ann);
    show("by hand", ann);

    type(bob, " more");
    sync_by_messages(bob, ann);
    show("by messages", ann);
    printf("the same state: %s\n", same_state(ann, bob) ? "yes" : "no");

    ydoc_free(ann);
    ydoc_free(bob);
    return 0;
}
