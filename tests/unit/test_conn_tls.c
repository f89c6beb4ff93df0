#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/ws_echo.h"
#include "net_client.h"

static char folder[] = "/tmp/skein-tls-XXXXXX", cert_path[64], key_path[64];
static uint8_t large[300000];
static char text[1 << 16];

/* A certificate for `name`, signed by itself, over the files that the server reads. */
static void write_certificate(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *out;

    if (cert_path[0] == 0) {
        CHECK(mkdtemp(folder) != NULL);
        snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", folder);
        snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
    }
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    out = fopen(cert_path, "w");
    CHECK(out != NULL && PEM_write_X509(out, cert) == 1);
    fclose(out);
    out = fopen(key_path, "w");
    CHECK(out != NULL && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void remove_files(void)
{
    unlink(cert_path);
    unlink(key_path);
    rmdir(folder);
    strcpy(folder, "/tmp/skein-tls-XXXXXX");
    cert_path[0] = 0;
}

struct client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static struct client connect_tls(void)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    struct client c = {.fd = connect_client(), .context = SSL_CTX_new(TLS_client_method())};

    c.ssl = SSL_new(c.context);
    SSL_set_alpn_protos(c.ssl, protocols, sizeof(protocols) - 1);
    SSL_set_fd(c.ssl, c.fd);
    CHECK_EQ(SSL_connect(c.ssl), 1);
    return c;
}

static void close_tls(struct client *c)
{
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    close(c->fd);
}

static void read_tls(struct client *c, void *out, size_t n)
{
    for (size_t have = 0; have < n;) {
        int got = SSL_read(c->ssl, (uint8_t *)out + have, (int)(n - have));

        CHECK(got > 0);
        have += (size_t)got;
    }
}

static void read_tls_head(struct client *c)
{
    size_t n = 0;

    while (n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0)
        read_tls(c, text + n++, 1);
    text[n] = 0;
}

static bool has_name(const struct client *c, const char *name)
{
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    char found[64] = "";

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, found, sizeof(found));
    X509_free(cert);
    return strcmp(found, name) == 0;
}

static void on_request(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    if (http_str_is(http_exchange_request(x)->path, "/echo"))
        http_upgrade(x, &ws_echo_ops, NULL, NULL);
    else
        http_respond_text(x, 200, "hello");
}

static void start(unsigned workers)
{
    struct http_server_options o = default_options();

    write_certificate("one");
    o.on_request = on_request;
    o.tls_cert = cert_path;
    o.tls_key = key_path;
    o.workers = workers;
    start_server(&o);
}

static void stop(void)
{
    stop_server();
    remove_files();
}

TEST(tls, request_and_protocol)
{
    const unsigned char *chosen;
    struct client c;
    unsigned n;

    start(1);
    CHECK(has(http_server_url(server), "https://127.0.0.1:"));
    c = connect_tls();
    SSL_get0_alpn_selected(c.ssl, &chosen, &n);
    CHECK_MEM(chosen, n, "http/1.1", 8);
    SSL_write(c.ssl, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    read_tls_head(&c);
    CHECK(has(text, " 200 OK"));
    read_tls(&c, text, 6);
    CHECK_MEM(text, 6, "hello\n", 6);
    close_tls(&c);
    stop();
}

/* Messages of many records, both ways, sent before the answers are read. */
TEST(tls, large_echoes)
{
    static uint8_t frame[sizeof(large) + 20], back[sizeof(large)];
    struct client c;
    uint8_t *end, head[10];

    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i % 251);
    start(1);
    c = connect_tls();
    strcpy(text, WS_REQUEST("/echo", ""));
    SSL_write(c.ssl, text, (int)strlen(text));
    read_tls_head(&c);
    CHECK(has(text, " 101 "));
    end = put_frame(frame, WS_OP_BINARY, WS_FLAG_FIN, large, sizeof(large));
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(SSL_write(c.ssl, frame, (int)(end - frame)), end - frame);
    for (unsigned i = 0; i < 3; i++) {
        read_tls(&c, head, 10);
        CHECK_EQ(head[1], 127);
        read_tls(&c, back, sizeof(back));
        CHECK_MEM(back, sizeof(back), large, sizeof(large));
    }
    close_tls(&c);
    stop();
}

/* Small messages in one record come back together. */
TEST(tls, pipelined_echoes)
{
    static uint8_t bytes[100 * 30];
    uint8_t *end = bytes, back[22];
    struct client c;

    start(1);
    c = connect_tls();
    strcpy(text, WS_REQUEST("/echo", ""));
    SSL_write(c.ssl, text, (int)strlen(text));
    read_tls_head(&c);
    for (unsigned i = 0; i < 100; i++)
        end = put_frame(end, WS_OP_BINARY, WS_FLAG_FIN, "01234567890123456789", 20);
    SSL_write(c.ssl, bytes, (int)(end - bytes));
    for (unsigned i = 0; i < 100; i++)
        read_tls(&c, back, 22);
    CHECK(get_stats().writes_total < 10);
    close_tls(&c);
    stop();
}

/* After a reload new connections see the new certificate, open ones go on, and
 * files that cannot be used change nothing. */
TEST(tls, reload)
{
    struct client before, after;
    struct err e;

    start(2);
    before = connect_tls();
    CHECK(has_name(&before, "one"));
    write_certificate("two");
    CHECK_EQ(http_server_reload_tls(server, &e), 0);
    after = connect_tls();
    CHECK(has_name(&after, "two"));
    close_tls(&after);
    unlink(key_path);
    CHECK(http_server_reload_tls(server, &e) < 0);
    CHECK(has(e.msg, "key"));
    after = connect_tls();
    CHECK(has_name(&after, "two"));
    SSL_write(before.ssl, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    read_tls_head(&before);
    CHECK(has(text, " 200 OK"));
    close_tls(&before);
    close_tls(&after);
    stop();
}

TEST(tls, plain_http_and_garbage)
{
    int fd;

    start(1);
    fd = connect_client();
    send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_to_end(fd, text, sizeof(text));
    CHECK(has(text, "This port speaks TLS"));
    close(fd);
    fd = connect_client();
    send_text(fd, "\x16\x03\x01\xff\xff garbage garbage garbage");
    shutdown(fd, SHUT_WR);
    read_to_end(fd, text, sizeof(text));
    close(fd);
    stop();
}

/* A handshake that does not go on is ended as a head that does not come. */
TEST(tls, handshake_without_end)
{
    struct http_server_options o = default_options();
    int fd;

    write_certificate("one");
    o.on_request = on_request;
    o.tls_cert = cert_path;
    o.tls_key = key_path;
    o.head_timeout_ms = 50;
    start_server(&o);
    fd = connect_client();
    send_bytes(fd, "\x16\x03\x01\x00\xff\x01", 6);
    read_to_end(fd, text, sizeof(text));
    CHECK_STR(text, "");
    CHECK_EQ(get_stats().timeouts_total, 1);
    close(fd);
    stop();
}

TEST(tls, bad_files)
{
    struct http_server_options o = default_options();
    struct http_server *s;
    struct err e;

    o.on_request = on_request;
    o.tls_cert = "/nonexistent.pem";
    CHECK(http_server_new(&s, &o, &e) < 0);
    CHECK(has(e.msg, "both"));
    o.tls_key = "/nonexistent.pem";
    CHECK(http_server_new(&s, &o, &e) < 0);
    CHECK(has(e.msg, "/nonexistent.pem"));
}
