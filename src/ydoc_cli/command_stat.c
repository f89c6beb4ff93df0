/* command_stat - what an update is made of, and what it becomes as a document. */
#include "ydoc_cli/command.h"

#include <inttypes.h>

#include "ydoc_cli/update_format.h"
#include "ydoc_cli/value_print.h"
#include "ydoc/wire.h"

struct tally {
    uint64_t structs[WIRE_SKIP + 1], units[WIRE_SKIP + 1];
    uint64_t ranges, units_deleted; /* of the delete set */
    uint64_t clients, client;
    size_t content_bytes;
};

static const char *const refs[] = {"gc",     "deleted", "json", "binary", "string", "embed",
                                   "format", "type",    "any",  "doc",    "skip"};
static const char *const kinds[] = {"array",        "map",      "text",     "xml element",
                                    "xml fragment", "xml hook", "xml text", "nothing visible"};

/* Counts a whole v1 update, which has been checked. */
static void count(struct tally *t, const struct ydoc_buf *v1)
{
    struct wire_walk walk;
    struct wire_struct s;
    struct wire_deletes d;
    struct wire_range range;

    wire_walk_init(&walk, v1->p, v1->len);
    while (wire_walk_next(&walk, &s)) {
        t->structs[s.ref]++;
        t->units[s.ref] += s.len;
        t->content_bytes += s.body.len;
        t->clients += t->clients == 0 || t->client != s.client;
        t->client = s.client;
    }
    wire_deletes_init(&d, &walk.r);
    while (wire_deletes_next(&d, &range)) {
        t->ranges++;
        t->units_deleted += range.len;
    }
}

static void print_tally(struct ydoc_buf *out, const struct tally *t)
{
    uint64_t structs = 0, units = 0;

    for (unsigned ref = 0; ref < WIRE_SKIP; ref++) {
        structs += t->structs[ref];
        units += t->units[ref];
    }
    print_words(out, "  clients        %" PRIu64 "\n", t->clients);
    print_words(out, "  structs        %" PRIu64 ", %" PRIu64 " units long\n", structs, units);
    for (unsigned ref = 0; ref <= WIRE_SKIP; ref++) {
        if (t->structs[ref] > 0)
            print_words(out, "    %-12s %" PRIu64 ", %" PRIu64 " units\n", refs[ref],
                        t->structs[ref], t->units[ref]);
    }
    print_words(out, "  content        %zu bytes\n", t->content_bytes);
    print_words(out, "  deleted        %" PRIu64 " units in %" PRIu64 " ranges", t->units_deleted,
                t->ranges);
    if (units > 0)
        print_words(out, ", %.1f %% of the units here",
                    100.0 * (double)t->units_deleted / (double)units);
    print_words(out, "\n");
}

static void print_roots(struct ydoc_buf *out, const struct ydoc *doc)
{
    struct ydoc_root root;
    uint32_t iter = 0;

    while (ydoc_next_root(doc, &iter, &root)) {
        print_words(out, "  root           ");
        print_string(out, root.name, PRINT_WHOLE);
        print_words(out, ": looks like %s, length %" PRIu32 "\n", kinds[root.kind], root.length);
    }
}

static int print_document(struct ydoc_buf *out, const struct ydoc *doc)
{
    struct ydoc_buf state;

    print_words(out, "  pending        structs: %s, deletions: %s\n",
                ydoc_has_pending_structs(doc) ? "yes, something before them is missing" : "none",
                ydoc_has_pending_deletes(doc) ? "yes" : "none");
    print_words(out, "  in memory      %zu bytes\n", ydoc_memory_used(doc));
    for (int f = FORMAT_V1; f <= FORMAT_V2; f++) {
        ydoc_buf_init(&state, NULL);
        if (format_encode(doc, (enum update_format)f, &state) == 0)
            print_words(out, "  encoded, v%d    %zu bytes\n", f, state.len);
        ydoc_buf_fini(&state);
    }
    print_roots(out, doc);
    return out->failed ? COMMAND_SYSTEM : COMMAND_OK;
}

static int stat_input(const struct command_line *c, struct input *in, struct ydoc_buf *out)
{
    struct command_line alone = *c;
    struct ydoc_error err = {0};
    struct tally tally = {0};
    struct ydoc_buf v1;
    struct ydoc *doc;
    int rc, status;

    ydoc_buf_init(&v1, NULL);
    rc = format_convert(in, FORMAT_V1, &v1, &err);
    if (rc == 0) {
        print_words(out, "%s: v%d, %zu bytes\n", in->name, (int)in->format, in->bytes.len);
        count(&tally, &v1);
        print_tally(out, &tally);
    }
    ydoc_buf_fini(&v1);
    if (rc != 0)
        return command_refused(c, in, rc, &err);
    alone.inputs = in;
    alone.n_inputs = 1;
    status = command_load(&alone, &doc);
    if (status != COMMAND_OK)
        return status;
    ydoc_shrink(doc);
    status = print_document(out, doc);
    ydoc_free(doc);
    return status;
}

int command_stat(struct command_line *c)
{
    struct ydoc_buf out;
    int status = COMMAND_OK;

    ydoc_buf_init(&out, NULL);
    for (size_t i = 0; i < c->n_inputs && status == COMMAND_OK; i++)
        status = stat_input(c, &c->inputs[i], &out);
    if (status == COMMAND_OK)
        status = command_write(c, &out);
    ydoc_buf_fini(&out);
    return status;
}
