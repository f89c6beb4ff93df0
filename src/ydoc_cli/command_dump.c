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

/* FORMAT is a key and its JSON, DOC a guid and its options. */
static void print_pair(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    struct lib0_reader r;

    lib0_reader_init(&r, s->body.p, s->body.len);
    print_words(out, " ");
    print_string(out, lib0_read_varstring(&r, NULL), max);
    print_words(out, s->ref == WIRE_FORMAT ? " = " : " ");
    if (s->ref == WIRE_FORMAT)
        print_string(out, lib0_read_varstring(&r, NULL), max);
    else
        print_any(out, &r, max);
}

static void print_content(struct ydoc_buf *out, const struct wire_struct *s, size_t max)
{
    switch (s->ref) {
    case WIRE_STRING:
    case WIRE_EMBED:
        print_words(out, " ");
        print_string(out, s->body, max);
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

static void print_struct(struct ydoc_buf *out, const uint8_t *base, const struct wire_struct *s,
                         size_t max)
{
    print_words(out, "%8zu  %" PRIu64 ":%" PRIu32 "+%" PRIu32 " %s", (size_t)(s->start - base),
                s->client, s->clock, s->len, refs[s->ref]);
    print_place(out, s);
    print_content(out, s, max);
    print_words(out, "\n");
}

/* The reader after the delete set: its failure, and where it stands. */
static struct lib0_reader print_deletes(struct ydoc_buf *out, const struct lib0_reader *at)
{
    struct wire_deletes d;
    struct wire_range range;
    const uint8_t *start;

    wire_deletes_init(&d, at);
    start = d.r.p;
    while (wire_deletes_next(&d, &range)) {
        print_words(out, "%8zu  delete %" PRIu64 ":%" PRIu32 "+%" PRIu32 "\n",
                    (size_t)(start - d.r.base), range.client, range.clock, range.len);
        start = d.r.p;
    }
    return d.r;
}

/* Shows v1 bytes as far as they can be read; 0, or the error. */
static int print_update(struct ydoc_buf *out, const struct ydoc_buf *bytes, size_t max,
                        struct ydoc_error *err)
{
    struct wire_walk walk;
    struct wire_struct s;
    struct lib0_reader r;

    wire_walk_init(&walk, bytes->p, bytes->len);
    while (wire_walk_next(&walk, &s))
        print_struct(out, walk.r.base, &s, max);
    r = walk.r;
    if (r.why == NULL)
        r = print_deletes(out, &walk.r);
    if (r.why == NULL)
        print_words(out, "%8zu  end%s\n", lib0_offset(&r),
                    lib0_left(&r) > 0 ? ", and bytes after it that mean nothing" : "");
    return lib0_error(&r, err);
}

static int dump(const struct command_line *c, const struct input *in, struct ydoc_buf *out)
{
    size_t max = c->full ? PRINT_WHOLE : CONTENT_BYTES;
    struct ydoc_error err = {0};
    struct ydoc_buf v1;
    int rc = 0;

    print_words(out, "%s: v%d, %zu bytes\n", in->name, (int)in->format, in->bytes.len);
    if (in->format == FORMAT_V1) {
        rc = print_update(out, &in->bytes, max, &err);
    } else {
        ydoc_buf_init(&v1, NULL);
        rc = format_convert(in, FORMAT_V1, &v1, &err);
        if (rc == 0) {
            print_words(out, "as v1, %zu bytes:\n", v1.len);
            rc = print_update(out, &v1, max, &err);
        }
        ydoc_buf_fini(&v1);
    }
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
