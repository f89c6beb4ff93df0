/* bench_ydoc_core - what the CRDT costs: updates applied, encoded again, a
 * document loaded, merged, held in memory.
 *
 * The typing history is the trace automerge-paper from $SKEIN_TRACES (default
 * ../shared/traces), read with `gzip -dc`; without it a generated one. Updates
 * are made here, as one client types them: the positions of the trace are
 * turned into ids by keeping the visible characters' clocks in an array.
 *
 * With a file as argument (u32le count, then u32le length and bytes each) the
 * updates come from there.
 */
#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ydoc/lib0.h"

#define EDITS_MAX 400000u
#define CLIENT 123456789u

struct log {
    struct ydoc_buf bytes;
    size_t *at; /* n + 1 offsets */
    size_t n;
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, ydoc_strerror(rc));
        exit(1);
    }
}

static void log_init(struct log *l)
{
    ydoc_buf_init(&l->bytes, NULL);
    l->at = calloc(EDITS_MAX + 1, sizeof(*l->at));
    l->n = 0;
    if (l->at == NULL)
        exit(1);
}

static void log_end_update(struct log *l)
{
    l->at[++l->n] = l->bytes.len;
}

static struct ydoc_slice log_update(const struct log *l, size_t i)
{
    struct ydoc_slice s = {l->bytes.p + l->at[i], l->at[i + 1] - l->at[i]};

    return s;
}

/* ---- making updates ---- */

struct typist {
    struct log *log;
    uint32_t *visible; /* clocks of the characters that are not deleted */
    uint32_t *right;   /* clock -> clock of its right neighbour + 1, tombstones included */
    uint32_t first;    /* clock + 1 of the first character ever */
    size_t n;
    uint32_t clock;
};

static void type_char(struct typist *t, size_t pos, uint8_t c)
{
    struct ydoc_buf *b = &t->log->bytes;
    uint32_t right = pos == 0 ? t->first : t->right[t->visible[pos - 1]];

    lib0_write_u8(b, 1);
    lib0_write_u8(b, 1);
    lib0_write_varuint(b, CLIENT);
    lib0_write_varuint(b, t->clock);
    lib0_write_u8(b, (uint8_t)(4 | (pos > 0 ? 0x80 : 0) | (right != 0 ? 0x40 : 0)));
    if (pos > 0) {
        lib0_write_varuint(b, CLIENT);
        lib0_write_varuint(b, t->visible[pos - 1]);
    }
    if (right != 0) {
        lib0_write_varuint(b, CLIENT);
        lib0_write_varuint(b, right - 1);
    }
    if (pos == 0 && right == 0) {
        lib0_write_u8(b, 1);
        lib0_write_varbytes(b, "text", 4);
    }
    lib0_write_u8(b, 1);
    lib0_write_u8(b, c);
    lib0_write_u8(b, 0);
    t->right[t->clock] = right;
    if (pos == 0)
        t->first = t->clock + 1;
    else
        t->right[t->visible[pos - 1]] = t->clock + 1;
    memmove(t->visible + pos + 1, t->visible + pos, (t->n - pos) * sizeof(uint32_t));
    t->visible[pos] = t->clock++;
    t->n++;
    log_end_update(t->log);
}

static void delete_char(struct typist *t, size_t pos)
{
    struct ydoc_buf *b = &t->log->bytes;

    lib0_write_u8(b, 0);
    lib0_write_u8(b, 1);
    lib0_write_varuint(b, CLIENT);
    lib0_write_u8(b, 1);
    lib0_write_varuint(b, t->visible[pos]);
    lib0_write_u8(b, 1);
    t->n--;
    memmove(t->visible + pos, t->visible + pos + 1, (t->n - pos) * sizeof(uint32_t));
    log_end_update(t->log);
}

static void edit(struct typist *t, size_t pos, size_t deleted, const char *text, size_t len)
{
    if (pos > t->n)
        pos = t->n;
    for (; deleted > 0 && pos < t->n && t->log->n < EDITS_MAX; deleted--)
        delete_char(t, pos);
    for (size_t i = 0; i < len && t->log->n < EDITS_MAX; i++)
        type_char(t, pos + i, (uint8_t)text[i]);
}

/* The trace is one JSON object whose "txns" hold "patches":[[pos,del,"ins"],…];
 * only those triples are looked for. Its text is ASCII. */
static void play_trace(struct typist *t, FILE *f)
{
    struct ydoc_buf json;
    char chunk[65536];
    size_t n;
    const char *p, *end;

    ydoc_buf_init(&json, NULL);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        ydoc_buf_append(&json, chunk, n);
    lib0_write_u8(&json, 0);
    p = strstr((const char *)json.p, "\"txns\"");
    while (p != NULL && (p = strstr(p, "\"patches\":[")) != NULL) {
        p += 11;
        while (*p == '[' || *p == ',') {
            size_t pos, deleted, len = 0;
            char text[4096];

            if (*p == ',')
                p++;
            pos = strtoul(p + 1, (char **)(uintptr_t)&end, 10);
            deleted = strtoul(end + 1, (char **)(uintptr_t)&end, 10);
            for (p = end + 2; *p != '"'; p++) {
                char c = *p;

                if (c == '\\')
                    c = *++p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
                if (len < sizeof(text))
                    text[len++] = c;
            }
            edit(t, pos, deleted, text, len);
            p += 2; /* the quote and the bracket */
        }
    }
    ydoc_buf_fini(&json);
}

static void play_generated(struct typist *t)
{
    uint32_t seed = 1;
    size_t pos = 0;

    for (size_t i = 0; i < 260000; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 16 < 600)
            pos = t->n > 0 ? seed % t->n : 0;
        if (seed % 10 == 0 && pos > 0)
            edit(t, --pos, 1, "", 0);
        else
            edit(t, pos++, 0, &"abcdefg hijklmno"[seed % 16], 1);
    }
}

static void make_log(struct log *l)
{
    const char *dir = getenv("SKEIN_TRACES");
    struct typist t = {0};
    char command[1024];
    FILE *f;

    t.log = l;
    t.visible = calloc(EDITS_MAX, sizeof(uint32_t));
    t.right = calloc(EDITS_MAX, sizeof(uint32_t));
    if (t.visible == NULL || t.right == NULL)
        exit(1);
    snprintf(command, sizeof(command), "gzip -dc '%s/automerge-paper.json.gz' 2>/dev/null",
             dir != NULL ? dir : "../shared/traces");
    f = popen(command, "r");
    if (f != NULL) {
        play_trace(&t, f);
        pclose(f);
    }
    if (l->n == 0) {
        printf("no trace found (SKEIN_TRACES): generated typing instead\n");
        play_generated(&t);
    }
    free(t.visible);
    free(t.right);
}

static void read_log(struct log *l, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t b[4], *p = NULL;
    uint32_t n = 0;

    if (f == NULL || fread(b, 1, 4, f) != 4)
        exit(1);
    n = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    for (uint32_t i = 0; i < n && i < EDITS_MAX && fread(b, 1, 4, f) == 4; i++) {
        size_t len = (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16;

        p = realloc(p, len + 1);
        if (p == NULL || fread(p, 1, len, f) != len)
            exit(1);
        ydoc_buf_append(&l->bytes, p, len);
        log_end_update(l);
    }
    free(p);
    fclose(f);
}

/* ---- measuring ---- */

static struct ydoc *new_doc(void)
{
    struct ydoc *doc;

    must(ydoc_new(&doc, NULL), "new");
    return doc;
}

static struct ydoc *apply_all(const struct log *l, struct ydoc *doc, bool encode)
{
    struct ydoc_buf update;

    ydoc_buf_init(&update, NULL);
    for (size_t i = 0; i < l->n; i++) {
        struct ydoc_slice u = log_update(l, i);

        must(ydoc_apply_v1(doc, u.p, u.len, NULL), "apply");
        if (encode) {
            ydoc_buf_reset(&update);
            must(ydoc_take_changes_v1(doc, &update, NULL), "take");
        }
    }
    ydoc_buf_fini(&update);
    return doc;
}

static void bench_apply(const struct log *l, const char *what, bool encode, size_t past_clients)
{
    double best = 1e18;

    for (int round = 0; round < 5; round++) {
        struct ydoc *doc = new_doc();
        double t;

        for (size_t i = 0; i < past_clients; i++) {
            struct ydoc_buf u;

            ydoc_buf_init(&u, NULL);
            lib0_write_raw(&u, "\1\1", 2);
            lib0_write_varuint(&u, CLIENT + 1 + i);
            lib0_write_raw(&u, "\0\4\1\5other\1x\0", 12);
            must(ydoc_apply_v1(doc, u.p, u.len, NULL), "past client");
            ydoc_buf_fini(&u);
        }
        ydoc_forget_changes(doc);
        t = now_ns();
        apply_all(l, doc, encode);
        t = now_ns() - t;
        if (t < best)
            best = t;
        ydoc_free(doc);
    }
    printf("%-44s %8.1f ns/update  %8.2f ms\n", what, best / (double)l->n, best / 1e6);
}

static void bench_load(const char *what, const struct ydoc_buf *state)
{
    double best = 1e18;
    size_t memory = 0;

    for (int round = 0; round < 200; round++) {
        struct ydoc *doc = new_doc();
        double t = now_ns();

        must(ydoc_apply_v1(doc, state->p, state->len, NULL), "load");
        t = now_ns() - t;
        if (t < best)
            best = t;
        ydoc_forget_changes(doc);
        ydoc_shrink(doc);
        memory = ydoc_memory_used(doc);
        ydoc_free(doc);
    }
    printf("%-44s %8.1f us        %zu bytes -> %zu in memory\n", what, best / 1e3, state->len,
           memory);
}

static void bench_encode(const struct ydoc *doc)
{
    struct ydoc_buf out;
    double best = 1e18;

    ydoc_buf_init(&out, NULL);
    for (int round = 0; round < 50; round++) {
        double t = now_ns();

        ydoc_buf_reset(&out);
        must(ydoc_encode_state_v1(doc, NULL, 0, &out, NULL), "encode");
        t = now_ns() - t;
        if (t < best)
            best = t;
    }
    printf("%-44s %8.1f us        %zu bytes\n", "encode the whole state", best / 1e3, out.len);
    ydoc_buf_fini(&out);
}

static void bench_merge(const struct log *l)
{
    size_t n = l->n < 10000 ? l->n : 10000;
    struct ydoc_slice *list = calloc(n, sizeof(*list));
    struct ydoc_buf out;
    double t;

    if (list == NULL)
        exit(1);
    for (size_t i = 0; i < n; i++)
        list[i] = log_update(l, i);
    ydoc_buf_init(&out, NULL);
    t = now_ns();
    must(ydoc_merge_updates_v1(list, n, &out, NULL), "merge");
    t = now_ns() - t;
    printf("%-44s %8.2f ms        %zu bytes\n", "merge the first 10,000 updates", t / 1e6, out.len);
    ydoc_buf_fini(&out);
    free(list);
}

/* The document as it was when its state had about 10 KB. */
static void bench_small(const struct log *l)
{
    struct ydoc *doc = new_doc();
    struct ydoc_buf state;

    ydoc_buf_init(&state, NULL);
    for (size_t i = 0; i < l->n && state.len < 10240; i++) {
        struct ydoc_slice u = log_update(l, i);

        must(ydoc_apply_v1(doc, u.p, u.len, NULL), "apply");
        if (i % 100 == 0) {
            ydoc_buf_reset(&state);
            must(ydoc_encode_state_v1(doc, NULL, 0, &state, NULL), "encode");
        }
    }
    ydoc_free(doc);
    bench_load("load a 10 KB document", &state);
    ydoc_buf_fini(&state);
}

int main(int argc, char **argv)
{
    struct ydoc_buf state;
    struct ydoc *doc;
    struct log l;

    log_init(&l);
    if (argc > 1)
        read_log(&l, argv[1]);
    else
        make_log(&l);
    printf("%zu updates, %zu bytes\n", l.n, l.bytes.len);
    bench_apply(&l, "apply one by one", false, 0);
    bench_apply(&l, "apply and encode for the others", true, 0);
    bench_apply(&l, "apply, 10,000 past clients", false, 10000);
    bench_apply(&l, "apply and encode, 10,000 past clients", true, 10000);
    doc = apply_all(&l, new_doc(), false);
    ydoc_buf_init(&state, NULL);
    must(ydoc_encode_state_v1(doc, NULL, 0, &state, NULL), "encode");
    bench_encode(doc);
    bench_load("load the whole document", &state);
    bench_small(&l);
    bench_merge(&l);
    ydoc_free(doc);
    ydoc_buf_fini(&state);
    ydoc_buf_fini(&l.bytes);
    free(l.at);
    return 0;
}
