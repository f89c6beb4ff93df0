/* The two Yjs protocols, byte by byte, through a real server: what the npm clients
 * send and get was captured from Hocuspocus and y-websocket themselves. */
#include "gate_server.h"

static struct frame f;

#define BIN(fd, bytes) send_frame(fd, 2, bytes, sizeof(bytes) - 1)
#define GET(fd, bytes) expect_frame(fd, &f, 0x82, bytes, sizeof(bytes) - 1)

/* Reads frames until one has these bytes: what else a room says in between, such
 * as a keep-alive or somebody's cursor, is not this test's business. */
static void await_frame(int fd, const char *bytes, size_t n)
{
    do {
        read_frame(fd, &f);
        CHECK(f.first == 0x82);
    } while (f.len != n || memcmp(f.p, bytes, n) != 0);
}

#define AWAIT(fd, bytes) await_frame(fd, bytes, sizeof(bytes) - 1)

/* "hi" by client 1001, and "!" behind it by client 2002. */
#define HI "\x01\x01\xe9\x07\x00\x04\x01\x01t\x02hi\x00"
#define BANG "\x01\x01\xd2\x0f\x00\x84\xe9\x07\x01\x01!\x00"

#define DOC                                                                                        \
    "\x03"                                                                                         \
    "doc"
#define TOKEN(t, len)                                                                              \
    DOC "\x02\x00" len t "\x05"                                                                    \
        "4.8.0"

/* The captures of a provider that connects, types, and of a second one. */
TEST(hocuspocus, connect_type_and_acknowledge)
{
    int a, b;

    start_skein(NULL, false);
    a = connect_ws("/");
    BIN(a, TOKEN("tok", "\x03"));
    BIN(a, DOC "\x00\x00\x01\x00");
    BIN(a, DOC "\x01\x07\x01\xe9\x07\x00\x02{}"); /* clock 0: no news */
    GET(a, DOC "\x02\x02\x0aread-write");
    GET(a, DOC "\x00\x00\x01\x00");
    GET(a, DOC "\x00\x01\x02\x00\x00");
    BIN(a, DOC "\x00\x01\x02\x00\x00");
    GET(a, DOC "\x08\x01");
    BIN(a, DOC "\x00\x02\x0d" HI);
    GET(a, DOC "\x08\x01");
    b = connect_ws("/any/path?x=y");
    BIN(b, TOKEN("", "\x00"));
    BIN(b, DOC "\x00\x00\x01\x00");
    GET(b, DOC "\x02\x02\x0aread-write");
    GET(b, DOC "\x00\x00\x04\x01\xe9\x07\x02");
    GET(b, DOC "\x00\x01\x0d" HI);
    BIN(b, DOC "\x00\x02\x0c" BANG);
    GET(a, DOC "\x00\x02\x0c" BANG);
    GET(b, DOC "\x08\x01");
    close(a);
    close(b);
    stop_skein();
}

/* The same document by the other protocol: by path, encoded, and by parameter. */
TEST(y_websocket, shares_rooms_with_hocuspocus)
{
    int a, b, c;

    start_skein(NULL, false);
    a = connect_ws("/doc");
    BIN(a, "\x00\x00\x01\x00");
    GET(a, "\x00\x00\x01\x00");
    GET(a, "\x00\x01\x02\x00\x00");
    b = connect_ws("/api/ws?type=yjs&room=d%6fc");
    BIN(b, "\x00\x00\x01\x00");
    GET(b, "\x00\x00\x01\x00");
    GET(b, "\x00\x01\x02\x00\x00");
    c = connect_ws("/");
    BIN(c, TOKEN("", "\x00"));
    GET(c, DOC "\x02\x02\x0aread-write");
    BIN(a, "\x00\x02\x0d" HI);
    GET(b, "\x00\x02\x0d" HI);
    GET(c, DOC "\x00\x02\x0d" HI);
    BIN(c, DOC "\x01\x08\x01\xe9\x07\x01\x03{ }");
    GET(a, "\x01\x08\x01\xe9\x07\x01\x03{ }");
    GET(c, DOC "\x01\x08\x01\xe9\x07\x01\x03{ }"); /* the echo that clients live by */
    close(c);
    AWAIT(a, "\x01\x09\x01\xe9\x07\x01\x04null");
    close(a);
    close(b);
    stop_skein();
}

/* Many documents on a socket, each with its own life. */
TEST(hocuspocus, documents_open_and_close_by_themselves)
{
    int a;

    start_skein(NULL, false);
    a = connect_ws("/");
    for (char n = 'a'; n <= 'j'; n++) {
        char frame[] = {1, n, 2, 0, 0}, answer[] = "\x01?\x02\x02\x0aread-write";

        send_frame(a, 2, frame, sizeof(frame));
        answer[1] = n;
        await_frame(a, answer, sizeof(answer) - 1);
    }
    BIN(a, "\x01"
           "d\x07");
    AWAIT(a, "\x01"
             "d\x07\x12provider_initiated");
    BIN(a, "\x01"
           "d\x07"); /* it is closed: nothing */
    BIN(a, "\x01"
           "d\x02\x00\x00");
    AWAIT(a, "\x01"
             "d\x02\x02\x0aread-write");
    BIN(a, "\x01"
           "e\x00\x02\x0d" HI);
    AWAIT(a, "\x01"
             "e\x08\x01");
    close(a);
    stop_skein();
}

/* Two providers of one document on one socket, told apart by the session in the address. */
TEST(hocuspocus, sessions_share_a_socket)
{
    int a;

    start_skein(NULL, false);
    a = connect_ws("/");
    BIN(a, "\x07"
           "doc\0one\x02\x00\x00");
    AWAIT(a, "\x07"
             "doc\0one\x02\x02\x0aread-write");
    BIN(a, "\x07"
           "doc\0two\x02\x00\x00");
    AWAIT(a, "\x07"
             "doc\0two\x02\x02\x0aread-write");
    BIN(a, "\x07"
           "doc\0one\x00\x02\x0d" HI);
    AWAIT(a, "\x07"
             "doc\0two\x00\x02\x0d" HI);
    close(a);
    stop_skein();
}

static const char tokens[] = "{\"r\":{\"access\":\"read\",\"user\":\"ann\"},"
                             "\"w\":{\"access\":\"write\",\"rooms\":[\"do*\"]},"
                             "\"*\":{\"access\":\"none\",\"reason\":\"who-are-you\"}}";

TEST(hocuspocus, tokens_decide)
{
    int a, b;

    start_skein(tokens, false);
    b = connect_ws("/");
    BIN(b, TOKEN("w", "\x01"));
    GET(b, DOC "\x02\x02\x0aread-write");
    BIN(b, DOC "\x00\x02\x0d" HI);
    GET(b, DOC "\x08\x01");
    a = connect_ws("/");
    BIN(a, TOKEN("x", "\x01"));
    GET(a, DOC "\x02\x01\x0bwho-are-you");
    BIN(a, TOKEN("r", "\x01"));
    GET(a, DOC "\x02\x02\x08readonly");
    BIN(a, DOC "\x00\x02\x0c" BANG);
    GET(a, DOC "\x08\x00");
    BIN(a, DOC "\x00\x01\x0d" HI); /* what is known already is no edit */
    GET(a, DOC "\x08\x01");
    BIN(a, TOKEN("w", "\x01")); /* a new token on an open document: no answer, more rights */
    BIN(a, DOC "\x00\x02\x0c" BANG);
    GET(a, DOC "\x08\x01");
    GET(b, DOC "\x00\x02\x0c" BANG);
    BIN(a, TOKEN("x", "\x01"));
    GET(a, DOC "\x07\x0bwho-are-you");
    close(a);
    close(b);
    stop_skein();
}

TEST(y_websocket, tokens_decide)
{
    int a;

    start_skein(tokens, false);
    a = connect_ws("/doc?token=x");
    BIN(a, "\x00\x00\x01\x00");
    GET(a, "\x02\x00\x0bwho-are-you");
    expect_close(a, &f, 4403);
    close(a);
    a = connect_ws("/doc?token=w");
    BIN(a, "\x00\x00\x01\x00");
    GET(a, "\x00\x00\x01\x00");
    close(a);
    a = connect_ws("/other?token=w");
    BIN(a, "\x00\x00\x01\x00");
    read_frame(a, &f);
    expect_close(a, &f, 4403);
    close(a);
    stop_skein();
}

TEST(hocuspocus, stateless_messages_follow_the_policy)
{
    int a, b;

    start_skein(NULL, true);
    a = connect_ws("/");
    b = connect_ws("/");
    BIN(a, TOKEN("", "\x00"));
    GET(a, DOC "\x02\x02\x0aread-write");
    BIN(b, TOKEN("", "\x00"));
    GET(b, DOC "\x02\x02\x0aread-write");
    BIN(a, DOC "\x05\x02yo");
    GET(b, DOC "\x05\x02yo");
    GET(a, DOC "\x05\x02yo");
    BIN(a, DOC "\x06\x02yo");
    read_frame(a, &f);
    CHECK_MEM(f.p, 5, DOC "\x07", 5);
    close(a);
    close(b);
    stop_skein();
}

/* Every message of both protocols, cut at every byte: the server refuses it or
 * waits for more, and those who do nothing wrong do not notice. */
TEST(gate, every_truncation_leaves_the_others_alone)
{
    static const struct {
        const char *path, *p;
        size_t n;
    } rows[] = {
#define ROW(path, bytes) {path, bytes, sizeof(bytes) - 1}
        ROW("/", TOKEN("tok", "\x03")),
        ROW("/", DOC "\x00\x00\x04\x01\xe9\x07\x02"),
        ROW("/", DOC "\x00\x02\x0d" HI),
        ROW("/", DOC "\x01\x08\x01\xe9\x07\x01\x03{ }"),
        ROW("/", DOC "\x05\x02yo"),
        ROW("/", "\x07"
                 "doc\0two\x02\x02\x0aread-write"),
        ROW("/doc", "\x00\x00\x04\x01\xe9\x07\x02"),
        ROW("/doc", "\x00\x02\x0d" HI),
        ROW("/doc", "\x01\x08\x01\xe9\x07\x01\x03{ }"),
#undef ROW
    };
    int good, bad;
    uint8_t clock = 0;

    start_skein(NULL, true);
    good = connect_ws("/doc");
    BIN(good, "\x00\x00\x01\x00");
    GET(good, "\x00\x00\x01\x00");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t cut = 0; cut < rows[i].n; cut++) {
            char move[] = "\x01\x08\x01\x01?\x02{}";
            bool is_hocuspocus = rows[i].path[1] == 0;

            bad = connect_ws(rows[i].path);
            if (is_hocuspocus)
                BIN(bad, TOKEN("", "\x00"));
            else
                BIN(bad, "\x00\x00\x01\x00");
            send_frame(bad, 2, rows[i].p, cut);
            send_frame(bad, 8, "\x03\xe8", 2);
            do {
                read_frame(bad, &f); /* until the close, whoever began it */
            } while (f.first != 0x88);
            close(bad);
            clock++;
            move[1] = 6;
            move[4] = (char)(clock & 0x7f);
            if ((clock & 0x7f) != 0)
                send_frame(good, 2, move, sizeof(move) - 1);
            if ((clock & 0x7f) != 0)
                await_frame(good, move, sizeof(move) - 1);
        }
    }
    close(good);
    stop_skein();
}

TEST(gate, rooms_have_names)
{
    char path[4000] = "/", answer[1000];
    int a;

    start_skein(NULL, false);
    a = connect_ws("/");
    BIN(a, "\x00\x00\x01\x00"); /* y-websocket without a room */
    expect_close(a, &f, 4404);
    close(a);
    a = connect_ws("/a%00b");
    BIN(a, "\x00\x00\x01\x00");
    read_frame(a, &f);
    expect_close(a, &f, 4400);
    close(a);
    memset(path + 1, 'n', 1025);
    a = connect_client();
    send_text(a, "GET ");
    send_text(a, path);
    send_text(a,
              " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    read_head(a, answer, sizeof(answer));
    BIN(a, "\x00\x00\x01\x00");
    read_frame(a, &f);
    expect_close(a, &f, 4400);
    close(a);
    a = connect_ws("/");
    BIN(a, "\x02\x01x\x02\x00\x00"); /* a control character */
    read_frame(a, &f);
    CHECK_MEM(f.p, 5, "\x02\x01x\x02\x01", 5);
    BIN(a, "\xff\xff\xff\xff\x0f");
    expect_close(a, &f, 4401);
    close(a);
    stop_skein();
}

/* Too much before a document is open ends the socket, and nothing else does. */
TEST(gate, unjoined_frames_are_bounded)
{
    int a;

    start_skein(tokens, false);
    a = connect_ws("/");
    for (int i = 0; i < 1000; i++)
        BIN(a, DOC "\x00\x00\x01\x00");
    BIN(a, TOKEN("x", "\x01"));
    GET(a, DOC "\x02\x01\x0bwho-are-you");
    for (int i = 0; i < 1001; i++)
        BIN(a, DOC "\x00\x00\x01\x00");
    expect_close(a, &f, 4413);
    close(a);
    a = connect_ws("/");
    for (int i = 0; i < 101; i++) {
        char frame[] = {2, 'a', (char)('!' + i % 90), 1, 0};

        frame[1] = (char)('a' + i / 90);
        send_frame(a, 2, frame, sizeof(frame));
    }
    expect_close(a, &f, 4413);
    close(a);
    stop_skein();
}

TEST(gate, http)
{
    char answer[8192];
    int a;

    start_skein(NULL, false);
    ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "200 OK") && has(answer, "ok\n"));
    ask("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "200 OK"));
    ask("GET /api/ws HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "426 "));
    ask("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "405 "));
    ask("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "404 "));
    ask("GET /api/rooms/no HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "404 "));
    ask("GET /api/rooms/%zz HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "400 "));
    a = connect_ws("/a%2Fb");
    BIN(a, "\x00\x00\x01\x00");
    GET(a, "\x00\x00\x01\x00");
    ask("GET /api/rooms/a/b HTTP/1.1\r\nHost: a\r\n\r\n", answer, sizeof(answer));
    CHECK(has(answer, "200 OK") && has(answer, "\"name\":\"a/b\"") && has(answer, "\"head\":0"));
    close(a);
    stop_skein();
}

/* A client that comes with the name of another life of the document is turned away. */
TEST(gate, another_incarnation_is_refused)
{
    int a;

    start_skein(NULL, false);
    a = connect_ws("/doc?incarnation=00000000000000000000000000000000");
    BIN(a, "\x00\x00\x01\x00");
    read_frame(a, &f);
    expect_close(a, &f, 4410);
    close(a);
    stop_skein();
}
