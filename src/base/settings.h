#ifndef SKEIN_BASE_SETTINGS_H
#define SKEIN_BASE_SETTINGS_H

/* settings - values that a person may give as a flag, in the environment or
 * in a file, described by tables.
 *
 * A table names each setting once; flag, variable and file key follow from
 * the name: message_max is --message-max, SKEIN_MESSAGE_MAX, and message-max
 * in the file. Flags win over the environment, that over the file, that over
 * the default. Whatever is unknown or out of range is refused, with the
 * setting that was probably meant.
 *
 * FLAGS: `--name value` or `--name=value`; a switch is also `--name` alone or
 * `--no-name`. `--` ends the flags. What is no flag is an argument.
 *
 * FILE: lines `name = value`; blank lines; comments from a # that begins the
 * line or follows a blank. A value in double quotes is taken as it is. Each
 * name at most once, at most SETTINGS_FILE_BYTES_MAX in all.
 *
 * VALUES: switches are on or off (true, false, yes, no, 1, 0). Times are a
 * number and ms, s, m, h or d. Sizes are a number and B, KB, MB or GB, in
 * steps of 1,024. Lists are separated by commas.
 *
 * Ownership: strings and lists of the values belong to whoever loaded them,
 * until settings_fini(). Threads: one at a time; the values may be read by all
 * once they are loaded.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SETTINGS_FILE_BYTES_MAX (64u << 10)
#define SETTINGS_LIST_MAX 256
#define SETTINGS_FOREVER UINT64_MAX /* of a time whose maximum this is; written `forever` */

enum setting_type {
    SETTING_STRING, /* char *, NULL when empty */
    SETTING_SECRET, /* the same, never shown */
    SETTING_SWITCH, /* bool */
    SETTING_NUMBER, /* uint64_t */
    SETTING_TIME,   /* uint64_t, milliseconds */
    SETTING_SIZE,   /* uint64_t, bytes */
    SETTING_CHOICE, /* int: the place in `choices` */
    SETTING_LIST,   /* struct setting_list */
};

struct setting_list {
    char **items;
    size_t n;
};

/* What a value's type is in a struct that a table generates. */
#define SETTING_FIELD_STRING char *
#define SETTING_FIELD_SECRET char *
#define SETTING_FIELD_SWITCH bool
#define SETTING_FIELD_NUMBER uint64_t
#define SETTING_FIELD_TIME uint64_t
#define SETTING_FIELD_SIZE uint64_t
#define SETTING_FIELD_CHOICE int
#define SETTING_FIELD_LIST struct setting_list

struct setting {
    const char *name; /* with underscores, as the field is called */
    enum setting_type type;
    size_t offset;        /* of the field */
    const char *fallback; /* the default, as it would be written */
    uint64_t min, max;    /* of a number, time (ms) or size (bytes) */
    const char *choices;  /* "off|broadcast"; also the name of the value in the help */
    const char *help;
};

enum setting_source { SETTING_BY_DEFAULT, SETTING_BY_FILE, SETTING_BY_ENV, SETTING_BY_FLAG };

/* One table with the struct that receives its values. */
struct setting_group {
    const struct setting *settings;
    size_t n;
    void *values;     /* zeroed by the caller */
    uint8_t *sources; /* n of enum setting_source; may be NULL */
    bool flags_only;  /* not in the environment or a file */
};

/* Fills the values with the defaults. */
void settings_init(const struct setting_group *g);
void settings_fini(const struct setting_group *g);

/* All of it: defaults, the file that the setting `config` names, environment,
 * flags. Arguments that are no flags are moved to the front of argv and counted
 * in *n_args. On failure the groups hold whatever was read by then; call
 * settings_fini() in either case. SK_EINVAL, SK_ENOTFOUND and SK_EIO (file). */
int settings_load(const struct setting_group *groups, size_t n, int argc, char **argv,
                  char *const *envp, int *n_args, struct err *e) SK_MUST_CHECK;

/* One step of the above each. `name` in messages is the file's. */
int settings_parse_file(const struct setting_group *groups, size_t n, const char *name,
                        const char *text, size_t len, struct err *e) SK_MUST_CHECK;
/* One value by name; hyphens and underscores are the same. */
int settings_set(const struct setting_group *groups, size_t n, const char *name, const char *value,
                 enum setting_source source, struct err *e) SK_MUST_CHECK;

/* Names of the environment that begin with SKEIN_ and are no setting, one call
 * each. What an orchestrator adds for a service called skein is left out. */
void settings_each_unknown_env(const struct setting_group *groups, size_t n, char *const *envp,
                               void (*call)(void *ctx, const char *name), void *ctx);

/* The value as it would be written; secrets as "(hidden)". */
void settings_put_value(struct buf *b, const struct setting_group *g, size_t i);
/* The name with hyphens, or upper case behind SKEIN_. */
void settings_put_flag(struct buf *b, const struct setting *s);
void settings_put_env(struct buf *b, const struct setting *s);
const char *settings_source_name(enum setting_source source);

#endif
