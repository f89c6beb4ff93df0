/* conn_tls - TLS on a connection's socket, by OpenSSL 3.
 *
 * OpenSSL reads and writes the non-blocking descriptor itself. The handshake
 * happens inside the first reads, under the deadline of the request's head.
 * Records' buffers are given back while a connection is idle
 * (SSL_MODE_RELEASE_BUFFERS): 16 KB instead of 49 KB.
 *
 * A write that has to be repeated must come with the same bytes: the front of
 * the queue does not change until they have left, and more behind them is allowed
 * (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/conn.h"

#define RECORD_BYTES (16u << 10)
#define PIECES_MAX 64

static const char plain_http[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Connection: close\r\n\r\nThis port speaks TLS: use https:// or wss://\n";

static int set_tls_error(struct err *e, const char *what, const char *file)
{
    char words[160];

    ERR_error_string_n(ERR_peek_last_error(), words, sizeof(words));
    ERR_clear_error();
    return err_set(e, SK_EINVAL, "TLS: %s %s: %s", what, file, words);
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&found, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

int tls__context_new(SSL_CTX **out, const char *cert, const char *key, struct err *e)
{
    SSL_CTX *t = SSL_CTX_new(TLS_server_method());
    int rc;

    *out = NULL;
    if (t == NULL)
        return set_tls_error(e, "context for", cert);
    SSL_CTX_set_min_proto_version(t, TLS1_2_VERSION);
    SSL_CTX_set_options(t, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(t, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(t, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(t, cert) != 1) {
        rc = set_tls_error(e, "certificate", cert);
        goto err_after_context;
    }
    if (SSL_CTX_use_PrivateKey_file(t, key, SSL_FILETYPE_PEM) != 1) {
        rc = set_tls_error(e, "key", key);
        goto err_after_context;
    }
    if (SSL_CTX_check_private_key(t) != 1) {
        rc = set_tls_error(e, "the certificate does not belong to the key", key);
        goto err_after_context;
    }
    *out = t;
    return 0;

err_after_context:
    SSL_CTX_free(t);
    return rc;
}

void tls__context_free(SSL_CTX *t)
{
    SSL_CTX_free(t);
}

bool tls__start(struct conn *c)
{
    struct http_server *s = c->wk->server;

    if (s->o.tls_cert == NULL)
        return true;
    pthread_mutex_lock(&s->shared.tls_lock);
    c->tls = SSL_new(s->shared.tls);
    pthread_mutex_unlock(&s->shared.tls_lock);
    if (c->tls == NULL || SSL_set_fd(c->tls, c->fd) != 1)
        return false;
    SSL_set_accept_state(c->tls);
    return true;
}

static long explain(struct conn *c, int result, bool is_read)
{
    unsigned long code;

    switch (SSL_get_error(c->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return CONN_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        if (is_read)
            c->is_retry_read = true;
        else
            c->is_blocked = true;
        return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return is_read ? 0 : CONN_BROKEN;
    default:
        code = ERR_peek_error();
        if (is_read && ERR_GET_LIB(code) == ERR_LIB_SSL &&
            ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST)
            (void)!send(c->fd, plain_http, sizeof(plain_http) - 1, MSG_NOSIGNAL);
        ERR_clear_error();
        return CONN_BROKEN;
    }
}

/* Reads as many records as are there: OpenSSL may hold some that no poll shows. */
long tls__read(struct conn *c, uint8_t *p, size_t n)
{
    size_t total = 0;

    while (total < n) {
        int got;
        long rc;

        ERR_clear_error();
        got = SSL_read(c->tls, p + total, (int)(n - total));
        if (got > 0) {
            total += (size_t)got;
            continue;
        }
        rc = explain(c, got, true);
        if (total == 0)
            return rc;
        break; /* an end or an error shows again at the next read */
    }
    return (long)total;
}

long tls__write(struct conn *c)
{
    uint8_t record[RECORD_BYTES];
    struct iovec iov[PIECES_MAX];
    int pieces = conn_out_get_iov(&c->out, &c->wk->arena, iov, PIECES_MAX), n;
    const void *from = iov[0].iov_base;
    size_t len = iov[0].iov_len;

    if (len < RECORD_BYTES && pieces > 1) { /* small pieces share a record */
        len = 0;
        for (int i = 0; i < pieces && len < RECORD_BYTES; i++) {
            size_t part = iov[i].iov_len;

            if (part > RECORD_BYTES - len)
                part = RECORD_BYTES - len;
            memcpy(record + len, iov[i].iov_base, part);
            len += part;
        }
        from = record;
    }
    ERR_clear_error();
    n = SSL_write(c->tls, from, len < INT32_MAX ? (int)len : INT32_MAX);
    return n > 0 ? n : explain(c, n, false);
}

bool tls__has_pending(const struct conn *c)
{
    return SSL_pending(c->tls) > 0;
}

void tls__shut(struct conn *c)
{
    ERR_clear_error();
    (void)SSL_shutdown(c->tls); /* sends close_notify; the answer is not awaited */
    ERR_clear_error();
}

void tls__free(struct conn *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
}
