/* command_update - apply, merge, diff, convert, sv: updates in, an update out. */
#include "ydoc_cli/command.h"

#include <stdlib.h>

#include "ydoc_cli/update_format.h"

/* Writes `out` if all went well, frees it, and gives the exit status. */
static int finish(const struct command_line *c, int status, struct ydoc_buf *out)
{
    if (status == COMMAND_OK)
        status = command_write(c, out);
    ydoc_buf_fini(out);
    return status;
}

static int library_status(const struct command_line *c, const struct input *in, int rc,
                          const struct ydoc_error *err)
{
    return rc == 0 ? COMMAND_OK : command_refused(c, in, rc, err);
}

int command_apply(struct command_line *c)
{
    struct ydoc_buf out;
    struct ydoc *doc;
    int status = command_load(c, &doc);

    ydoc_buf_init(&out, NULL);
    if (status == COMMAND_OK && format_encode(doc, command_format(c), &out) != 0) {
        command_complain("out of memory");
        status = COMMAND_SYSTEM;
    }
    ydoc_free(doc);
    return finish(c, status, &out);
}

/* Turns an input into the given format, in place. */
static int convert_input(const struct command_line *c, struct input *in, enum update_format to)
{
    struct ydoc_error err = {0};
    struct ydoc_buf other;
    int rc;

    if (in->format == to)
        return library_status(c, in, format_validate(in, &err), &err);
    ydoc_buf_init(&other, NULL);
    rc = format_convert(in, to, &other, &err);
    if (rc != 0) {
        ydoc_buf_fini(&other);
        return command_refused(c, in, rc, &err);
    }
    ydoc_buf_fini(&in->bytes);
    in->bytes = other;
    in->format = to;
    return COMMAND_OK;
}

int command_merge(struct command_line *c)
{
    struct ydoc_slice *list = calloc(c->n_inputs, sizeof(*list));
    enum update_format to = command_format(c);
    struct ydoc_error err = {0};
    int status = list != NULL ? COMMAND_OK : COMMAND_SYSTEM;
    struct ydoc_buf out;

    for (size_t i = 0; i < c->n_inputs && status == COMMAND_OK; i++) {
        status = convert_input(c, &c->inputs[i], to);
        list[i] = ydoc_buf_slice(&c->inputs[i].bytes);
    }
    ydoc_buf_init(&out, NULL);
    if (status == COMMAND_OK)
        status =
            library_status(c, &c->inputs[0], format_merge(list, c->n_inputs, to, &out, &err), &err);
    free(list);
    return finish(c, status, &out);
}

/* The state vector that diff compares with, in `sv`. */
static int read_sv(struct command_line *c, struct ydoc_buf *sv)
{
    struct input in = {.name = c->sv, .format = FORMAT_V1};
    struct ydoc_error err = {0};
    int status, rc;

    if (c->sv == NULL)
        return library_status(c, &c->inputs[1], format_state_vector(&c->inputs[1], sv, &err), &err);
    status = input_read_raw(&in);
    if (status == COMMAND_OK) {
        rc = ydoc_validate_state_vector(in.bytes.p, in.bytes.len, &err);
        if (rc != 0) {
            command_complain("%s: byte %zu: %s (read as a state vector: `ydoc sv` makes one)",
                             c->sv, err.offset, err.msg);
            status = COMMAND_REFUSED;
        }
        ydoc_buf_append(sv, in.bytes.p, in.bytes.len);
    }
    input_fini(&in);
    return status;
}

int command_diff(struct command_line *c)
{
    struct ydoc_error err = {0};
    struct ydoc_buf sv, out;
    int status;

    if ((c->n_inputs == 2) == (c->sv != NULL)) {
        command_complain("diff wants NEW and either OLD or --sv FILE");
        return COMMAND_USAGE;
    }
    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&out, NULL);
    status = convert_input(c, &c->inputs[0], command_format(c));
    if (status == COMMAND_OK)
        status = read_sv(c, &sv);
    if (status == COMMAND_OK)
        status = library_status(c, &c->inputs[0],
                                format_diff(&c->inputs[0], ydoc_buf_slice(&sv), &out, &err), &err);
    ydoc_buf_fini(&sv);
    return finish(c, status, &out);
}

int command_convert(struct command_line *c)
{
    int status;

    if (c->to == FORMAT_DETECT) {
        command_complain("convert wants --to v1 or --to v2");
        return COMMAND_USAGE;
    }
    status = convert_input(c, &c->inputs[0], c->to);
    return status == COMMAND_OK ? command_write(c, &c->inputs[0].bytes) : status;
}

int command_sv(struct command_line *c)
{
    struct ydoc_error err = {0};
    struct ydoc_buf out;
    int status;

    ydoc_buf_init(&out, NULL);
    status = library_status(c, &c->inputs[0], format_state_vector(&c->inputs[0], &out, &err), &err);
    return finish(c, status, &out);
}
