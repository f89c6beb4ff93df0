#ifndef SKEIN_CLI_CLI_H
#define SKEIN_CLI_CLI_H

/* cli - the commands of the binary.
 *
 * Each command is one file with one function, named in the table of cli.c. It
 * gets its words behind the command's name, reads them with cli_load(), and
 * returns the exit status: 0 done, 1 failed, 2 called wrongly. Results go to
 * standard output; everything else goes to standard error.
 *
 * Thread: the main one.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "net/asset.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_SETTINGS_MAX 128

/* What the program hands to its commands. */
struct cli_host {
    char *const *envp;
    const struct asset_table *assets; /* the page that serve shows */
};

/* A command's settings: the server's, and its own. */
struct cli {
    const char *command;
    struct config config;
    uint8_t sources[CLI_SETTINGS_MAX]; /* of config */
    struct setting_group groups[2];    /* the server's; the command's */
    size_t n_groups;
    char **args; /* what is no flag */
    int n_args;
};

/* The whole command line, argv[0] being the program. */
int cli_run(int argc, char **argv, const struct cli_host *host);

/* Reads the settings. `own` (n == 0: none) are flags of this command only. On
 * failure says what is wrong, and returns CLI_USAGE; call cli_unload() anyway. */
int cli_load(struct cli *c, const char *command, int argc, char **argv, const struct cli_host *host,
             const struct setting_group *own) SK_MUST_CHECK;
void cli_unload(struct cli *c);

/* "skein: words" on standard error; returns CLI_FAILED. */
int cli_fail(const struct err *e);
/* The same for a wrong call, with the usage; returns CLI_USAGE. */
int cli_fail_usage(const struct cli *c, const char *words);
void cli_print_usage(const char *command);

/* The secret of JSON web tokens from jwt-secret or jwt-secret-file; *secret is
 * NULL when there is none. Release it with cli_free_secret(). */
int cli_read_secret(const struct config *c, char **secret, size_t *len,
                    struct err *e) SK_MUST_CHECK;
void cli_free_secret(char *secret, size_t len);

/* Makes the directory and those above it, for this user only. */
int cli_make_dir(const char *path, struct err *e) SK_MUST_CHECK;

/* The commands; argv begins behind the command's name. */
int cli_serve(int argc, char **argv, const struct cli_host *host);
int cli_config(int argc, char **argv, const struct cli_host *host);
int cli_token(int argc, char **argv, const struct cli_host *host);
int cli_doctor(int argc, char **argv, const struct cli_host *host);
int cli_export(int argc, char **argv, const struct cli_host *host);
int cli_import(int argc, char **argv, const struct cli_host *host);
int cli_list(int argc, char **argv, const struct cli_host *host);

/* Pages of `skein help`. */
void cli_print_config_help(void);
void cli_print_limits(void);

#endif
