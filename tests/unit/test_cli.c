/* The commands, called in this process as main() calls them, with standard output and error going
 * to files. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <jansson.h>
#include <sqlite3.h>

#include "auth/auth.h"
#include "cli/cli_store.h"
#include "harness.h"

static char *const no_env[] = {NULL};
static const struct asset_table no_page;
static const struct cli_host host = {.envp = no_env, .assets = &no_page};

/* A document whose shared text "t" says "hi", as Yjs wrote it, and the same with "!" behind. */
static const uint8_t hi[] = {1, 1, 0xe9, 7, 0, 4, 1, 1, 't', 2, 'h', 'i', 0};
static const uint8_t bang[] = {1, 1, 0xd2, 0x0f, 0, 0x84, 0xe9, 7, 1, 1, '!', 0};

static struct {
    char dir[64];
    char out[1 << 16], err[1 << 16];
    size_t out_len;
} ran;

static size_t slurp(const char *name, char *to, size_t size)
{
    char path[128];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", ran.dir, name);
    f = fopen(path, "r");
    CHECK(f != NULL);
    n = fread(to, 1, size - 1, f);
    to[n] = 0;
    fclose(f);
    return n;
}

static int redirect(int fd, const char *name)
{
    char path[128];
    int saved = dup(fd), to;

    snprintf(path, sizeof(path), "%s/%s", ran.dir, name);
    to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(to >= 0 && saved >= 0);
    dup2(to, fd);
    close(to);
    return saved;
}

static void restore(int fd, int saved)
{
    dup2(saved, fd);
    close(saved);
}

/* Runs one command line; @ in it stands for the test's directory. */
static int run(const char *line)
{
    char words[1024], *argv[24] = {(char[]){"skein"}};
    int argc = 1, rc, out, err;
    size_t n = 0;

    for (; *line != 0; line++)
        n += (size_t)snprintf(words + n, sizeof(words) - n, *line == '@' ? "%s" : "%.1s",
                              *line == '@' ? ran.dir : line);
    for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
        argv[argc++] = w;
    fflush(NULL);
    out = redirect(STDOUT_FILENO, "out");
    err = redirect(STDERR_FILENO, "err");
    rc = cli_run(argc, argv, &host);
    fflush(NULL);
    restore(STDOUT_FILENO, out);
    restore(STDERR_FILENO, err);
    ran.out_len = slurp("out", ran.out, sizeof(ran.out));
    slurp("err", ran.err, sizeof(ran.err));
    return rc;
}

static void check_run(const char *line, int want)
{
    int rc = run(line);

    if (rc != want)
        test_fail(__FILE__, __LINE__, "%s: status %d, expected %d: %s", line, rc, want, ran.err);
}

static void make_dir(void)
{
    snprintf(ran.dir, sizeof(ran.dir), "/tmp/skein-cli-XXXXXX");
    CHECK(mkdtemp(ran.dir) != NULL);
}

static void remove_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", ran.dir);
    CHECK_EQ(system(command), 0);
}

struct row {
    const char *name;
    const void *data;
    size_t len;
};

/* A database as Hocuspocus' SQLite extension makes it. */
static void make_hocuspocus(const struct row *rows, size_t n)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    char path[128];

    snprintf(path, sizeof(path), "%s/hp.sqlite", ran.dir);
    unlink(path);
    CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db,
                          "CREATE TABLE documents (name varchar(255) NOT NULL, data blob NOT NULL,"
                          " UNIQUE(name))",
                          NULL, NULL, NULL),
             SQLITE_OK);
    CHECK_EQ(sqlite3_prepare_v2(db, "INSERT INTO documents VALUES(?1, ?2)", -1, &st, NULL),
             SQLITE_OK);
    for (size_t i = 0; i < n; i++) {
        sqlite3_bind_text(st, 1, rows[i].name, -1, SQLITE_STATIC);
        sqlite3_bind_blob(st, 2, rows[i].data, (int)rows[i].len, SQLITE_STATIC);
        CHECK_EQ(sqlite3_step(st), SQLITE_DONE);
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

TEST(cli, wrong_calls)
{
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"", "skein serve"},
        {"xyz", "unknown command \"xyz\""},
        {"help xyz", "no help on"},
        {"serve now", "no arguments"},
        {"serve --lisen x", "did you mean \"listen\"?"},
        {"export --data @", "name one document"},
        {"export --data @ a b", "name one document"},
        {"export --data @ a --format xml", "none of text|json|update|log"},
        {"import --data @", "name one SQLite file"},
        {"list a b", "one prefix"},
        {"token", "a secret is needed"},
        {"doctor x", "no arguments"},
    };

    make_dir();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].line);
        check_run(rows[i].line, CLI_USAGE);
        CHECK(strstr(ran.err, rows[i].words) != NULL);
    }
    remove_dir();
}

TEST(cli, help_is_made_from_the_tables)
{
    make_dir();
    check_run("help", CLI_OK);
    CHECK(strstr(ran.out, "doctor") != NULL);
    check_run("help config", CLI_OK);
    CHECK(strstr(ran.out, "--message-max SIZE  (16MB)") != NULL);
    check_run("help limits", CLI_OK);
    CHECK(strstr(ran.out, "name of a room") != NULL && strstr(ran.out, "message-max") != NULL);
    check_run("export --help", CLI_OK);
    CHECK(strstr(ran.out, "--format") != NULL);
    check_run("version", CLI_OK);
    CHECK_STR(ran.out, "skein " SKEIN_VERSION "\n");
    remove_dir();
}

TEST(cli, config_shows_sources_and_hides_secrets)
{
    make_dir();
    check_run("config --jwt-secret swordfish --ping 5s", CLI_OK);
    CHECK(strstr(ran.out, "swordfish") == NULL);
    CHECK(strstr(ran.out, "jwt-secret = (hidden)") != NULL);
    CHECK(strstr(ran.out, "ping = 5s") != NULL);
    check_run("config --listen 0.0.0.0:80", CLI_FAILED);
    CHECK(strstr(ran.err, "everybody could write") != NULL);
    remove_dir();
}

/* A token that the command makes opens what it says, and nothing else. */
TEST(cli, token)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    struct auth_options o = {.jwt_secret = secret, .jwt_secret_len = sizeof(secret) - 1};
    struct auth_ticket ticket;
    struct auth *a;
    struct err e;

    make_dir();
    check_run("token --secret 0123456789abcdef0123456789abcdef --user ann --rooms docs-*,x "
              "--access read --expires 10m",
              CLI_OK);
    CHECK_EQ(auth_new(&a, &o, NULL), 0);
    CHECK_EQ(auth_check(a, ran.out, ran.out_len - 1, "docs-1", 6, &ticket, &e), 0);
    CHECK_EQ(ticket.access, AUTH_READ);
    CHECK_STR(ticket.user, "ann");
    CHECK(ticket.expires_s > 0);
    CHECK_EQ(auth_check(a, ran.out, ran.out_len - 1, "y", 1, &ticket, &e), SK_EDENIED);
    auth_free(a);
    remove_dir();
}

/* What is imported is what is exported; what is no document is refused by name; what exists is left
 * alone unless it is told otherwise. */
TEST(cli, import_and_export)
{
    const struct row rows[] = {
        {"plan", hi, sizeof(hi)},
        {"bad", hi, sizeof(hi) - 2},
        {"b\na\x1b[d", hi, sizeof(hi)},
        {"empty", "\0\0", 2},
    };
    const struct row again[] = {{"plan", "\0\0", 2}, {"new", hi, sizeof(hi)}};

    make_dir();
    make_hocuspocus(rows, ARRAY_LEN(rows));
    check_run("import --data @/data @/hp.sqlite", CLI_FAILED);
    CHECK_STR(ran.out, "4 documents: 2 imported, 0 skipped, 2 refused\n");
    CHECK(strstr(ran.err, "refused bad: ") != NULL);
    CHECK(strstr(ran.err, "refused b?a?[d: ") != NULL);

    check_run("export --data @/data plan", CLI_OK);
    CHECK_STR(ran.out, "hi");
    check_run("export --data @/data plan --root t", CLI_OK);
    CHECK_STR(ran.out, "hi");
    check_run("export --data @/data plan --root u", CLI_FAILED);
    CHECK(strstr(ran.err, "it has: t") != NULL);
    check_run("export --data @/data plan --format json", CLI_OK);
    CHECK_STR(ran.out, "{\"t\":\"hi\"}\n");
    check_run("export --data @/data plan --format update", CLI_OK);
    CHECK_MEM(ran.out, ran.out_len, hi, sizeof(hi));
    check_run("export --data @/data plan --format log", CLI_OK);
    CHECK(strstr(ran.out, "{\"seq\":1,\"time\":\"20") == ran.out);
    CHECK(strstr(ran.out, "\"update\":\"AQHpBwAEAQF0AmhpAA==\"}\n") != NULL);
    check_run("export --data @/data empty", CLI_OK);
    CHECK_STR(ran.out, "");
    check_run("export --data @/data none", CLI_FAILED);
    CHECK(strstr(ran.err, "there is no document \"none\"") != NULL);
    check_run("export --data @/nowhere plan", CLI_FAILED);
    CHECK(strstr(ran.err, "no documents are stored here") != NULL);

    make_hocuspocus(again, ARRAY_LEN(again));
    check_run("import --data @/data @/hp.sqlite", CLI_OK);
    CHECK_STR(ran.out, "2 documents: 1 imported, 1 skipped, 0 refused\n");
    CHECK(strstr(ran.err, "skipped plan: it exists already") != NULL);
    check_run("export --data @/data plan", CLI_OK);
    CHECK_STR(ran.out, "hi");
    check_run("import --data @/data @/hp.sqlite --replace", CLI_OK);
    CHECK_STR(ran.out, "2 documents: 2 imported, 0 skipped, 0 refused\n");
    check_run("export --data @/data plan", CLI_OK);
    CHECK_STR(ran.out, "");

    check_run("list --data @/data", CLI_OK);
    CHECK(strstr(ran.out, "Z  plan\n") != NULL && strstr(ran.out, "Z  new\n") != NULL);
    check_run("list --data @/data pl", CLI_OK);
    CHECK(strstr(ran.out, "Z  plan\n") != NULL && strstr(ran.out, "new") == NULL);
    check_run("import --data @/data @/out", CLI_FAILED);
    remove_dir();
}

/* More documents than a batch, none of which is lost. */
TEST(cli, import_of_many)
{
    static char names[300][16];
    static struct row rows[300];
    size_t lines = 0;

    make_dir();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(names[i], sizeof(names[i]), "doc %zu", i);
        rows[i] = (struct row){names[i], hi, sizeof(hi)};
    }
    make_hocuspocus(rows, ARRAY_LEN(rows));
    check_run("import --data @/data @/hp.sqlite", CLI_OK);
    CHECK_STR(ran.out, "300 documents: 300 imported, 0 skipped, 0 refused\n");
    check_run("list --data @/data", CLI_OK);
    for (const char *p = ran.out; *p != 0; p++)
        lines += *p == '\n';
    CHECK_EQ(lines, 300);
    remove_dir();
}

/* While a server has the store open, its documents can be read, as of the last commit, and a second
 * writer is refused. */
TEST(cli, reading_beside_a_server)
{
    const struct row rows[] = {{"plan", hi, sizeof(hi)}};
    struct store_append a = {.first_seq = 2, .count = 1};
    struct store_record record = {.kind = 0, .time_ms = 1};
    struct config c = {0};
    struct store_load l;
    struct store_waiter w;
    struct store *s;
    struct err e;
    char data[128];

    make_dir();
    make_hocuspocus(rows, 1);
    check_run("import --data @/data @/hp.sqlite", CLI_OK);
    snprintf(data, sizeof(data), "%s/data", ran.dir);
    c.data = data;
    c.history = SETTINGS_FOREVER;
    CHECK_EQ(cli_store_open(&s, &c, true, &e), 0);
    CHECK_EQ(cli_store_load(s, "plan", false, &l, &e), 0);
    record.bytes = rbuf_dup(mem_process(), bang, sizeof(bang));
    a.room = l.room;
    a.records = &record;
    store_waiter_init(&w, &a.op);
    CHECK_EQ(store_append(s, &a), 0);
    CHECK_EQ(store_waiter_wait(&w), 0);

    check_run("export --data @/data plan", CLI_OK);
    CHECK_STR(ran.out, "hi!");
    check_run("list --data @/data", CLI_OK);
    CHECK(strstr(ran.out, "         2  ") == ran.out);
    check_run("import --data @/data @/hp.sqlite", CLI_FAILED);
    CHECK(strstr(ran.err, "another server") != NULL);
    store_load_fini(&l);
    rbuf_unref(record.bytes);
    store_close(s);
    remove_dir();
}

TEST(cli, doctor)
{
    make_dir();
    check_run("doctor --listen 127.0.0.1:0 --data @/data", CLI_OK);
    CHECK(strstr(ran.out, "ok    data ") != NULL && strstr(ran.out, "0 failed") != NULL);
    check_run("doctor --listen 127.0.0.1:0 --data /proc/none", CLI_FAILED);
    CHECK(strstr(ran.out, "fail  data ") != NULL);
    check_run("doctor --listen 127.0.0.1:0 --data @/data --tokens @/none --jwt-secret short",
              CLI_FAILED);
    CHECK(strstr(ran.out, "fail  tokens ") != NULL && strstr(ran.out, "warn  secret ") != NULL);
    check_run("doctor --listen 127.0.0.1:0 --data @/data --tls-cert @/out --tls-key @/out",
              CLI_FAILED);
    CHECK(strstr(ran.out, "fail  tls ") != NULL);
    remove_dir();
}
