/* input - files in, results out. */
#include "ydoc_cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ydoc_cli/update_format.h"

#define INPUT_BYTES_MAX ((size_t)1 << 32)
#define READ_BYTES (1u << 16)

void command_complain(const char *fmt, ...)
{
    va_list args;

    fputs("ydoc: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static const char *shown_name(const struct input *in)
{
    return strcmp(in->name, "-") == 0 ? "standard input" : in->name;
}

static const char *advice(const struct input *in, int code, const char *command)
{
    if (code == YDOC_ELIMIT)
        return "split the update, or leave it out";
    if (in->bytes.len == 0)
        return "the file is empty: an update without changes is the two bytes 00 00";
    if (strcmp(command, "dump") == 0)
        return "if it is of the other format, say --v1 or --v2";
    return "`ydoc dump` shows it up to there; if it is of the other format, say --v1 or --v2";
}

int command_refused(const struct command_line *c, const struct input *in, int code,
                    const struct ydoc_error *err)
{
    const char *words = err->msg[0] != '\0' ? err->msg : ydoc_strerror(code);
    char offset[40] = "";

    if (code == YDOC_ENOMEM) {
        command_complain("%s: out of memory", shown_name(in));
        return COMMAND_SYSTEM;
    }
    if (strncmp(words, "byte ", 5) != 0)
        snprintf(offset, sizeof(offset), "byte %zu: ", err->offset);
    command_complain("%s: %s%s (read as v%d; %s)", shown_name(in), offset, words, (int)in->format,
                     advice(in, code, c->command));
    return COMMAND_REFUSED;
}

static int read_all(struct input *in, FILE *f)
{
    size_t n;

    do {
        if (!ydoc_buf_reserve(&in->bytes, READ_BYTES)) {
            command_complain("%s: out of memory", shown_name(in));
            return COMMAND_SYSTEM;
        }
        n = fread(in->bytes.p + in->bytes.len, 1, READ_BYTES, f);
        in->bytes.len += n;
    } while (n > 0 && in->bytes.len < INPUT_BYTES_MAX);
    if (ferror(f)) {
        command_complain("cannot read %s: %s", shown_name(in), strerror(errno));
        return COMMAND_SYSTEM;
    }
    if (n > 0) {
        command_complain("%s: longer than 4 GiB", shown_name(in));
        return COMMAND_REFUSED;
    }
    return COMMAND_OK;
}

int input_read_raw(struct input *in)
{
    bool is_stdin = strcmp(in->name, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(in->name, "rb");
    int status;

    ydoc_buf_init(&in->bytes, NULL);
    if (f == NULL) {
        command_complain("cannot open %s: %s", in->name, strerror(errno));
        return COMMAND_SYSTEM;
    }
    status = read_all(in, f);
    if (!is_stdin)
        fclose(f);
    return status;
}

int input_read(struct input *in, enum update_format format)
{
    int status = input_read_raw(in);

    in->format = format != FORMAT_DETECT ? format : format_detect(in->bytes.p, in->bytes.len);
    return status;
}

void input_fini(struct input *in)
{
    ydoc_buf_fini(&in->bytes);
}

static bool write_bytes(FILE *f, const struct ydoc_buf *result)
{
    bool ok = result->len == 0 || fwrite(result->p, 1, result->len, f) == result->len;

    return fflush(f) == 0 && ok;
}

static bool write_file(const char *name, const struct ydoc_buf *result)
{
    FILE *f = fopen(name, "wb");
    bool ok;

    if (f == NULL)
        return false;
    ok = write_bytes(f, result);
    return fclose(f) == 0 && ok;
}

int command_write(const struct command_line *c, const struct ydoc_buf *result)
{
    bool ok = c->output != NULL ? write_file(c->output, result) : write_bytes(stdout, result);

    if (ok)
        return COMMAND_OK;
    command_complain("cannot write %s: %s", c->output != NULL ? c->output : "standard output",
                     strerror(errno));
    return COMMAND_SYSTEM;
}

int command_load(const struct command_line *c, struct ydoc **doc)
{
    struct ydoc_options options = {.keep_deleted = c->no_gc};
    struct ydoc_error err = {0};

    if (ydoc_new(doc, &options) != 0) {
        command_complain("out of memory");
        return COMMAND_SYSTEM;
    }
    for (size_t i = 0; i < c->n_inputs; i++) {
        const struct input *in = &c->inputs[i];
        int rc = format_apply(*doc, in, &err);

        if (rc != 0) {
            ydoc_free(*doc);
            *doc = NULL;
            return command_refused(c, in, rc, &err);
        }
        ydoc_forget_changes(*doc);
    }
    return COMMAND_OK;
}

enum update_format command_format(const struct command_line *c)
{
    return c->to != FORMAT_DETECT ? c->to : c->inputs[0].format;
}
