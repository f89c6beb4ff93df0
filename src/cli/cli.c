#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"

#define SECRET_BYTES_MAX 4096
#define PATH_BYTES_MAX 1024

static const struct command {
    const char *name, *usage, *help;
    int (*run)(int argc, char **argv, const struct cli_host *host);
} commands[] = {
    {"serve", "[--listen ADDRESS] [--data DIR] [settings]", "serve documents to people", cli_serve},
    {"doctor", "[settings]", "check what a server with these settings would meet", cli_doctor},
    {"config", "[settings]", "show the settings in effect, and where each comes from", cli_config},
    {"token",
     "[--secret SECRET] [--user NAME] [--rooms LIST] [--access read|write] [--expires TIME]",
     "make a JSON web token", cli_token},
    {"list", "[--data DIR] [PREFIX]", "list the documents", cli_list},
    {"export", "[--data DIR] NAME [--format text|json|update|log] [--root TYPE] [--output FILE]",
     "write a document, or its history", cli_export},
    {"import", "[--data DIR] FILE.sqlite [--replace]",
     "take the documents of a Hocuspocus database", cli_import},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_overview(FILE *to)
{
    fputs("Skein " SKEIN_VERSION ": the real-time server of a collaborative platform.\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  skein %-8s %s\n", commands[i].name, commands[i].help);
    fputs("  skein version  print the version\n"
          "  skein help     this page; help COMMAND, help config and help limits say more\n",
          to);
}

static int help(int argc, char **argv)
{
    if (argc == 0) {
        print_overview(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[0], "config") == 0)
        cli_print_config_help();
    else if (strcmp(argv[0], "limits") == 0)
        cli_print_limits();
    else if (find_command(argv[0]) != NULL)
        cli_print_usage(argv[0]);
    else {
        fprintf(stderr, "skein: no help on \"%.40s\"\n", argv[0]);
        return CLI_USAGE;
    }
    return CLI_OK;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int cli_run(int argc, char **argv, const struct cli_host *host)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *c = find_command(name);

    if (c != NULL && !wants_help(argc - 2, argv + 2))
        return c->run(argc - 2, argv + 2, host);
    if (c != NULL)
        return help(1, &argv[1]);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        puts("skein " SKEIN_VERSION);
        return CLI_OK;
    }
    if (argc > 1)
        fprintf(stderr, "skein: unknown command \"%.40s\"\n\n", name);
    print_overview(stderr);
    return CLI_USAGE;
}

int cli_load(struct cli *c, const char *command, int argc, char **argv, const struct cli_host *host,
             const struct setting_group *own)
{
    struct err e;

    assert(config_count() <= CLI_SETTINGS_MAX);
    memset(c, 0, sizeof(*c));
    c->command = command;
    c->args = argv;
    c->groups[c->n_groups++] = config_group(&c->config, c->sources);
    if (own != NULL)
        c->groups[c->n_groups++] = *own;
    if (settings_load(c->groups, c->n_groups, argc, argv, host->envp, &c->n_args, &e) == 0)
        return CLI_OK;
    return cli_fail_usage(c, e.msg);
}

void cli_unload(struct cli *c)
{
    for (size_t i = 0; i < c->n_groups; i++)
        settings_fini(&c->groups[i]);
}

int cli_fail(const struct err *e)
{
    fprintf(stderr, "skein: %s\n", e->msg);
    return CLI_FAILED;
}

int cli_fail_usage(const struct cli *c, const char *words)
{
    const struct command *command = find_command(c->command);

    fprintf(stderr, "skein: %s\nusage: skein %s %s\n", words, command->name, command->usage);
    return CLI_USAGE;
}

int cli_read_secret(const struct config *c, char **secret, size_t *len, struct err *e)
{
    char text[SECRET_BYTES_MAX + 2];
    size_t n;
    FILE *f;

    *secret = NULL;
    *len = 0;
    if (c->jwt_secret != NULL) {
        *secret = mem_dup_str(mem_process(), c->jwt_secret);
        *len = strlen(*secret);
        return 0;
    }
    if (c->jwt_secret_file == NULL)
        return 0;
    f = fopen(c->jwt_secret_file, "re");
    if (f == NULL)
        return err_set(e, errno == ENOENT ? SK_ENOTFOUND : SK_EIO, "jwt-secret-file %s: %s",
                       c->jwt_secret_file, strerror(errno));
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = 0;
    if (n == 0 || n > SECRET_BYTES_MAX || strlen(text) != n)
        return err_set(e, SK_EINVAL, "jwt-secret-file %s: expected 1 to %d bytes of text",
                       c->jwt_secret_file, SECRET_BYTES_MAX);
    *secret = mem_dup_str(mem_process(), text);
    *len = n;
    explicit_bzero(text, sizeof(text));
    return 0;
}

void cli_free_secret(char *secret, size_t len)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, len);
    mem_free(mem_process(), secret, len + 1);
}

int cli_make_dir(const char *path, struct err *e)
{
    char part[PATH_BYTES_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return err_set(e, SK_EINVAL, "data: the path is empty or too long");
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return err_set(e, errno == EROFS ? SK_EROFS : SK_EIO, "%s: cannot be made: %s", part,
                           strerror(errno));
    }
    return 0;
}

/* --- help ------------------------------------------------------------------ */

/* The words of `text` in lines of at most `width`, each behind `indent` blanks. */
static void print_wrapped(const char *text, int indent, int width)
{
    while (*text != 0) {
        int n = (int)strlen(text);

        if (n > width) {
            for (n = width; n > 0 && text[n] != ' ';)
                n--;
            if (n == 0)
                n = width;
        }
        printf("%*s%.*s\n", indent, "", n, text);
        text += n + (text[n] == ' ');
    }
}

static void print_setting(const struct setting *s)
{
    struct buf b;

    buf_init(&b, mem_process(), 4096);
    buf_put_str(&b, "  --");
    settings_put_flag(&b, s);
    if (s->type == SETTING_SWITCH)
        buf_put_str(&b, "[=on|off]");
    else
        buf_printf(&b, " %s", s->choices);
    if (s->fallback[0] != 0)
        buf_printf(&b, "  (%s)", s->fallback);
    puts(buf_str(&b));
    buf_fini(&b);
    print_wrapped(s->help, 6, 84);
}

static void print_group(const struct setting_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        print_setting(&g->settings[i]);
}

void cli_print_config_help(void)
{
    struct config c = {0};
    struct setting_group g = config_group(&c, NULL);

    print_wrapped("Every setting is a flag, a variable of the environment and a line of the "
                  "configuration file: --message-max 1MB, SKEIN_MESSAGE_MAX=1MB, and `message-max "
                  "= 1MB` in the file that --config or SKEIN_CONFIG names. Flags win over the "
                  "environment, that over the file. Times are a number and ms, s, m, h or d; sizes "
                  "a number and B, KB, MB or GB; lists are separated by commas. Defaults are in "
                  "parentheses.",
                  0, 90);
    puts("");
    print_group(&g);
}

void cli_print_usage(const char *name)
{
    const struct command *c = find_command(name);

    printf("skein %s %s\n  %s\n\nSettings are those of `skein help config`", c->name, c->usage,
           c->help);
    puts(strcmp(name, "serve") == 0 ? "." : ", as far as they matter here.");
}

/* --- config ---------------------------------------------------------------- */

int cli_config(int argc, char **argv, const struct cli_host *host)
{
    struct cli c;
    struct buf b;
    struct err e;
    int rc = cli_load(&c, "config", argc, argv, host, NULL);

    buf_init(&b, mem_process(), 1 << 20);
    if (rc == CLI_OK && c.n_args > 0)
        rc = cli_fail_usage(&c, "no arguments are taken");
    for (size_t i = 0; rc == CLI_OK && i < c.groups[0].n; i++) {
        buf_reset(&b);
        settings_put_flag(&b, &c.groups[0].settings[i]);
        buf_put_str(&b, " = ");
        settings_put_value(&b, &c.groups[0], i);
        printf("%-48s # %s\n", buf_str(&b),
               settings_source_name((enum setting_source)c.sources[i]));
    }
    if (rc == CLI_OK && config_check(&c.config, &e) != 0)
        rc = cli_fail(&e);
    buf_fini(&b);
    cli_unload(&c);
    return rc;
}
