/* command_dump - every struct and every deletion of an update, one a line.
 *
 * It reads with the same code that applies updates, so what it shows is what
 * the library sees, and where it stops is where the library refuses. Structs
 * of length 0, which reading drops, are not shown. */
#include "ydoc_cli/command.h"

#include <inttypes.h>
#include <string.h>

#include "ydoc_cli/update_format.h"
#include "ydoc_cli/value_print.h"
#include "ydoc/wire.h"

#define CONTENT_BYTES 60
#define STRUCTS_MAX (1u << 20) /* a few bytes of v2 may say very many */

static const char *const refs[] = {"gc",     "deleted", "json", "binary", "string", "embed",
                                   "format", "type",    "any",  "doc",    "skip"};
static const char *const types[] = {"array",        "map",      "text",    "xml element",
                                    "xml fragment", "xml hook", "xml text"};

static void print_id(struct ydoc_buf *out, const char *what, uint64_t client, uint32_t clock)
{
    print_words(out, " %s %" PRIu64 ":%" PRIu32, what, client, clock);
}

static void print_place(struct ydoc_buf *out, const struct wire_struct *s)
{
    if (s->ref == WIRE_GC || s->ref == WIRE_SKIP)
        return;
    if (s->info & WIRE_HAS_ORIGIN)
        print_id(out, "after", s->origin_client, s->origin_clock);
    if (s->info & WIRE_HAS_RIGHT)
        print_id(out, "before", s->right_client, s->right_clock);
    if (wire_has_ids(s))
        return;
    if (s->root) {
        print_words(out, " in root ");
        print_string(out, s->parent_name, PRINT_WHOLE);
    } else {
        print_id(out, "in", s->parent_client, s->parent_clock);
    }
    if (s->info & WIRE_HAS_SUB) {
        print_words(out, " key ");
        print_string(out, s->sub, PRINT_WHOLE);
    }
}

static void print_elements(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    struct lib0_reader r;

    lib0_reader_init(&r, s->body.p, s->body.len);
    for (uint32_t i = 0; i < s->len && r.why == NULL; i++) {
        print_words(out, i > 0 ? ", " : " ");
        if (max != PRINT_WHOLE && lib0_offset(&r) > 4 * max) {
            print_words(out, "and %" PRIu32 " values more", s->len - i);
            return;
        }
        if (s->ref == WIRE_ANY)
            print_any(out, &r, max);
        else
            print_string(out, lib0_read_varstring(&r, NULL), max);
    }
}

/* A value of an embed, a format or a subdocument: JSON text, or an `any`. */
static void print_value(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    struct lib0_reader r;

    lib0_reader_init(&r, s->value.p, s->value.len);
    if (s->any || s->ref == WIRE_DOC)
        print_any(out, &r, max);
    else
        print_string(out, s->value, max);
}

static void print_pair(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    print_words(out, " ");
    print_string(out, s->key, max);
    print_words(out, s->ref == WIRE_FORMAT ? " = " : " ");
    print_value(out, s, max);
}

static void print_content(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    switch (s->ref) {
    case WIRE_STRING:
        print_words(out, " ");
        print_string(out, s->body, max);
        return;
    case WIRE_EMBED:
        print_words(out, " ");
        print_value(out, s, max);
        return;
    case WIRE_BINARY:
        print_words(out, " ");
        print_bytes(out, s->body, max);
        return;
    case WIRE_TYPE:
        print_words(out, " %s", types[s->type_ref]);
        if (s->body.len > 0) {
            print_words(out, " ");
            print_string(out, s->body, max);
        }
        return;
    case WIRE_JSON:
    case WIRE_ANY:
        print_elements(out, s, max);
        return;
    case WIRE_FORMAT:
    case WIRE_DOC:
        print_pair(out, s, max);
        return;
    default:
        return;
    }
}

/* In front stands the byte at which it begins; in v2 it is in many places. */
static void print_struct(struct ydoc_buf *out, const uint8_t *base, const struct wire_struct *s,
                         size_t max)
{
    if (s->start != NULL)
        print_words(out, "%8zu", (size_t)(s->start - base));
    else
        print_words(out, "%8s", "-");
    print_words(out, "  %" PRIu64 ":%" PRIu32 "+%" PRIu32 " %s", s->client, s->clock, s->len,
                refs[s->ref]);
    print_place(out, s);
    print_content(out, s, max);
    print_words(out, "\n");
}

static void print_deletes(struct ydoc_buf *out, struct wire_walk *walk)
{
    struct wire_deletes d;
    struct wire_range range;
    const uint8_t *start;
    uint64_t n = 0;

    wire_walk_deletes(walk, &d);
    for (start = d.r.p; n <= walk->budget && wire_deletes_next(&d, &range); start = d.r.p, n++)
        print_words(out, "%8zu  delete %" PRIu64 ":%" PRIu32 "+%" PRIu32 "\n",
                    (size_t)(start - d.r.base), range.client, range.clock, range.len);
    wire_walk_end_deletes(walk, &d, n);
}

/* Shows an update as far as it can be read; 0, or the error. */
static int print_update(struct ydoc_buf *out, const struct input *in, size_t max,
                        struct ydoc_error *err)
{
    const struct ydoc_limits few = {.structs_max = STRUCTS_MAX};
    const struct ydoc_limits limits = ydoc__limits(&few);
    const struct ydoc_alloc alloc = ydoc__alloc_or_default(NULL);
    const struct wire_input input = {.update = ydoc_buf_slice(&in->bytes),
                                     .version = in->format == FORMAT_V2 ? WIRE_V2 : WIRE_V1,
                                     .limits = &limits,
                                     .alloc = &alloc};
    struct wire_walk walk;
    struct wire_struct s;
    int rc;

    wire_walk_open(&walk, &input);
    while (wire_walk_next(&walk, &s))
        print_struct(out, in->bytes.p, &s, max);
    if (walk.r.why == NULL)
        print_deletes(out, &walk);
    if (walk.r.why == NULL)
        print_words(out, "%8zu  end%s\n", lib0_offset(&walk.r),
                    lib0_left(&walk.r) > 0 ? ", and bytes after it that mean nothing" : "");
    rc = wire_walk_error(&walk, err);
    wire_walk_close(&walk);
    return rc;
}

static int dump(const struct command_line *c, const struct input *in, struct ydoc_buf *out)
{
    struct ydoc_error err = {0};
    int rc;

    print_words(out, "%s: v%d, %zu bytes\n", in->name, (int)in->format, in->bytes.len);
    rc = print_update(out, in, c->full ? PRINT_WHOLE : CONTENT_BYTES, &err);
    return rc == 0 ? COMMAND_OK : command_refused(c, in, rc, &err);
}

int command_dump(struct command_line *c)
{
    struct ydoc_buf out;
    int status = COMMAND_OK, written;

    ydoc_buf_init(&out, NULL);
    for (size_t i = 0; i < c->n_inputs; i++) {
        int one = dump(c, &c->inputs[i], &out);

        if (one > status)
            status = one;
    }
    written = out.failed ? COMMAND_SYSTEM : command_write(c, &out);
    ydoc_buf_fini(&out);
    return written > status ? written : status;
}
