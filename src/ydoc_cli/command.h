#ifndef SKEIN_YDOC_CLI_COMMAND_H
#define SKEIN_YDOC_CLI_COMMAND_H

/* command - the command `ydoc`: updates and documents in files, in a shell.
 *
 * Each command reads all of its files, works in memory, and writes its result
 * only when it is complete; a file may therefore be input and output at once.
 * Limits are the library's defaults (ydoc.h). One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ydoc.h>

enum command_status {
    COMMAND_OK = 0,
    COMMAND_REFUSED = 1, /* an input is broken, or does not hold what was asked for */
    COMMAND_USAGE = 2,   /* the command line makes no sense */
    COMMAND_SYSTEM = 3,  /* a file could not be read or written, or memory ran out */
};

enum update_format { FORMAT_DETECT = 0, FORMAT_V1 = 1, FORMAT_V2 = 2 };

struct input {
    const char *name;
    enum update_format format; /* never FORMAT_DETECT once it is read */
    struct ydoc_buf bytes;
};

/* A parsed command line. The strings belong to argv. */
struct command_line {
    const char *command;
    enum update_format from, to; /* to: FORMAT_DETECT is "as the first input" */
    const char *output;          /* NULL: standard output */
    const char *root, *sv;       /* NULL: not given */
    enum ydoc_kind kind;         /* YDOC_KIND_UNKNOWN: not given */
    bool full, no_gc;
    struct input *inputs;
    size_t n_inputs;
};

/* The process's exit status, enum command_status. */
int command_run(int argc, char **argv);

/* ---- for the commands ------------------------------------------------------ */

int command_apply(struct command_line *c);
int command_merge(struct command_line *c);
int command_diff(struct command_line *c);
int command_convert(struct command_line *c);
int command_sv(struct command_line *c);
int command_dump(struct command_line *c);
int command_text(struct command_line *c);
int command_json(struct command_line *c);
int command_stat(struct command_line *c);
int command_oracle(void);

/* Says "ydoc: " and the words on standard error. */
void command_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Complains about an input that the library has refused, and returns the exit
 * status for it. */
int command_refused(const struct command_line *c, const struct input *in, int code,
                    const struct ydoc_error *err);

/* All bytes of the file in->name ("-": standard input); detects the format. */
int input_read(struct input *in, enum update_format format);
/* As above, without looking at what is in it. */
int input_read_raw(struct input *in);
void input_fini(struct input *in);

/* Writes a result to c->output or to standard output. */
int command_write(const struct command_line *c, const struct ydoc_buf *result);

/* A new document with all inputs applied in order; *doc is NULL on failure. */
int command_load(const struct command_line *c, struct ydoc **doc);

/* The format that results are to have. */
enum update_format command_format(const struct command_line *c);

#endif
