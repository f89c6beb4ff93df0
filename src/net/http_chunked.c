/* http_chunked - see http_chunked.h.
 *
 *     body  = *chunk last-chunk *( trailer CRLF ) CRLF
 *     chunk = 1*HEXDIG [ ext ] CRLF size bytes CRLF
 *
 * The state machine takes single bytes outside of chunk data, which is moved
 * with memmove(). Every line must end in CRLF: a bare LF after a size or in an
 * extension is how chunked requests have been smuggled.
 */
#include "net/http_chunked.h"

#include <string.h>

enum state {
    SIZE,       /* digits of a size */
    EXT,        /* the rest of the size line */
    SIZE_LF,    /* its LF */
    DATA,       /* left bytes of a chunk */
    DATA_CR,    /* CR behind a chunk */
    DATA_LF,    /* its LF */
    TRAILER,    /* at the start of a trailer line, or of the blank line */
    TRAILER_IN, /* inside a trailer line */
    TRAILER_LF, /* its LF */
    LAST_LF,    /* the LF of the blank line */
    DONE,
};

#define SIZE_DIGITS_MAX 15 /* of 4 bits: fits an int64_t */

void http_chunked_init(struct http_chunked *c, uint64_t body_max)
{
    *c = (struct http_chunked){.body_max = body_max, .state = SIZE};
}

static int refuse(struct http_error *err, int code, int status, const char *words)
{
    *err = (struct http_error){.status = status, .words = words};
    return code;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int take_size(struct http_chunked *c, char b, struct http_error *err)
{
    int digit = hex_digit(b);

    if (digit >= 0) {
        if (c->digits == SIZE_DIGITS_MAX)
            return refuse(err, SK_EBADMSG, 400, "A chunk's size has too many digits.");
        c->left = c->left << 4 | (uint64_t)digit;
        c->digits++;
        return 0;
    }
    if (c->digits == 0)
        return refuse(err, SK_EBADMSG, 400, "A chunk does not begin with its size.");
    if (c->left > c->body_max - c->body)
        return refuse(err, SK_ETOOBIG, 413, "The body is larger than the limit.");
    if (b == '\r') {
        c->state = SIZE_LF;
        return 0;
    }
    if (b != ';' && b != ' ' && b != '\t')
        return refuse(err, SK_EBADMSG, 400, "A chunk's size is not hexadecimal.");
    c->state = EXT;
    c->ext++;
    return 0;
}

static bool is_text(char b)
{
    return ((unsigned char)b >= 0x20 && b != 0x7f) || b == '\t';
}

static int take_ext(struct http_chunked *c, char b, struct http_error *err)
{
    if (b == '\r') {
        c->state = SIZE_LF;
        return 0;
    }
    if (!is_text(b))
        return refuse(err, SK_EBADMSG, 400, "A chunk's extension has a control character in it.");
    if (++c->ext > HTTP_CHUNK_EXT_BYTES_MAX)
        return refuse(err, SK_EBADMSG, 400, "The chunks' extensions are too long.");
    return 0;
}

/* At the start of a line of the trailer section. */
static int begin_trailer(struct http_chunked *c, char b, struct http_error *err)
{
    if (b == '\r') {
        c->state = LAST_LF;
        return 0;
    }
    if (b == ' ' || b == '\t' || b == ':' || !is_text(b))
        return refuse(err, SK_EBADMSG, 400, "A trailer field does not begin with its name.");
    c->state = TRAILER_IN;
    c->trailer++;
    return 0;
}

static int take_trailer(struct http_chunked *c, char b, struct http_error *err)
{
    if (b == '\r') {
        c->state = TRAILER_LF;
        return 0;
    }
    if (!is_text(b))
        return refuse(err, SK_EBADMSG, 400, "A trailer field has a control character in it.");
    if (++c->trailer > HTTP_TRAILER_BYTES_MAX)
        return refuse(err, SK_EBADMSG, 431, "The trailer fields are larger than 8 KB.");
    return 0;
}

static int expect(struct http_chunked *c, char b, char want, enum state next,
                  struct http_error *err)
{
    if (b != want)
        return refuse(err, SK_EBADMSG, 400, "A line of the chunked body does not end in CR LF.");
    c->state = (uint8_t)next;
    return 0;
}

/* One byte outside of chunk data. */
static int take_byte(struct http_chunked *c, char b, struct http_error *err)
{
    switch ((enum state)c->state) {
    case SIZE:
        return take_size(c, b, err);
    case EXT:
        return take_ext(c, b, err);
    case SIZE_LF:
        c->digits = 0;
        return expect(c, b, '\n', c->left > 0 ? DATA : TRAILER, err);
    case DATA_CR:
        return expect(c, b, '\r', DATA_LF, err);
    case DATA_LF:
        return expect(c, b, '\n', SIZE, err);
    case TRAILER:
        return begin_trailer(c, b, err);
    case TRAILER_IN:
        return take_trailer(c, b, err);
    case TRAILER_LF:
        return expect(c, b, '\n', TRAILER, err);
    case LAST_LF:
        return expect(c, b, '\n', DONE, err);
    case DATA:
    case DONE:
        break;
    }
    return 0;
}

/* Moves chunk data to its place; returns how much. */
static size_t take_data(struct http_chunked *c, char *to, const char *from, size_t len)
{
    size_t n = len < c->left ? len : (size_t)c->left;

    if (to != from)
        memmove(to, from, n);
    c->left -= n;
    c->body += n;
    if (c->left == 0)
        c->state = DATA_CR;
    return n;
}

int http_chunked_feed(struct http_chunked *c, char *bytes, size_t len, size_t *n_used,
                      size_t *n_body, struct http_error *err)
{
    size_t i = 0, body = 0;
    int rc = 0;

    while (i < len && c->state != DONE && rc == 0) {
        if (c->state == DATA) {
            size_t n = take_data(c, bytes + body, bytes + i, len - i);

            body += n;
            i += n;
        } else {
            rc = take_byte(c, bytes[i++], err);
        }
    }
    *n_used = i;
    *n_body = body;
    return rc != 0 ? rc : c->state == DONE;
}
