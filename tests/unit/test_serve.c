/* `skein serve` as a process: it says when it listens, obeys signals, ends with the status it
 * should, and leaves nothing allocated (the child's leak check is part of its status). */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define WAIT_MS 20000

static char *const no_env[] = {NULL};
static const struct asset_table no_page;
static const struct cli_host host = {.envp = no_env, .assets = &no_page};

struct server {
    char dir[64];
    pid_t pid;
    int log; /* its standard error */
    char text[1 << 16];
    size_t len;
    uint16_t port;
};

/* Starts the command line; @ in it stands for the test's directory. */
static void start(struct server *s, const char *line)
{
    char words[512], *argv[24] = {(char[]){"skein"}};
    int argc = 1, fds[2];
    size_t n = 0;

    for (; *line != 0; line++)
        n += (size_t)snprintf(words + n, sizeof(words) - n, *line == '@' ? "%s" : "%.1s",
                              *line == '@' ? s->dir : line);
    for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
        argv[argc++] = w;
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    fflush(NULL);
    s->len = 0;
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        exit(cli_run(argc, argv, &host));
    }
    close(fds[1]);
    s->log = fds[0];
}

/* Reads its output until `words` are in it; false at its end. */
static bool wait_words(struct server *s, const char *words)
{
    s->text[s->len] = 0;
    while (strstr(s->text, words) == NULL) {
        struct pollfd p = {.fd = s->log, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, WAIT_MS) != 1)
            test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", words, s->text);
        n = read(s->log, s->text + s->len, sizeof(s->text) - 1 - s->len);
        if (n <= 0)
            return false;
        s->len += (size_t)n;
        s->text[s->len] = 0;
    }
    return true;
}

static void wait_listening(struct server *s)
{
    const char *line;
    unsigned port;

    if (!wait_words(s, "\nlistening on ") || !wait_words(s, "127.0.0.1:"))
        test_fail(__FILE__, __LINE__, "it has ended: %s", s->text);
    line = strstr(s->text, "listening on http://127.0.0.1:");
    CHECK(line != NULL);
    while (strchr(line, '\n') == NULL)
        CHECK(wait_words(s, "\n"));
    CHECK_EQ(sscanf(line, "listening on http://127.0.0.1:%u", &port), 1);
    s->port = (uint16_t)port;
}

/* Its exit status, or minus the signal that ended it. */
static int wait_end(struct server *s)
{
    int status = 0;

    (void)wait_words(s, "\x01"); /* to the end of its output */
    CHECK_EQ(waitpid(s->pid, &status, 0), s->pid);
    close(s->log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int connect_to(const struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Sends a request and reads until `words` are in what comes back. */
static void ask(int fd, const char *request, const char *words)
{
    char answer[16384];
    size_t n = 0;

    CHECK_EQ(send(fd, request, strlen(request), MSG_NOSIGNAL), (long long)strlen(request));
    for (answer[0] = 0; strstr(answer, words) == NULL; answer[n] = 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got =
            poll(&p, 1, WAIT_MS) == 1 ? recv(fd, answer + n, sizeof(answer) - 1 - n, 0) : 0;

        if (got <= 0)
            test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", words, answer);
        n += (size_t)got;
    }
}

static void get(const struct server *s, const char *path, const char *words)
{
    char request[256];
    int fd = connect_to(s);

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    ask(fd, request, words);
    close(fd);
}

static void make_dir(struct server *s)
{
    snprintf(s->dir, sizeof(s->dir), "/tmp/skein-serve-XXXXXX");
    CHECK(mkdtemp(s->dir) != NULL);
}

static void remove_dir(const struct server *s)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", s->dir);
    CHECK_EQ(system(command), 0);
}

TEST(serve, answers_and_ends_with_0_on_sigterm)
{
    struct server s;

    make_dir(&s);
    start(&s, "serve --listen 127.0.0.1:0 --workers 2 --data @/a/b");
    wait_listening(&s);
    CHECK(strstr(s.text, "event=auth.open") != NULL);
    get(&s, "/healthz", "ok\n");
    get(&s, "/readyz", "ready\n");
    get(&s, "/metrics", "\nskein_store_degraded 0\n");
    get(&s, "/nothing", "404 ");
    kill(s.pid, SIGTERM);
    CHECK_EQ(wait_end(&s), 0);
    CHECK(strstr(s.text, "event=drain.done") != NULL);
    remove_dir(&s);
}

/* A server in its place is not disturbed by one that cannot start. */
TEST(serve, what_cannot_start_says_why)
{
    static const struct {
        const char *line, *words;
        int status;
    } rows[] = {
        {"serve --listen 0.0.0.0:0 --data @/b", "everybody could write", CLI_FAILED},
        {"serve --listen 127.0.0.1:0 --data @/a", "another server is using", CLI_FAILED},
        {"serve --listen 127.0.0.1:0 --data @/b --tokens @/none", "tokens file", CLI_FAILED},
        {"serve --listen 127.0.0.1:0 --data /proc/none", "cannot be made", CLI_FAILED},
        {"serve --listen 127.0.0.1:0 --data @/b --tls-cert @/x --tls-key @/x", "@", CLI_FAILED},
        {"serve --listen 127.0.0.1:0 --data @/b --ping soon", "ping: \"soon\"", CLI_USAGE},
    };
    struct server s, other;

    make_dir(&s);
    start(&s, "serve --listen 127.0.0.1:0 --data @/a");
    wait_listening(&s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].line);
        memcpy(other.dir, s.dir, sizeof(other.dir));
        start(&other, rows[i].line);
        CHECK_EQ(wait_end(&other), rows[i].status);
        CHECK(strstr(other.text, rows[i].words[0] == '@' ? s.dir : rows[i].words) != NULL);
        CHECK(strstr(other.text, "listening") == NULL);
    }
    get(&s, "/healthz", "ok\n");
    kill(s.pid, SIGINT);
    CHECK_EQ(wait_end(&s), 0);
    remove_dir(&s);
}

static void write_tokens(const struct server *s, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/tokens.json", s->dir);
    f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* SIGHUP reads the tokens again; a faulty file leaves the old ones in force. */
TEST(serve, sighup_reloads)
{
    struct server s;

    make_dir(&s);
    write_tokens(&s, "{\"a\":{\"access\":\"read\"}}");
    start(&s, "serve --listen 127.0.0.1:0 --data @/a --tokens @/tokens.json");
    wait_listening(&s);
    CHECK(strstr(s.text, "event=auth.open") == NULL);
    write_tokens(&s, "{");
    kill(s.pid, SIGHUP);
    CHECK(wait_words(&s, "event=reload.failed what=tokens"));
    write_tokens(&s, "{\"b\":{\"access\":\"read\"}}");
    kill(s.pid, SIGHUP);
    CHECK(wait_words(&s, "event=reload.done what=tokens"));
    kill(s.pid, SIGTERM);
    CHECK_EQ(wait_end(&s), 0);
    remove_dir(&s);
}

/* A WebSocket that does not answer the closing handshake holds the drain up; the second signal does
 * not wait for it. */
TEST(serve, second_signal_ends_at_once)
{
    struct server s;
    int fd;

    make_dir(&s);
    start(&s, "serve --listen 127.0.0.1:0 --data @/a --debug-echo --drain 10m");
    wait_listening(&s);
    fd = connect_to(&s);
    ask(fd,
        "GET /debug/echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "\r\n\r\n");
    kill(s.pid, SIGTERM);
    CHECK(wait_words(&s, "event=drain.begin signal=TERM"));
    kill(s.pid, SIGTERM);
    CHECK_EQ(wait_end(&s), 128 + SIGTERM);
    CHECK(strstr(s.text, "drain.done") == NULL);
    close(fd);
    remove_dir(&s);
}
