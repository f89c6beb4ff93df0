/* bench_ydoc_bench - times of the CRDT on updates that others have made, one
 * figure a line ("name value unit"), for a program that compares.
 *
 *     apply FILE             every update of the file, one by one
 *     relay FILE             the same, each encoded again for the others
 *     parse FILE [ROUNDS]    the file's first update into an empty document
 *     diff FILE SV           FILE applied; what a peer with SV lacks
 *     past FILE N            apply, after N other clients wrote one word each
 *     hold FILE N            N documents of the file's first update at once
 *     repeat FILE N OUT      types FILE N times by N clients, writes the state
 *
 * A file is u32le count, then u32le length and bytes of each update; the best
 * of several rounds counts.
 */
#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ydoc/lib0.h"

struct log {
    uint8_t *bytes;
    struct ydoc_slice *v;
    uint32_t n;
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, ydoc_strerror(rc));
        exit(1);
    }
}

static void *must_alloc(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);

    must(p == NULL ? YDOC_ENOMEM : 0, "memory");
    return p;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct log read_log(const char *path)
{
    struct log l = {0};
    FILE *f = fopen(path, "rb");
    size_t size = 0, at = 4;

    if (f != NULL && fseek(f, 0, SEEK_END) == 0)
        size = (size_t)ftell(f);
    if (size < 4) {
        fprintf(stderr, "%s: no log of updates\n", path);
        exit(1);
    }
    rewind(f);
    l.bytes = must_alloc(size);
    if (fread(l.bytes, 1, size, f) != size)
        exit(1);
    fclose(f);
    l.n = get_u32(l.bytes);
    l.v = must_alloc(l.n * sizeof(*l.v));
    for (uint32_t i = 0; i < l.n; i++) {
        if (size - at < 4 || size - at - 4 < get_u32(l.bytes + at)) {
            fprintf(stderr, "%s: update %u runs past the end\n", path, i);
            exit(1);
        }
        l.v[i].p = l.bytes + at + 4;
        l.v[i].len = get_u32(l.bytes + at);
        at += 4 + l.v[i].len;
    }
    return l;
}

static struct ydoc *new_doc(void)
{
    struct ydoc *doc;

    must(ydoc_new(&doc, NULL), "new");
    return doc;
}

static void apply_all(struct ydoc *doc, const struct log *l, bool relay)
{
    struct ydoc_buf update;

    ydoc_buf_init(&update, NULL);
    for (uint32_t i = 0; i < l->n; i++) {
        must(ydoc_apply_v1(doc, l->v[i].p, l->v[i].len, NULL), "apply");
        if (relay) {
            ydoc_buf_reset(&update);
            must(ydoc_take_changes_v1(doc, &update, NULL), "take");
        }
    }
    ydoc_buf_fini(&update);
}

static void add_past_clients(struct ydoc *doc, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ydoc_buf u;

        ydoc_buf_init(&u, NULL);
        lib0_write_raw(&u, "\1\1", 2);
        lib0_write_varuint(&u, 200000000 + i * 7);
        lib0_write_raw(&u, "\0\4\1\5other\4word\0", 15);
        must(ydoc_apply_v1(doc, u.p, u.len, NULL), "past client");
        ydoc_buf_fini(&u);
    }
    ydoc_forget_changes(doc);
}

static void bench_apply(const char *name, const struct log *l, bool relay, size_t past)
{
    double best = 1e18;

    for (int round = 0; round < 7; round++) {
        struct ydoc *doc = new_doc();
        double t;

        add_past_clients(doc, past);
        t = now_ms();
        apply_all(doc, l, relay);
        t = now_ms() - t;
        if (t < best)
            best = t;
        ydoc_free(doc);
    }
    printf("%s %.2f ms (%.1f ns each)\n", name, best, best * 1e6 / l->n);
}

static void bench_parse(const struct log *l, int rounds)
{
    double best = 1e18, spent = 0;
    size_t used = 0, peak;
    struct rusage ru;

    for (int round = 0; round < rounds && (round < 3 || spent < 2000); round++) {
        struct ydoc *doc = new_doc();
        double t = now_ms();

        must(ydoc_apply_v1(doc, l->v[0].p, l->v[0].len, NULL), "parse");
        t = now_ms() - t;
        used = ydoc_memory_used(doc);
        spent += t;
        if (t < best)
            best = t;
        ydoc_free(doc);
    }
    getrusage(RUSAGE_SELF, &ru);
    peak = (size_t)ru.ru_maxrss * 1024 - l->v[0].len;
    printf("parse %.4f ms (%zu bytes)\nparse_memory %.3f MB\nparse_rss_peak %.1f MB\n", best,
           l->v[0].len, (double)used / 1e6, (double)peak / 1e6);
}

static void bench_diff(const struct log *l, const struct log *sv)
{
    struct ydoc *doc = new_doc();
    struct ydoc_buf out;
    double best = 1e18;

    apply_all(doc, l, false);
    ydoc_buf_init(&out, NULL);
    for (int round = 0; round < 2000; round++) {
        double t = now_ms();

        ydoc_buf_reset(&out);
        must(ydoc_encode_state_v1(doc, sv->v[0].p, sv->v[0].len, &out, NULL), "diff");
        t = now_ms() - t;
        if (t < best)
            best = t;
    }
    printf("diff %.4f ms (%zu bytes)\n", best, out.len);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
}

static size_t rss_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        if (fscanf(f, "%*u %lu", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void bench_hold(const struct log *l, size_t n)
{
    struct ydoc **docs = must_alloc(n * sizeof(*docs));
    size_t used = 0, before, held;
    double t, best = 1e18;

    memset(docs, 0, n * sizeof(struct ydoc *));
    before = rss_bytes();
    for (size_t i = 0; i < n; i++) {
        docs[i] = new_doc();
        must(ydoc_apply_v1(docs[i], l->v[0].p, l->v[0].len, NULL), "load");
        used += ydoc_memory_used(docs[i]);
    }
    held = rss_bytes();
    for (size_t i = 0; i < n; i++)
        ydoc_free(docs[i]);
    printf("hold_memory %.2f KB each\nhold_rss %.2f KB each\n", (double)used / (double)n / 1e3,
           (double)(held - before) / (double)n / 1e3);
    printf("hold_rss_left %.2f KB each after freeing\n",
           (double)(rss_bytes() - before) / (double)n / 1e3);
    for (int round = 0; round < 20; round++) {
        size_t each = 1000;

        t = now_ms();
        for (size_t i = 0; i < each; i++) {
            docs[0] = new_doc();
            must(ydoc_apply_v1(docs[0], l->v[0].p, l->v[0].len, NULL), "load");
            ydoc_free(docs[0]);
        }
        t = (now_ms() - t) / (double)each;
        if (t < best)
            best = t;
    }
    printf("load_rate %.0f /s (%.2f us)\n", 1e3 / best, best * 1e3);
    free(docs);
}

/* ---- one trace typed by many, one after the other ---- */

struct retype {
    uint64_t client, before;      /* the typist and the one before */
    uint64_t first, before_first; /* clock of the first item of each */
};

static void retype_update(struct retype *t, struct ydoc_slice u, struct ydoc_buf *out)
{
    struct lib0_reader r;
    uint64_t sections, clock, n;
    uint8_t info;

    lib0_reader_init(&r, u.p, u.len);
    sections = lib0_read_varuint(&r);
    lib0_write_varuint(out, sections);
    if (sections > 0) {
        lib0_read_varuint(&r);
        lib0_read_varuint(&r);
        clock = lib0_read_varuint(&r);
        info = lib0_read_u8(&r);
        lib0_write_varuint(out, 1);
        lib0_write_varuint(out, t->client);
        lib0_write_varuint(out, clock);
        lib0_write_u8(out, t->before != 0 ? info | 0x40 : info);
        if (info & 0x80) {
            lib0_read_varuint(&r);
            lib0_write_varuint(out, t->client);
            lib0_write_varuint(out, lib0_read_varuint(&r));
        } else {
            t->first = clock;
        }
        if (info & 0x40) {
            lib0_read_varuint(&r);
            lib0_write_varuint(out, t->client);
            lib0_write_varuint(out, lib0_read_varuint(&r));
        } else if (t->before != 0) {
            lib0_write_varuint(out, t->before);
            lib0_write_varuint(out, t->before_first);
            if (!(info & 0x80)) {
                lib0_read_varuint(&r);
                lib0_read_varbytes(&r);
            }
        }
    }
    if (r.p < r.end && *r.p == 1 && sections == 0) {
        lib0_write_varuint(out, lib0_read_varuint(&r));
        lib0_read_varuint(&r);
        lib0_write_varuint(out, t->client);
    }
    n = lib0_left(&r);
    lib0_write_raw(out, r.p, n);
    must(r.why != NULL ? YDOC_EMALFORMED : 0, "only logs of one client's text can be typed again");
}

static void repeat(const struct log *l, unsigned times, const char *path)
{
    struct ydoc *doc = new_doc();
    struct retype t = {0};
    struct ydoc_buf out;
    double start = now_ms();
    uint8_t head[8] = {1};
    FILE *f = fopen(path, "wb");

    ydoc_buf_init(&out, NULL);
    for (unsigned k = 0; k < times; k++) {
        t.before = t.client;
        t.before_first = t.first;
        t.client = 100000000 + k * 37;
        for (uint32_t i = 0; i < l->n; i++) {
            ydoc_buf_reset(&out);
            retype_update(&t, l->v[i], &out);
            must(ydoc_apply_v1(doc, out.p, out.len, NULL), "retyped");
        }
    }
    printf("repeat %.0f ms\nrepeat_memory %.3f MB\n", now_ms() - start,
           (double)ydoc_memory_used(doc) / 1e6);
    ydoc_buf_reset(&out);
    must(ydoc_encode_state_v1(doc, NULL, 0, &out, NULL), "encode");
    for (int i = 0; i < 4; i++)
        head[4 + i] = (uint8_t)(out.len >> 8 * i);
    must(f == NULL || fwrite(head, 1, 8, f) != 8 || fwrite(out.p, 1, out.len, f) != out.len ||
                 fclose(f) != 0
             ? YDOC_ENOMEM
             : 0,
         "writing the state");
    ydoc_buf_fini(&out);
    ydoc_free(doc);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    struct log l, sv;

    if (argc < 3) {
        fprintf(stderr, "apply|relay|parse|diff|past|hold|repeat FILE …, see the source\n");
        return 2;
    }
    l = read_log(argv[2]);
    if (strcmp(what, "apply") == 0) {
        bench_apply("apply", &l, false, 0);
    } else if (strcmp(what, "relay") == 0) {
        bench_apply("relay", &l, true, 0);
    } else if (strcmp(what, "parse") == 0) {
        bench_parse(&l, argc > 3 ? atoi(argv[3]) : 3000);
    } else if (strcmp(what, "past") == 0 && argc > 3) {
        bench_apply("past", &l, false, strtoul(argv[3], NULL, 10));
        bench_apply("past_relay", &l, true, strtoul(argv[3], NULL, 10));
    } else if (strcmp(what, "diff") == 0 && argc > 3) {
        sv = read_log(argv[3]);
        bench_diff(&l, &sv);
        free(sv.v);
        free(sv.bytes);
    } else if (strcmp(what, "hold") == 0 && argc > 3) {
        bench_hold(&l, strtoul(argv[3], NULL, 10));
    } else if (strcmp(what, "repeat") == 0 && argc > 4) {
        repeat(&l, (unsigned)strtoul(argv[3], NULL, 10), argv[4]);
    }
    free(l.v);
    free(l.bytes);
    return 0;
}
