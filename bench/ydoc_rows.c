/* bench_ydoc_rows - one operation of bench/ydoc with the library; bench/ydoc/peer.mjs does the same
 * with yjs and ywasm.
 *
 *     bench_ydoc_rows SECONDS OPERATION FILE...
 *
 *     load DOC              a document from its bytes, ns
 *     hold DOC N            what the process grows by for each of N documents, bytes
 *     apply LIST [DOC]      updates one by one into DOC or nothing, ns each
 *     emit LIST [DOC]       and what changed encoded for the others after each
 *     type EDITS            edits by index, with the update that each gives, ns each
 *     merge LIST N          the first N updates, ns
 *     diff-doc DOC SV       what SV lacks, from the document, ns
 *     diff-update DOC SV    what SV lacks, from the bytes, ns
 *
 * Prints lines of a word and a value: `ns` of CPU time of the best round in the time given,
 * `bytes`, and `length`, `hash` and `emitted` of the result, by which the libraries are held
 * against each other. Lists are u32le count, then u32le length and bytes each.
 */
#include <ydoc.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/measure.h"

#define VERY_LONG_NS 20e9
#define TYPIST 3123456789u /* who typed the inputs: typing again gives the same bytes */

struct file {
    uint8_t *p;
    size_t len;
};

struct list {
    struct file file;
    struct ydoc_slice *updates;
    size_t n;
};

/* What an operation works on; `doc` and `out` are of the round. */
struct work {
    struct file doc_bytes, sv;
    struct list list;
    struct ydoc *doc;
    struct ydoc_buf out;
    bool emits;
    uint64_t emitted;
};

static void must(int rc, const char *what)
{
    if (rc < 0)
        die("%s: %s", what, ydoc_strerror(rc));
}

static struct file read_file(const char *name)
{
    struct file f = {NULL, 0};
    FILE *in = fopen(name, "rb");
    long len;

    if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (len = ftell(in)) < 0)
        die("cannot read %s", name);
    rewind(in);
    f.len = (size_t)len;
    f.p = xzalloc(f.len + 1);
    if (fread(f.p, 1, f.len, in) != f.len)
        die("cannot read %s", name);
    fclose(in);
    return f;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct list read_list(const char *name)
{
    struct list l = {.file = read_file(name)};
    size_t at = 4;

    if (l.file.len < 4)
        die("%s is cut off", name);
    l.n = get_u32(l.file.p);
    l.updates = xzalloc((l.file.len / 4 + 1) * sizeof(*l.updates));
    for (size_t i = 0; i < l.n; i++) {
        if (l.file.len - at < 4 || l.file.len - at - 4 < get_u32(l.file.p + at))
            die("%s is cut off", name);
        l.updates[i].len = get_u32(l.file.p + at);
        l.updates[i].p = l.file.p + at + 4;
        at += 4 + l.updates[i].len;
    }
    return l;
}

static uint32_t fnv(const uint8_t *p, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

/* ---- rounds ---- */

/* The process's own time: others on the machine do not count. */
static double cpu_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef void step(struct work *w);

static double best_ns(struct work *w, double seconds, step *before, step *run, step *after)
{
    double best = 1e18, spent = 0;

    for (unsigned n = 0; n < 2 || spent < seconds * 1e9; n++) {
        double begin, ns;

        if (n > 0 && spent > VERY_LONG_NS)
            break;
        if (n > 0)
            after(w);
        before(w);
        begin = cpu_now_ns();
        run(w);
        ns = cpu_now_ns() - begin;
        best = ns < best ? ns : best;
        spent += ns;
    }
    return best;
}

static void nothing(struct work *w)
{
    (void)w;
}

static void load(struct work *w)
{
    must(ydoc_new(&w->doc, NULL), "new");
    must(ydoc_apply_v1(w->doc, w->doc_bytes.p, w->doc_bytes.len, NULL), "load");
    ydoc_forget_changes(w->doc);
}

static void close_doc(struct work *w)
{
    ydoc_free(w->doc);
    w->doc = NULL;
}

static void open_doc(struct work *w)
{
    struct ydoc_options options = {.client_id = TYPIST};

    w->emitted = 0;
    if (w->doc_bytes.p != NULL)
        load(w);
    else
        must(ydoc_new(&w->doc, &options), "new");
}

static void apply_list(struct work *w)
{
    for (size_t i = 0; i < w->list.n; i++) {
        must(ydoc_apply_v1(w->doc, w->list.updates[i].p, w->list.updates[i].len, NULL), "apply");
        if (!w->emits)
            continue;
        ydoc_buf_reset(&w->out);
        must(ydoc_take_changes_v1(w->doc, &w->out, NULL), "take");
        w->emitted += w->out.len;
    }
}

static void count_update(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    (void)doc;
    (void)origin;
    ((struct work *)ctx)->emitted += update.len;
}

static void type_edit(struct work *w, ydoc_type text, const struct ydoc_slice *edit)
{
    uint32_t position = get_u32(edit->p), deleted = get_u32(edit->p + 4);
    struct ydoc_slice inserted = {edit->p + 8, edit->len - 8}, none = {NULL, 0};
    bool both = deleted > 0 && inserted.len > 0; /* a single edit is a transaction by itself */

    if (both)
        must(ydoc_begin(w->doc, NULL), "begin");
    if (deleted > 0)
        must(ydoc_text_delete(w->doc, text, position, deleted), "delete");
    if (inserted.len > 0)
        must(ydoc_text_insert(w->doc, text, position, inserted, none), "insert");
    if (both)
        must(ydoc_commit(w->doc, NULL), "commit");
}

static void type_all(struct work *w)
{
    struct ydoc_slice name = {(const uint8_t *)"text", 4};
    ydoc_type text;

    must(ydoc_root(w->doc, name, YDOC_KIND_TEXT, &text), "root");
    must(ydoc_observe_updates(w->doc, 1, count_update, w), "observe");
    for (size_t i = 0; i < w->list.n; i++)
        type_edit(w, text, &w->list.updates[i]);
}

static void merge(struct work *w)
{
    ydoc_buf_reset(&w->out);
    must(ydoc_merge_updates_v1(w->list.updates, w->list.n, &w->out, NULL), "merge");
}

static void diff_doc(struct work *w)
{
    ydoc_buf_reset(&w->out);
    must(ydoc_encode_state_v1(w->doc, w->sv.p, w->sv.len, &w->out, NULL), "encode");
}

static void diff_update(struct work *w)
{
    ydoc_buf_reset(&w->out);
    must(ydoc_diff_update_v1(w->doc_bytes.p, w->doc_bytes.len, w->sv.p, w->sv.len, &w->out, NULL),
         "diff");
}

/* ---- what is printed ---- */

static void print_bytes(struct work *w, double ns)
{
    printf("ns %.1f\nlength %zu\nhash %" PRIu32 "\n", ns, w->out.len, fnv(w->out.p, w->out.len));
}

static void print_doc(struct work *w)
{
    struct ydoc_root root;
    uint32_t iter = 0;

    if (!ydoc_next_root(w->doc, &iter, &root))
        die("the document is empty");
    ydoc_buf_reset(&w->out);
    must(ydoc_encode_state_v1(w->doc, NULL, 0, &w->out, NULL), "encode");
    printf("length %" PRIu32 "\nhash %" PRIu32 "\n", root.length, fnv(w->out.p, w->out.len));
}

/* ---- operations ---- */

static void op_load(struct work *w, double seconds, char **args)
{
    w->doc_bytes = read_file(args[0]);
    printf("ns %.1f\n", best_ns(w, seconds, nothing, load, close_doc));
    print_doc(w);
}

static long pss_bytes(void)
{
    return smaps_kb((int)getpid(), "Pss:") * 1024;
}

static void op_hold(struct work *w, double seconds, char **args)
{
    size_t n = strtoul(args[1] != NULL ? args[1] : "1", NULL, 10);
    struct ydoc **docs = xzalloc((n + 1) * sizeof(*docs));
    long before;

    (void)seconds;
    w->doc_bytes = read_file(args[0]);
    memset(docs, 1, n * sizeof(struct ydoc *)); /* its pages are there before */
    before = pss_bytes();
    for (size_t i = 0; i < n; i++) {
        load(w);
        ydoc_shrink(w->doc);
        docs[i] = w->doc;
    }
    printf("bytes %.0f\n", (double)(pss_bytes() - before) / (double)n);
    print_doc(w);
    while (n > 0)
        ydoc_free(docs[--n]);
    free(docs);
    w->doc = NULL;
}

static void op_apply(struct work *w, double seconds, char **args)
{
    double ns;

    w->list = read_list(args[0]);
    if (args[1] != NULL)
        w->doc_bytes = read_file(args[1]);
    ns = best_ns(w, seconds, open_doc, apply_list, close_doc);
    printf("ns %.1f\n", ns / (double)w->list.n);
    if (w->emits)
        printf("emitted %" PRIu64 "\n", w->emitted);
    print_doc(w);
}

static void op_emit(struct work *w, double seconds, char **args)
{
    w->emits = true;
    op_apply(w, seconds, args);
}

static void op_type(struct work *w, double seconds, char **args)
{
    double ns;

    w->list = read_list(args[0]);
    for (size_t i = 0; i < w->list.n; i++) {
        if (w->list.updates[i].len < 8)
            die("edit %zu is too short", i);
    }
    ns = best_ns(w, seconds, open_doc, type_all, close_doc);
    printf("ns %.1f\nemitted %" PRIu64 "\n", ns / (double)w->list.n, w->emitted);
    print_doc(w);
}

static void op_merge(struct work *w, double seconds, char **args)
{
    size_t n = strtoul(args[1] != NULL ? args[1] : "1", NULL, 10);

    w->list = read_list(args[0]);
    if (n < w->list.n)
        w->list.n = n;
    print_bytes(w, best_ns(w, seconds, nothing, merge, nothing));
}

static void op_diff(struct work *w, double seconds, char **args, step *run)
{
    w->doc_bytes = read_file(args[0]);
    w->sv = read_file(args[1]);
    load(w);
    print_bytes(w, best_ns(w, seconds, nothing, run, nothing));
}

static void op_diff_doc(struct work *w, double seconds, char **args)
{
    op_diff(w, seconds, args, diff_doc);
}

static void op_diff_update(struct work *w, double seconds, char **args)
{
    op_diff(w, seconds, args, diff_update);
}

static const struct {
    const char *name;
    int args_min;
    void (*run)(struct work *w, double seconds, char **args);
} operations[] = {
    {"load", 1, op_load},         {"hold", 2, op_hold},
    {"apply", 1, op_apply},       {"emit", 1, op_emit},
    {"merge", 2, op_merge},       {"type", 1, op_type},
    {"diff-doc", 2, op_diff_doc}, {"diff-update", 2, op_diff_update},
};

int main(int argc, char **argv)
{
    struct work w = {.doc = NULL};

    for (size_t i = 0; argc > 2 && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, argv[2]) != 0 || argc < 3 + operations[i].args_min)
            continue;
        ydoc_buf_init(&w.out, NULL);
        operations[i].run(&w, strtod(argv[1], NULL), argv + 3);
        ydoc_free(w.doc);
        ydoc_buf_fini(&w.out);
        free(w.list.updates);
        free(w.list.file.p);
        free(w.doc_bytes.p);
        free(w.sv.p);
        return 0;
    }
    die("usage: bench_ydoc_rows SECONDS OPERATION FILE...");
}
