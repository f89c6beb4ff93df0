#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

static char *const no_env[] = {NULL};

struct loaded {
    struct config c;
    uint8_t sources[128];
    struct setting_group group;
    int n_args;
    char *argv[16];
    struct err e;
    int rc;
};

/* Loads from a space-separated command line. */
static void load(struct loaded *l, const char *line, char *const *envp)
{
    static char words[1024];
    int argc = 0;

    memset(l, 0, sizeof(*l));
    CHECK(config_count() <= sizeof(l->sources));
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
        l->argv[argc++] = w;
    l->group = config_group(&l->c, l->sources);
    l->rc = settings_load(&l->group, 1, argc, l->argv, envp, &l->n_args, &l->e);
}

static void unload(struct loaded *l)
{
    settings_fini(&l->group);
}

static size_t index_of(const char *name)
{
    struct config c = {0};
    struct setting_group g = config_group(&c, NULL);

    for (size_t i = 0; i < g.n; i++) {
        if (strcmp(g.settings[i].name, name) == 0)
            return i;
    }
    return g.n;
}

/* Every default passes its own check, and is what the table shows. */
TEST(config, defaults)
{
    struct loaded l;

    load(&l, "", no_env);
    CHECK_EQ(l.rc, 0);
    CHECK_STR(l.c.listen, "127.0.0.1:8787");
    CHECK_EQ(l.c.message_max, 16 << 20);
    CHECK_EQ(l.c.history, INT64_C(30) * 86400000);
    CHECK_EQ(l.c.ping, 30000);
    CHECK_EQ(l.c.ws_compress, false);
    CHECK(l.c.tokens == NULL);
    CHECK_EQ(l.c.origins.n, 0);
    CHECK(config_workers(&l.c) >= 1);
    CHECK_EQ(config_history_days(&l.c), 30);
    CHECK_EQ(config_check(&l.c, NULL), 0);
    unload(&l);
}

/* Rows of flags: either the value as it is shown again, or words of the refusal. */
static const struct {
    const char *line, *name, *shown, *words;
} flag_rows[] = {
    {"--listen 0.0.0.0:1", "listen", "0.0.0.0:1", NULL},
    {"--listen=0.0.0.0:1", "listen", "0.0.0.0:1", NULL},
    {"--message-max 64KB", "message_max", "64KB", NULL},
    {"--message_max 64kb", "message_max", "64KB", NULL},
    {"--message-max 65536", "message_max", "64KB", NULL},
    {"--message-max 1023", "message_max", NULL, "message-max: \"1023\" is not a size"},
    {"--message-max 65MB", "message_max", NULL, "1KB to 64MB"},
    {"--message-max 99999999999999999999", "message_max", NULL, "not a size"},
    {"--message-max 17179869184GB", "message_max", NULL, "not a size"},
    {"--message-max", "message_max", NULL, "--message-max needs a value"},
    {"--message-max=", "message_max", NULL, "not a size"},
    {"--ping 500", "ping", NULL, "such as 500ms"},
    {"--ping 1s", "ping", "1s", NULL},
    {"--ping 90s", "ping", "90s", NULL},
    {"--ping 120s", "ping", "2m", NULL},
    {"--history forever", "history", "forever", NULL},
    {"--ping forever", "ping", NULL, "not a time"},
    {"--history 1d", "history", "1d", NULL},
    {"--history 1h", "history", NULL, "not a time"},
    {"--drain 0", "drain", "0ms", NULL},
    {"--debug-echo", "debug_echo", "on", NULL},
    {"--debug-echo=off", "debug_echo", "off", NULL},
    {"--debug-echo on --no-debug-echo", "debug_echo", "off", NULL},
    {"--debug-echo=maybe", "debug_echo", NULL, "neither on nor off"},
    {"--stateless broadcast", "stateless", "broadcast", NULL},
    {"--stateless broad", "stateless", NULL, "none of off|broadcast"},
    {"--stateless=", "stateless", NULL, "none of"},
    {"--origins https://a,,https://b,", "origins", "https://a,https://b", NULL},
    {"--jwt-secret abc", "jwt_secret", "(hidden)", NULL},
    {"--lisen x", "listen", NULL, "did you mean \"listen\"?"},
    {"--datas x", "data", NULL, "did you mean \"data\"?"},
    {"--no-listen", "listen", NULL, "unknown setting \"no-listen\""},
    {"--xyzzyxyzzy 1", "data", NULL, "see skein help config"},
    {"--workers 65", "workers", NULL, "0 to 64"},
    {"--workers -1", "workers", NULL, "not a number"},
    {"--config /nonexistent/skein.conf", "config", NULL, "No such file"},
};

TEST(config, flags)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_rows); i++) {
        struct loaded l;
        struct buf b;

        TEST_CASE(flag_rows[i].line);
        load(&l, flag_rows[i].line, no_env);
        if (flag_rows[i].words != NULL) {
            CHECK(l.rc < 0);
            if (strstr(l.e.msg, flag_rows[i].words) == NULL)
                CHECK_STR(l.e.msg, flag_rows[i].words);
        } else {
            CHECK_STR(l.rc == 0 ? "" : l.e.msg, "");
            buf_init(&b, mem_process(), 4096);
            settings_put_value(&b, &l.group, index_of(flag_rows[i].name));
            CHECK_STR(buf_str(&b), flag_rows[i].shown);
            CHECK_EQ(l.sources[index_of(flag_rows[i].name)], SETTING_BY_FLAG);
            buf_fini(&b);
        }
        unload(&l);
    }
}

TEST(config, arguments_are_kept_in_order)
{
    struct loaded l;

    load(&l, "one --data d two --debug-echo three -- --four", no_env);
    CHECK_EQ(l.rc, 0);
    CHECK_EQ(l.n_args, 4);
    CHECK_STR(l.argv[0], "one");
    CHECK_STR(l.argv[1], "two");
    CHECK_STR(l.argv[2], "three");
    CHECK_STR(l.argv[3], "--four");
    unload(&l);
}

static char *write_file(const char *text)
{
    static char path[] = "/tmp/skein-test-XXXXXX";
    int fd;

    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), (long long)strlen(text));
    close(fd);
    return path;
}

/* A flag wins over the environment, that over the file, that over the default. */
TEST(config, precedence)
{
    char *path = write_file("data = file\nlisten = file:1\nlog-level = warn\n# end\n");
    char config[64];
    char *const env[] = {config, (char[]){"SKEIN_DATA=env"}, (char[]){"SKEIN_LISTEN=env:1"}, NULL};
    struct loaded l;

    snprintf(config, sizeof(config), "SKEIN_CONFIG=%s", path);
    load(&l, "--data flag", env);
    unlink(path);
    CHECK_STR(l.rc == 0 ? "" : l.e.msg, "");
    CHECK_STR(l.c.data, "flag");
    CHECK_STR(l.c.listen, "env:1");
    CHECK_EQ(l.c.log_level, 1);
    CHECK_EQ(l.c.ping, 30000);
    CHECK_EQ(l.sources[index_of("listen")], SETTING_BY_ENV);
    CHECK_EQ(l.sources[index_of("log_level")], SETTING_BY_FILE);
    CHECK_EQ(l.sources[index_of("ping")], SETTING_BY_DEFAULT);
    unload(&l);
}

static const struct {
    const char *name, *text, *data, *words;
} file_rows[] = {
    {"plain", "data = x", "x", NULL},
    {"blanks, crlf", "\t data=x \r\n\r\n", "x", NULL},
    {"comment behind", "data = x # y", "x", NULL},
    {"hash inside", "data = x#y", "x#y", NULL},
    {"quoted", "data = \" x # y \"", " x # y ", NULL},
    {"equals inside", "data = a=b", "a=b", NULL},
    {"empty value", "tokens =\ndata = x", "x", NULL},
    {"no equals", "data x", NULL, "f:1: expected"},
    {"twice", "data = x\n\ndata = y", NULL, "f:3: data is given twice"},
    {"unknown", "# a\ndatum = x", NULL, "f:2: unknown setting \"datum\"; did you mean \"data\"?"},
    {"no name", " = x", NULL, "unknown setting"},
    {"bad value", "ping = x", NULL, "f:1: ping: \"x\" is not a time"},
};

TEST(config, files)
{
    for (size_t i = 0; i < ARRAY_LEN(file_rows); i++) {
        struct config c = {0};
        struct setting_group g = config_group(&c, NULL);
        struct err e = {0, ""};
        size_t len = strlen(file_rows[i].text);
        uint8_t *copy = test_dup(file_rows[i].text, len);
        int rc;

        TEST_CASE(file_rows[i].name);
        settings_init(&g);
        rc = settings_parse_file(&g, 1, "f", (char *)copy, len, &e);
        if (file_rows[i].words == NULL) {
            CHECK_STR(e.msg, "");
            CHECK_STR(c.data, file_rows[i].data);
        } else {
            CHECK_EQ(rc, SK_EINVAL);
            if (strstr(e.msg, file_rows[i].words) == NULL)
                CHECK_STR(e.msg, file_rows[i].words);
        }
        settings_fini(&g);
        test_free(copy);
    }
}

/* A file cut anywhere is accepted or refused, and nothing is read past the cut. */
TEST(config, every_truncation_of_a_file)
{
    static const char text[] = "data = \"a b\" # c\n\norigins = https://a, https://b\nping=30s";

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct config c = {0};
        struct setting_group g = config_group(&c, NULL);
        uint8_t *copy = test_dup(text, cut);
        struct err e;

        settings_init(&g);
        (void)!settings_parse_file(&g, 1, "f", (char *)copy, cut, &e);
        settings_fini(&g);
        test_free(copy);
    }
}

static void count_unknown(void *ctx, const char *name)
{
    CHECK_STR(name, "SKEIN_LISTN");
    (*(int *)ctx)++;
}

TEST(config, unknown_environment_is_reported_but_orchestrators_are_not)
{
    char *const env[] = {(char[]){"SKEIN_LISTN=1"},
                         (char[]){"SKEIN_LISTEN=1"},
                         (char[]){"SKEIN_PORT=tcp://10.0.0.1:80"},
                         (char[]){"SKEIN_SERVICE_HOST=10.0.0.1"},
                         (char[]){"SKEIN"},
                         (char[]){"PATH=/bin"},
                         NULL};
    struct config c = {0};
    struct setting_group g = config_group(&c, NULL);
    int n = 0;

    settings_each_unknown_env(&g, 1, env, count_unknown, &n);
    CHECK_EQ(n, 1);
}

static const struct {
    const char *listen;
    bool loopback;
} loopback_rows[] = {
    {"127.0.0.1:1", true},    {"127.9.9.9:1", true},
    {"[::1]:1", true},        {"localhost:1", true},
    {"unix:/run/x", true},    {"0.0.0.0:1", false},
    {"[::]:1", false},        {":8787", false},
    {"10.0.0.1:1", false},    {"8787", false},
    {"127.0.0.1.x:1", false}, {"*:1", false},
    {"localhost.x:1", false}, {"", false},
};

TEST(config, loopback)
{
    for (size_t i = 0; i < ARRAY_LEN(loopback_rows); i++) {
        TEST_CASE(loopback_rows[i].listen);
        CHECK_EQ(config_is_loopback(loopback_rows[i].listen), loopback_rows[i].loopback);
    }
}

static const struct {
    const char *line, *words;
} check_rows[] = {
    {"--listen 0.0.0.0:1", "everybody could write"},
    {"--listen 8787", "is not ADDRESS:PORT"},
    {"--listen 0.0.0.0:1 --insecure-open", NULL},
    {"--listen 0.0.0.0:1 --tokens f", NULL},
    {"--tls-cert c", "one without the other"},
    {"--jwt-secret a --jwt-secret-file b", "only one"},
    {"--proxy-protocol", "trusted-proxies"},
    {"--proxy-protocol --trusted-proxies 10.0.0.0/8", NULL},
    {"--data=", "a directory"},
};

TEST(config, contradictions)
{
    for (size_t i = 0; i < ARRAY_LEN(check_rows); i++) {
        struct loaded l;
        struct err e = {0, ""};

        TEST_CASE(check_rows[i].line);
        load(&l, check_rows[i].line, no_env);
        CHECK_EQ(l.rc, 0);
        CHECK_EQ(config_check(&l.c, &e) == 0, check_rows[i].words == NULL);
        CHECK(check_rows[i].words == NULL || strstr(e.msg, check_rows[i].words) != NULL);
        unload(&l);
    }
}
