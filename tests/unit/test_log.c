#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>

#include "harness.h"

/* What the log wrote to a pipe since the last call; without the time, which differs each run. */
static const char *take_output(int fd, char *out, size_t size)
{
    ssize_t n = read(fd, out, size - 1);

    CHECK(n >= 0);
    out[n] = 0;
    return out;
}

static void open_log(int fds[2], enum log_format format)
{
    CHECK_EQ(pipe(fds), 0);
    log_set_fd(fds[1]);
    log_set_format(format);
    log_set_level(LOG_INFO);
}

static void close_log(int fds[2])
{
    log_set_fd(STDERR_FILENO);
    log_set_format(LOG_LOGFMT);
    close(fds[0]);
    close(fds[1]);
}

/* Each row is one string from a stranger, as both formats must show it. */
static const struct {
    const char *name, *value, *logfmt, *json;
    size_t len;
} string_rows[] = {
    {"plain", "a/b", "room=a/b", "\"room\":\"a/b\"", 3},
    {"empty", "", "room=\"\"", "\"room\":\"\"", 0},
    {"space", "a b", "room=\"a b\"", "\"room\":\"a b\"", 3},
    {"equals", "a=b", "room=\"a=b\"", "\"room\":\"a=b\"", 3},
    {"newline", "a\nlevel=error", "room=\"a\\nlevel=error\"", "\"room\":\"a\\nlevel=error\"", 13},
    {"quote", "a\"b", "room=\"a\\\"b\"", "\"room\":\"a\\\"b\"", 3},
    {"backslash", "a\\", "room=\"a\\\\\"", "\"room\":\"a\\\\\"", 2},
    {"zero byte", "a\0b", "room=\"a\\x00b\"", "\"room\":\"a\\u0000b\"", 3},
    {"escape", "\x1b[2J", "room=\"\\x1b[2J\"", "\"room\":\"\\u001b[2J\"", 4},
    {"utf-8", "gr\xc3\xbc\xc3\x9f", "room=\"gr\xc3\xbc\xc3\x9f\"",
     "\"room\":\"gr\xc3\xbc\xc3\x9f\"", 6},
    {"cut utf-8", "gr\xc3", "room=\"gr\\xc3\"", "\"room\":\"gr\\u00c3\"", 3},
    {"overlong", "\xc0\xaf", "room=\"\\xc0\\xaf\"", "\"room\":\"\\u00c0\\u00af\"", 2},
    {"surrogate", "\xed\xa0\x80", "room=\"\\xed\\xa0\\x80\"", "\"room\":\"\\u00ed\\u00a0\\u0080\"",
     3},
    {"line separator", "\xe2\x80\xa8", "room=\"\\xe2\\x80\\xa8\"",
     "\"room\":\"\\u00e2\\u0080\\u00a8\"", 3},
};

TEST(log, strings_of_strangers_are_escaped)
{
    char out[8192];
    int fds[2];

    for (size_t i = 0; i < ARRAY_LEN(string_rows); i++) {
        uint8_t *copy = test_dup(string_rows[i].value, string_rows[i].len);

        TEST_CASE(string_rows[i].name);
        for (int json = 0; json < 2; json++) {
            json_t *parsed;

            open_log(fds, json ? LOG_JSON : LOG_LOGFMT);
            log_info("x.y", "room=%.*s n=%d", (int)string_rows[i].len, (const char *)copy, 7);
            take_output(fds[0], out, sizeof(out));
            CHECK(strstr(out, json ? string_rows[i].json : string_rows[i].logfmt) != NULL);
            CHECK(strchr(out, '\n') == out + strlen(out) - 1);
            if (json) {
                parsed = json_loads(out, JSON_ALLOW_NUL, NULL);
                CHECK(parsed != NULL);
                CHECK_EQ(json_integer_value(json_object_get(parsed, "n")), 7);
                json_decref(parsed);
            }
            close_log(fds);
        }
        test_free(copy);
    }
}

TEST(log, conversions)
{
    const char *volatile none = NULL;
    char out[8192];
    int fds[2];

    open_log(fds, LOG_LOGFMT);
    log_warn("a.b", "i=%d u=%u l=%ld ll=%llu z=%zu x=%x f=%.2f w=fixed n=%s", -1, 2u, -3L, 4ull,
             (size_t)5, 255u, 0.5, none);
    take_output(fds[0], out, sizeof(out));
    CHECK(strstr(out, " level=warn event=a.b i=-1 u=2 l=-3 ll=4 z=5 x=ff f=0.50 w=fixed n=-\n") !=
          NULL);
    log_info("c.d", LOG_NO_FIELDS);
    take_output(fds[0], out, sizeof(out));
    CHECK(strstr(out, " level=info event=c.d\n") != NULL);
    log_debug("not.shown", "i=%d", 1);
    log_set_level(LOG_DEBUG);
    log_debug("shown", "i=%d", 2);
    take_output(fds[0], out, sizeof(out));
    CHECK(strstr(out, "not.shown") == NULL && strstr(out, "event=shown i=2\n") != NULL);
    close_log(fds);
}

/* A value of any length ends in one line that still parses. */
TEST(log, long_values_are_cut)
{
    static char value[20000];
    char out[8192];
    int fds[2];
    json_t *parsed;

    memset(value, '"', sizeof(value) - 1);
    open_log(fds, LOG_JSON);
    log_info("x", "a=%s b=%s", value, value);
    take_output(fds[0], out, sizeof(out));
    parsed = json_loads(out, 0, NULL);
    CHECK(parsed != NULL);
    CHECK_EQ(json_string_length(json_object_get(parsed, "a")), LOG_VALUE_MAX + 3);
    json_decref(parsed);
    memset(value, 1, sizeof(value) - 1);
    log_info("x", "a=%s b=%s c=%s", value, value, value);
    take_output(fds[0], out, sizeof(out));
    parsed = json_loads(out, 0, NULL);
    CHECK_EQ(json_string_length(json_object_get(parsed, "a")), LOG_VALUE_MAX + 3);
    CHECK(json_object_get(parsed, "c") == NULL);
    json_decref(parsed);
    close_log(fds);
}

static size_t count_lines(const char *s)
{
    size_t n = 0;

    for (; *s != 0; s++)
        n += *s == '\n';
    return n;
}

/* However often a peer errs, an event gets its allowance of lines a second. */
TEST(log, peers_cannot_flood)
{
    static char out[65536];
    int fds[2];

    open_log(fds, LOG_LOGFMT);
    for (int i = 0; i < 1000; i++)
        log_peer("peer.bad", "peer=%s", "192.0.2.1");
    take_output(fds[0], out, sizeof(out));
    /* twice the allowance when the second changed in between */
    CHECK(count_lines(out) >= LOG_PEER_PER_SECOND);
    CHECK(count_lines(out) <= 2 * LOG_PEER_PER_SECOND);
    close_log(fds);
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < 50; i++)
        log_info("thread", "name=%s i=%d", (const char *)arg, i);
    return NULL;
}

/* Lines of several threads never mix. */
TEST(log, threads_write_whole_lines)
{
    static char out[65536];
    pthread_t a, b;
    int fds[2];
    size_t n = 0;

    open_log(fds, LOG_LOGFMT);
    CHECK_EQ(pthread_create(&a, NULL, write_lines, (char[]){"aaaaaaaaaaaaaaaaaaaaaaaa"}), 0);
    CHECK_EQ(pthread_create(&b, NULL, write_lines, (char[]){"bbbbbbbbbbbbbbbbbbbbbbbb"}), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    take_output(fds[0], out, sizeof(out));
    for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"), n++)
        CHECK(strncmp(line, "time=", 5) == 0 && strstr(line + 5, "time=") == NULL);
    CHECK_EQ(n, 100);
    close_log(fds);
}
