#include "net/http_server.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "net_client.h"

static char answer[1 << 20];
static struct http_exchange *held; /* the one that /later keeps */
static struct loop_message release_message;

static const uint8_t page[] = "<!doctype html><p>0123456789";
static const uint8_t packed_page[] = "not really gzip";
static const struct asset assets[] = {
    {"/", "text/html; charset=utf-8", "\"e1\"", page, sizeof(page) - 1, packed_page,
     sizeof(packed_page) - 1, false},
    {"/a b.js", "text/javascript", "\"e2\"", page, sizeof(page) - 1, NULL, 0, true},
};
static const struct asset_table table = {assets, ARRAY_LEN(assets)};

static void respond_large(struct http_exchange *x)
{
    struct rbuf *body = rbuf_new(mem_process(), 8u << 20);

    memset(body->bytes, 'x', body->len);
    http_respond(x, 200, NULL, 0, body);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    const struct http_request *req = http_exchange_request(x);
    size_t n;
    const uint8_t *body = http_exchange_body(x, &n);
    char text[1200];

    (void)ctx;
    if (http_str_is(req->path, "/echo")) {
        snprintf(text, sizeof(text), "%.*s|%.*s|%s", (int)req->method_name.len, req->method_name.p,
                 (int)n, n > 0 ? (const char *)body : "", http_exchange_peer(x));
        http_respond_text(x, 200, text);
    } else if (http_str_is(req->path, "/later")) {
        held = x;
    } else if (http_str_is(req->path, "/large")) {
        respond_large(x);
    } else if (!http_respond_asset(x, &table)) {
        http_respond_text(x, 404, "{\"error\":\"not found\"}");
    }
}

static void start(void)
{
    struct http_server_options o = default_options();

    o.on_request = on_request;
    start_server(&o);
}

static const struct {
    const char *name, *request, *status, *part;
} rows[] = {
    {"get", "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK", "GET||127.0.0.1\n"},
    {"post", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 ",
     "POST|hello|"},
    {"chunked",
     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n",
     "HTTP/1.1 200 ", "POST|abcdefg|"},
    {"json", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 ",
     "Content-Type: application/json"},
    {"http/1.0", "GET /echo HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", "Connection: close"},
    {"http/1.0 keep-alive", "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 ",
     "Connection: keep-alive"},
    {"no host", "GET /echo HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Connection: close"},
    {"unknown method", "BREW /echo HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 ", "method"},
    {"body too long", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
     "HTTP/1.1 413 ", "Connection: close"},
    {"chunked body too long",
     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", "HTTP/1.1 413 ",
     "Connection: close"},
    {"smuggling",
     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 400 ", "Connection: close"},
    {"garbage", "\x16\x03\x01\x02garbage\r\n\r\n", "HTTP/1.1 400 ", "text/plain"},
    {"upgrade without need",
     "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
     "HTTP/1.1 200 ", "GET||"},
};

TEST(http, requests)
{
    start();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].name);
        ask(rows[i].request, answer, sizeof(answer));
        if (strncmp(answer, rows[i].status, strlen(rows[i].status)) != 0)
            CHECK_STR(answer, rows[i].status);
        CHECK(has(answer, rows[i].part));
        CHECK(has(answer, "Date: "));
    }
    stop_server();
}

/* A request that is cut anywhere leaves no answer of success and no connection. */
TEST(http, every_truncation)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    start();
    for (size_t cut = 0; cut < sizeof(request) - 1; cut++) {
        int fd = connect_client();

        send_bytes(fd, request, cut);
        shutdown(fd, SHUT_WR);
        read_to_end(fd, answer, sizeof(answer));
        CHECK(!has(answer, " 200 "));
        close(fd);
    }
    stop_server();
}

/* However it is cut into packets, a request is the same. */
TEST(http, byte_by_byte)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n3\r\nabc\r\n0\r\n\r\n"
                                  "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int fd, on = 1;

    start();
    fd = connect_client();
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        send_bytes(fd, request + i, 1);
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "POST|abc|"));
    CHECK(has(answer, "GET||"));
    close(fd);
    stop_server();
}

/* Pipelined requests are answered in order, also when more answers are due
 * than a socket takes and the client reads none of them meanwhile. */
TEST(http, pipelining)
{
    char request[128];
    char head[1024];
    int fd;

    start();
    fd = connect_client();
    for (unsigned i = 0; i < 500; i++) {
        snprintf(request, sizeof(request),
                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04u", i);
        send_text(fd, request);
    }
    for (unsigned i = 0; i < 500; i++) {
        char body[20], want[20];

        read_head(fd, head, sizeof(head));
        snprintf(want, sizeof(want), "POST|%04u|127.0.0.1", i);
        read_exactly(fd, body, strlen(want) + 1);
        body[strlen(want)] = 0;
        CHECK_STR(body, want);
    }
    close(fd);
    stop_server();
}

/* Answers of 8 MB each, four of them pipelined, read late: the queue is bounded
 * and every byte arrives. */
TEST(http, large_answers_to_a_late_reader)
{
    size_t total = 0;
    ssize_t n;
    int fd;

    start();
    fd = connect_with(16 << 10);
    for (unsigned i = 0; i < 3; i++)
        send_text(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    send_text(fd, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    while ((n = recv(fd, answer, sizeof(answer), 0)) > 0)
        total += (size_t)n;
    CHECK_EQ(n, 0);
    CHECK(total > 4 * (8u << 20) && total < 4 * (8u << 20) + 2000);
    close(fd);
    stop_server();
}

TEST(http, head_has_no_body_and_connection_stays)
{
    char head[1024];
    int fd;

    start();
    fd = connect_client();
    send_text(fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(fd, head, sizeof(head));
    CHECK(has(head, "Content-Length: 28\r\n"));
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(fd, head, sizeof(head));
    CHECK(has(head, "200 OK"));
    close(fd);
    stop_server();
}

TEST(http, expect_continue)
{
    char head[1024];
    int fd;

    start();
    fd = connect_client();
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n");
    read_head(fd, head, sizeof(head));
    CHECK_STR(head, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "hi");
    read_head(fd, head, sizeof(head));
    CHECK(has(head, "200 OK"));
    close(fd);
    stop_server();
}

static void on_release(struct loop *l, struct loop_message *m)
{
    (void)l;
    (void)m;
    http_respond_text(held, 200, "at last");
}

/* An answer may come later; requests behind it wait, and a client that has
 * shut its side still gets it. */
TEST(http, late_answer)
{
    int fd;

    start();
    fd = connect_client();
    send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    while (get_stats().requests_total < 1) {
    }
    release_message.run = on_release;
    loop_post(http_server_loop(server, 0), &release_message);
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "at last"));
    CHECK(has(answer, "GET||"));
    close(fd);
    stop_server();
}

TEST(http, slow_head_and_idle_connection)
{
    struct http_server_options o = default_options();
    int fd;

    o.on_request = on_request;
    o.head_timeout_ms = 50;
    o.idle_timeout_ms = 50;
    start_server(&o);
    fd = connect_client();
    send_text(fd, "GET / HTTP/1.1\r\nHo");
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "HTTP/1.1 408 "));
    close(fd);
    fd = connect_client();
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "HTTP/1.1 408 "));
    close(fd);
    fd = connect_client();
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "200 OK"));
    close(fd);
    CHECK_EQ(get_stats().timeouts_total, 2);
    stop_server();
}

TEST(http, head_without_end)
{
    static char many[40000];
    int fd;

    start();
    memset(many, 'a', sizeof(many));
    fd = connect_client();
    send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    send_bytes(fd, many, sizeof(many));
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "HTTP/1.1 431 "));
    close(fd);
    stop_server();
}

TEST(http, connections_max)
{
    struct http_server_options o = default_options();
    int first, second;

    o.on_request = on_request;
    o.connections_max = 1;
    start_server(&o);
    first = connect_client();
    send_text(first, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(first, answer, sizeof(answer));
    second = connect_client();
    read_to_end(second, answer, sizeof(answer));
    CHECK(has(answer, "HTTP/1.1 503 "));
    CHECK(has(answer, "Content-Length: 68\r\n") && strlen(strstr(answer, "\r\n\r\n") + 4) == 68);
    close(first);
    close(second);
    stop_server();
}

/* When no descriptor is left the client is told, and the listener does not spin. */
TEST(http, no_descriptor_left)
{
    struct rlimit before, less;
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fd, free_fd, other;

    start();
    fd = connect_client();
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(fd, answer, sizeof(answer));
    other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_port = htons((uint16_t)atoi(strrchr(http_server_url(server), ':') + 1));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    getrlimit(RLIMIT_NOFILE, &before);
    less = before;
    free_fd = dup(fd);
    close(free_fd);
    less.rlim_cur = (rlim_t)free_fd;
    setrlimit(RLIMIT_NOFILE, &less);
    CHECK_EQ(connect(other, (struct sockaddr *)&a, sizeof(a)), 0);
    read_to_end(other, answer, sizeof(answer));
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(has(answer, "HTTP/1.1 503 "));
    close(other);
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    read_exactly(fd, answer, strlen("GET||127.0.0.1\n"));
    read_head(fd, answer, sizeof(answer));
    CHECK(has(answer, "200 OK"));
    close(fd);
    stop_server();
}

/* --- files ---------------------------------------------------------------- */

static const struct {
    const char *name, *request, *status, *part, *not_part;
} file_rows[] = {
    {"page", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", " 200 ", "ETag: \"e1\"\r\n", "gzip"},
    {"page, cache", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", " 200 ", "Cache-Control: no-cache\r\n",
     "immutable"},
    {"gzip", "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", " 200 ",
     "ETag: W/\"e1\"\r\n", "doctype"},
    {"gzip vary", "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", " 200 ",
     "Vary: Accept-Encoding", "doctype"},
    {"unchanged", "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: W/\"e1\"\r\n\r\n", " 304 ",
     "ETag: \"e1\"", "doctype"},
    {"changed", "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"e0\"\r\n\r\n", " 200 ", "doctype",
     "304"},
    {"immutable", "GET /a%20b.js HTTP/1.1\r\nHost: a\r\n\r\n", " 200 ", "immutable", "gzip"},
    {"range", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=18-20\r\n\r\n", " 206 ",
     "Content-Range: bytes 18-20/28\r\n", "doctype"},
    {"range, bytes", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=18-20\r\n\r\n", " 206 ",
     "\r\n\r\n012", "doctype"},
    {"range past the end", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=99-\r\n\r\n", " 416 ",
     "Content-Range: bytes */28\r\n", "doctype"},
    {"range of another version",
     "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\nIf-Range: \"e0\"\r\n\r\n", " 200 ",
     "doctype", "206"},
    {"post", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", " 405 ",
     "Allow: GET, HEAD\r\n", "doctype"},
    {"zero byte", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", " 404 ", "not found", "doctype"},
    {"bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", " 40", "Content-Length", "doctype"},
};

TEST(http, files)
{
    start();
    for (size_t i = 0; i < ARRAY_LEN(file_rows); i++) {
        TEST_CASE(file_rows[i].name);
        ask(file_rows[i].request, answer, sizeof(answer));
        CHECK(has(answer, file_rows[i].status));
        CHECK(has(answer, file_rows[i].part));
        CHECK(!has(answer, file_rows[i].not_part));
    }
    stop_server();
}

/* --- origins -------------------------------------------------------------- */

static const struct {
    const char *name, *request, *status, *part, *not_part;
} cors_rows[] = {
    {"no origin", "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", " 200 ", "Vary: Origin",
     "Access-Control"},
    {"listed", "GET /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\r\n", " 200 ",
     "Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Credentials: true",
     "*"},
    {"foreign reads", "GET /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n",
     " 200 ", "GET|", "Access-Control"},
    {"foreign writes",
     "POST /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
     " 403 ", "origin", "Access-Control"},
    {"null writes", "POST /echo HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n",
     " 403 ", "origin", "Access-Control"},
    {"own page writes",
     "POST /echo HTTP/1.1\r\nHost: a:8080\r\nOrigin: http://a:8080\r\nContent-Length: 0\r\n\r\n",
     " 200 ", "POST|", "Access-Control"},
    {"preflight",
     "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n"
     "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n\r\n",
     " 204 ", "Access-Control-Allow-Headers: x-a", "Content-Length"},
    {"foreign preflight",
     "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n"
     "Access-Control-Request-Method: PUT\r\n\r\n",
     " 403 ", "origin", "Access-Control"},
    {"options", "OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n", " 200 ", "OPTIONS|", "Access-Control"},
};

TEST(http, origins)
{
    static const char *const origins[] = {"https://app.example"};
    struct http_server_options o = default_options();

    o.on_request = on_request;
    o.origins = origins;
    o.n_origins = 1;
    start_server(&o);
    for (size_t i = 0; i < ARRAY_LEN(cors_rows); i++) {
        TEST_CASE(cors_rows[i].name);
        ask(cors_rows[i].request, answer, sizeof(answer));
        CHECK(has(answer, cors_rows[i].status));
        CHECK(has(answer, cors_rows[i].part));
        CHECK(!has(answer, cors_rows[i].not_part));
    }
    stop_server();
}

/* Everyone may read, nobody is given cookies. */
TEST(http, any_origin)
{
    static const char *const origins[] = {"*"};
    struct http_server_options o = default_options();

    o.on_request = on_request;
    o.origins = origins;
    o.n_origins = 1;
    start_server(&o);
    ask("GET /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example\r\n\r\n", answer,
        sizeof(answer));
    CHECK(has(answer, "Access-Control-Allow-Origin: *\r\n"));
    CHECK(!has(answer, "Credentials"));
    stop_server();
}

/* --- proxies -------------------------------------------------------------- */

TEST(http, forwarded_by_trusted_proxies_only)
{
    static const char *const trusted[] = {"127.0.0.0/8", "10.1.0.0/16"};
    struct http_server_options o = default_options();

    o.on_request = on_request;
    start_server(&o);
    ask("GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n", answer,
        sizeof(answer));
    CHECK(has(answer, "GET||127.0.0.1"));
    stop_server();
    o.trusted = trusted;
    o.n_trusted = ARRAY_LEN(trusted);
    start_server(&o);
    ask("GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.2.3\r\n\r\n",
        answer, sizeof(answer));
    CHECK(has(answer, "GET||9.9.9.9"));
    ask("GET /echo HTTP/1.1\r\nHost: a\r\nX-Real-IP: 2001:db8::1\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "GET||2001:db8::1"));
    ask("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "GET||127.0.0.1"));
    stop_server();
}

static const char v1[] = "PROXY TCP4 192.0.2.7 192.0.2.8 1000 80\r\n";
static const char v2[] =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\xc0\0\x02\x08\x03\xe8\0P";

TEST(http, proxy_protocol)
{
    static const char *const trusted[] = {"127.0.0.1"}, *const elsewhere[] = {"10.0.0.1"};
    struct http_server_options o = default_options();
    int fd;

    o.on_request = on_request;
    o.proxy_protocol = true;
    o.trusted = trusted;
    o.n_trusted = 1;
    start_server(&o);
    for (size_t cut = 1; cut < sizeof(v1) - 1; cut++) { /* in two packets, cut anywhere */
        fd = connect_client();
        send_bytes(fd, v1, cut);
        send_bytes(fd, v1 + cut, sizeof(v1) - 1 - cut);
        send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        read_to_end(fd, answer, sizeof(answer));
        CHECK(has(answer, "GET||192.0.2.7"));
        close(fd);
    }
    fd = connect_client();
    send_bytes(fd, v2, sizeof(v2) - 1);
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "GET||192.0.2.9"));
    close(fd);
    ask("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK_STR(answer, "");
    stop_server();
    o.trusted = elsewhere;
    start_server(&o);
    fd = connect_client();
    read_to_end(fd, answer, sizeof(answer));
    CHECK_STR(answer, "");
    close(fd);
    CHECK_EQ(get_stats().refused_total, 1);
    stop_server();
}

/* --- the server ----------------------------------------------------------- */

static const struct {
    const char *name, *listen, *part;
} listen_rows[] = {
    {"no port", "127.0.0.1:", "host:port"},
    {"bad port", "127.0.0.1:http", "listen 127.0.0.1:http"},
    {"bare v6", "::1:80", "[address]:port"},
    {"no such address", "192.0.2.1:8080", "listen 192.0.2.1:8080"},
    {"no such folder", "unix:/nonexistent/x.sock", "No such file"},
    {"empty path", "unix:", "path"},
};

TEST(http, addresses_that_cannot_be_listened_on)
{
    struct http_server_options o = default_options();
    struct http_server *s;
    struct err e;

    o.on_request = on_request;
    for (size_t i = 0; i < ARRAY_LEN(listen_rows); i++) {
        TEST_CASE(listen_rows[i].name);
        o.listen = listen_rows[i].listen;
        CHECK(http_server_new(&s, &o, &e) < 0);
        CHECK(s == NULL);
        CHECK(has(e.msg, listen_rows[i].part));
    }
}

static int connect_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(a.sun_path, path);
    CHECK_EQ(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A UNIX socket serves with several workers; its file is taken over when its
 * server is dead, and not while it lives; a proxy behind it may be trusted. */
TEST(http, unix_socket)
{
    static const char *const trusted[] = {"unix"};
    struct http_server_options o = default_options();
    struct http_server *second;
    char folder[] = "/tmp/skein-unix-XXXXXX", path[64], listen_on[80];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct err e;
    int fd;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/s", folder);
    snprintf(listen_on, sizeof(listen_on), "unix:%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(a.sun_path, path);
    CHECK_EQ(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    close(fd); /* the file stays, nobody listens */
    o.on_request = on_request;
    o.listen = listen_on;
    o.workers = 2;
    o.trusted = trusted;
    o.n_trusted = 1;
    start_server(&o);
    CHECK_STR(http_server_url(server), listen_on);
    CHECK(http_server_new(&second, &o, &e) < 0);
    CHECK(has(e.msg, "another server"));
    for (unsigned i = 0; i < 20; i++) {
        fd = connect_unix(path);
        send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        read_to_end(fd, answer, sizeof(answer));
        CHECK(has(answer, "GET||unix"));
        close(fd);
    }
    fd = connect_unix(path);
    send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "Forwarded: for=192.0.2.60\r\n\r\n");
    read_to_end(fd, answer, sizeof(answer));
    CHECK(has(answer, "GET||192.0.2.60"));
    close(fd);
    stop_server();
    CHECK(access(path, F_OK) != 0);
    rmdir(folder);
}

/* SO_REUSEPORT would let a second server take half of the connections. */
TEST(http, second_server_on_the_port_is_refused)
{
    struct http_server_options o = default_options();
    struct http_server *s;
    struct err e;
    char address[64];

    start();
    snprintf(address, sizeof(address), "127.0.0.1:%s", strrchr(http_server_url(server), ':') + 1);
    o.on_request = on_request;
    o.listen = address;
    CHECK(http_server_new(&s, &o, &e) < 0);
    CHECK(has(e.msg, "is another server running?"));
    stop_server();
}

static atomic_uint workers_started, workers_stopped;

static void on_worker_start(void *ctx, struct loop *l)
{
    (void)ctx;
    if (!loop_is_current(l))
        abort();
    atomic_fetch_add(&workers_started, 1);
}

static void on_worker_stop(void *ctx, struct loop *l)
{
    (void)ctx;
    if (!loop_is_current(l))
        abort();
    atomic_fetch_add(&workers_stopped, 1);
}

/* Every worker answers on the one port; idle connections end with the drain,
 * and a request in the making is answered first. */
TEST(http, workers_and_drain)
{
    struct http_server_options o = default_options();
    int idle[20], busy;

    o.on_request = on_request;
    o.on_worker_start = on_worker_start;
    o.on_worker_stop = on_worker_stop;
    o.workers = 3;
    start_server(&o);
    CHECK_EQ(atomic_load(&workers_started), 3);
    for (unsigned i = 0; i < ARRAY_LEN(idle); i++) {
        idle[i] = connect_client();
        send_text(idle[i], "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
        read_head(idle[i], answer, sizeof(answer));
        read_exactly(idle[i], answer, strlen("GET||127.0.0.1\n"));
    }
    busy = connect_client();
    send_text(busy, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                    "Expect: 100-continue\r\n\r\n");
    read_head(busy, answer, sizeof(answer));
    http_server_drain(server, 100);
    CHECK(http_server_is_draining(server));
    for (unsigned i = 0; i < ARRAY_LEN(idle); i++) {
        expect_end(idle[i]);
        close(idle[i]);
    }
    send_text(busy, "hi");
    read_to_end(busy, answer, sizeof(answer));
    CHECK(has(answer, "Connection: close\r\n") && has(answer, "POST|hi"));
    close(busy);
    http_server_join(server);
    CHECK_EQ(atomic_load(&workers_stopped), 3);
    CHECK_EQ(get_stats().connections_open, 0);
    CHECK_EQ(get_stats().connections_total, ARRAY_LEN(idle) + 1);
    http_server_free(server);
}
