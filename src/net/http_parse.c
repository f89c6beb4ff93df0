/* http_parse - see http_parse.h for the contract, docs/wire/http.md for the rules.
 *
 * Two passes. While the head is incomplete only the bytes that are new are
 * scanned, for line ends: memchr() runs at memory speed, and a peer that drips
 * bytes costs no more than one that does not. When the blank line is there, the
 * head is split once, each byte class by one table look-up.
 *
 * The scan refuses what needs no more bytes to be hopeless: a line feed
 * without its carriage return, a first byte that starts no method (a TLS
 * hello on a plain port, for one), and everything that is too long.
 */
#include "net/http_parse.h"

#include <string.h>
#include <strings.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "net/http_parse_internal.h"

/* Byte classes. */
#define C_TOKEN 1u  /* RFC 9110 tchar */
#define C_TARGET 2u /* may stand in a request target: printable ASCII without '#' */
#define C_VALUE 4u  /* may stand in a field value: printable, SP, HTAB, 80-ff */
#define C_HOST 8u   /* may stand in a host: unreserved, sub-delims, percent, IPv6 brackets */

#define T_ (C_TARGET | C_VALUE)
#define K_ (C_TOKEN | C_TARGET | C_VALUE)
#define H_ (C_TOKEN | C_TARGET | C_VALUE | C_HOST)
#define S_ (C_TARGET | C_VALUE | C_HOST)
#define V_ C_VALUE
#define V8 V_, V_, V_, V_, V_, V_, V_, V_
#define V32 V8, V8, V8, V8

static const uint8_t classes[256] = {
    /* 00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, V_, 0, 0, 0, 0, 0, 0,
    /* 10 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /*    sp  !   "   #   $   %   &   '   (   )   *   +   ,   -   .   /  */
    V_, H_, T_, K_ & ~C_TARGET, H_, H_, H_, H_, S_, S_, H_, H_, S_, H_, H_, T_,
    /*    0   1   2   3   4   5   6   7   8   9   :   ;   <   =   >   ?  */
    H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, S_, S_, T_, S_, T_, T_,
    /*    @   A ... */
    T_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_,
    /*    P ... Z   [   \   ]   ^   _  */
    H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, S_, T_, S_, K_, H_,
    /*    `   a ... */
    K_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_,
    /*    p ... z   {   |   }   ~  del */
    H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, H_, T_, K_, T_, H_, 0,
    /* 80-ff */ V32, V32, V32, V32};

static bool is_all(const char *p, size_t len, unsigned class)
{
    unsigned common = class;

    for (size_t i = 0; i < len; i++)
        common &= classes[(uint8_t)p[i]];
    return common != 0;
}

/* is_all(p, len, C_VALUE), for the bytes that a head mostly consists of. */
static bool is_value(const char *p, size_t len)
{
    size_t i = 0;

#if defined(__SSE2__)
    const __m128i last_control = _mm_set1_epi8(0x1f);

    for (; len - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
        __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
        __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));

        if (_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del)) != 0)
            return false;
    }
#endif
    return is_all(p + i, len - i, C_VALUE);
}

static long refuse(struct http_error *err, int status, const char *words)
{
    *err = (struct http_error){.status = status, .words = words};
    return SK_EBADMSG;
}

/* --- the scan ------------------------------------------------------------ */

/* At most this many bytes can stand before a target. */
#define LINE_BYTES_MAX (HTTP_METHOD_BYTES_MAX + 1 + HTTP_TARGET_BYTES_MAX + 11)

static long check_first_bytes(const char *bytes, size_t len, struct http_error *err)
{
    size_t n = len < HTTP_METHOD_BYTES_MAX + 1 ? len : HTTP_METHOD_BYTES_MAX + 1;

    if (bytes[0] == 0x16)
        return refuse(err, 400, "This is a plain HTTP port, and the client speaks TLS.");
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == ' ' && i > 0)
            return 0;
        if ((classes[(uint8_t)bytes[i]] & C_TOKEN) == 0)
            return refuse(err, 400, "The request does not start with a method.");
    }
    return n == len ? 0 : refuse(err, 501, "The request's method is too long.");
}

static long too_long(const char *bytes, size_t len, struct http_error *err)
{
    size_t n = len < LINE_BYTES_MAX ? len : LINE_BYTES_MAX;

    if (memchr(bytes, '\n', n) == NULL)
        return refuse(err, 414, "The request target is longer than 8 KB.");
    return refuse(err, 431, "The request's header fields are larger than 16 KB.");
}

/* Looks for the blank line from *scanned on. Returns the head's length, 0 or an
 * error as http_parse_head() does. */
static long find_end(const char *bytes, size_t len, size_t *scanned, struct http_error *err)
{
    size_t limit = len < HTTP_HEAD_BYTES_MAX ? len : HTTP_HEAD_BYTES_MAX;
    size_t i = *scanned;

    if (len > LINE_BYTES_MAX && memchr(bytes, '\n', LINE_BYTES_MAX) == NULL)
        return too_long(bytes, len, err);
    while (i < limit) {
        const char *lf = memchr(bytes + i, '\n', limit - i);
        size_t at;

        if (lf == NULL)
            break;
        at = (size_t)(lf - bytes);
        if (at == 0 || bytes[at - 1] != '\r')
            return refuse(err, 400, "A line ends without a carriage return.");
        if (at >= 3 && bytes[at - 2] == '\n')
            return (long)(at + 1);
        i = at + 1;
    }
    if (len >= HTTP_HEAD_BYTES_MAX)
        return too_long(bytes, len, err);
    *scanned = len;
    return 0;
}

/* --- the request line ---------------------------------------------------- */

static enum http_method known_method(struct http_str s)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {
        {"GET", HTTP_GET},     {"POST", HTTP_POST},       {"HEAD", HTTP_HEAD},
        {"PUT", HTTP_PUT},     {"OPTIONS", HTTP_OPTIONS}, {"DELETE", HTTP_DELETE},
        {"PATCH", HTTP_PATCH},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (http_str_is(s, methods[i].name))
            return methods[i].method;
    }
    return HTTP_OTHER;
}

static void split_query(struct http_request *req, const char *p, size_t len)
{
    const char *mark = len > 0 ? memchr(p, '?', len) : NULL;

    if (mark == NULL) {
        req->path = (struct http_str){p, len};
        return;
    }
    req->path = (struct http_str){p, (size_t)(mark - p)};
    req->query = (struct http_str){mark + 1, len - req->path.len - 1};
}

/* host[:port], with only the characters that RFC 3986 allows in them. What a
 * user part, a second colon or a bare bracket would mean differs by parser. */
static bool is_host(struct http_str s)
{
    size_t i = 0;

    if (s.len == 0 || s.len > 255 + 6 || !is_all(s.p, s.len, C_HOST))
        return false;
    if (s.p[0] == '[') {
        while (i < s.len && s.p[i] != ']')
            i++;
        if (i < 3 || i == s.len)
            return false;
        i++;
    } else {
        while (i < s.len && s.p[i] != ':') {
            if (s.p[i] == '[' || s.p[i] == ']')
                return false;
            i++;
        }
        if (i == 0)
            return false;
    }
    if (i == s.len)
        return true;
    if (s.p[i] != ':' || s.len - i > 6)
        return false;
    for (i++; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return true;
}

/* http://host[:port][/path][?query], as a client sends it to a proxy. */
static long parse_absolute(struct http_request *req, struct http_error *err)
{
    struct http_str t = req->target;
    size_t skip = strncasecmp(t.p, "https://", t.len < 8 ? t.len : 8) == 0 ? 8 : 7;
    size_t i;

    if (t.len <= skip || (skip == 7 && strncasecmp(t.p, "http://", 7) != 0))
        return refuse(err, 400, "The request target is neither a path nor an http URL.");
    for (i = skip; i < t.len && t.p[i] != '/' && t.p[i] != '?'; i++)
        ;
    req->host = (struct http_str){t.p + skip, i - skip};
    req->is_absolute = true;
    if (!is_host(req->host))
        return refuse(err, 400, "The request target names no valid host.");
    if (i < t.len && t.p[i] == '/') {
        split_query(req, t.p + i, t.len - i);
        return 0;
    }
    if (i < t.len)
        req->query = (struct http_str){t.p + i + 1, t.len - i - 1};
    req->path = (struct http_str){"/", 1};
    return 0;
}

static long parse_target(struct http_request *req, struct http_error *err)
{
    struct http_str t = req->target;

    if (t.len > HTTP_TARGET_BYTES_MAX)
        return refuse(err, 414, "The request target is longer than 8 KB.");
    if (t.len == 0 || !is_all(t.p, t.len, C_TARGET))
        return refuse(err, 400,
                      "The request target is empty or has characters that must be escaped.");
    if (t.p[0] == '/') {
        split_query(req, t.p, t.len);
        return 0;
    }
    if (http_str_is(t, "*") && req->method == HTTP_OPTIONS) {
        req->path = t;
        return 0;
    }
    return parse_absolute(req, err);
}

static long parse_version(struct http_request *req, struct http_str v, struct http_error *err)
{
    if (v.len < 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.len != 8 || v.p[6] != '.' || v.p[5] < '0' ||
        v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
        return refuse(err, 400, "The request line does not end with an HTTP version.");
    if (v.p[5] != '1')
        return refuse(err, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    req->version_minor = v.p[7] != '0';
    req->keep_alive = req->version_minor == 1;
    return 0;
}

static long parse_request_line(struct http_request *req, const char *p, size_t len,
                               struct http_error *err)
{
    const char *first = memchr(p, ' ', len);
    const char *second;
    long rc;

    if (first == NULL)
        return refuse(err, 400, "The request line has no target.");
    req->method_name = (struct http_str){p, (size_t)(first - p)};
    if (!http_is_token(req->method_name))
        return refuse(err, 400, "The request does not start with a method.");
    req->method = known_method(req->method_name);
    first++;
    second = memchr(first, ' ', len - (size_t)(first - p));
    if (second == NULL)
        return refuse(err, 400, "The request line has no HTTP version.");
    req->target = (struct http_str){first, (size_t)(second - first)};
    second++;
    rc = parse_version(req, (struct http_str){second, len - (size_t)(second - p)}, err);
    if (rc != 0)
        return rc;
    return parse_target(req, err);
}

/* --- header fields ------------------------------------------------------- */

static long take_host(struct http_request *req, struct http_str v, bool *seen,
                      struct http_error *err)
{
    if (*seen)
        return refuse(err, 400, "There is more than one Host field.");
    *seen = true;
    if (!is_host(v))
        return refuse(err, 400, "The Host field is not a host and a port.");
    if (!req->is_absolute)
        req->host = v; /* an absolute target names the host itself: RFC 9112, 3.2.2 */
    return 0;
}

static long take_length(struct http_request *req, struct http_str v, struct http_error *err)
{
    uint64_t n = 0;

    if (req->has_length)
        return refuse(err, 400, "There is more than one Content-Length field.");
    if (v.len == 0 || v.len > 18)
        return refuse(err, 400, "Content-Length is not a number in range.");
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return refuse(err, 400, "Content-Length is not a number in range.");
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    req->has_length = true;
    req->content_length = n;
    return 0;
}

static long take_transfer_encoding(struct http_request *req, struct http_str v,
                                   struct http_error *err)
{
    if (req->chunked)
        return refuse(err, 400, "There is more than one Transfer-Encoding field.");
    if (req->version_minor == 0)
        return refuse(err, 400, "HTTP/1.0 has no Transfer-Encoding.");
    if (!http_str_is_nocase(v, "chunked"))
        return refuse(err, 501, "The only transfer coding that is known is chunked.");
    req->chunked = true;
    return 0;
}

static void take_connection(struct http_request *req, struct http_str v, bool *close)
{
    struct http_str option;

    while (http_list_next(&v, &option)) {
        if (http_str_is_nocase(option, "close"))
            *close = true;
        else if (http_str_is_nocase(option, "keep-alive"))
            req->keep_alive = true;
    }
}

static long take_expect(struct http_request *req, struct http_str v, struct http_error *err)
{
    if (!http_str_is_nocase(v, "100-continue"))
        return refuse(err, 417, "The only expectation that is known is 100-continue.");
    req->expect_continue = req->version_minor == 1;
    return 0;
}

struct seen {
    bool host, close;
};

/* What a field says about the message itself. The length of its name decides
 * first, so that most fields cost one jump. */
static long take_field(struct http_request *req, const struct http_field *f, struct seen *seen,
                       struct http_error *err)
{
    switch (f->name.len) {
    case 4:
        if (http_str_is_nocase(f->name, "host"))
            return take_host(req, f->value, &seen->host, err);
        break;
    case 6:
        if (http_str_is_nocase(f->name, "expect"))
            return take_expect(req, f->value, err);
        break;
    case 10:
        if (http_str_is_nocase(f->name, "connection"))
            take_connection(req, f->value, &seen->close);
        break;
    case 14:
        if (http_str_is_nocase(f->name, "content-length"))
            return take_length(req, f->value, err);
        break;
    case 17:
        if (http_str_is_nocase(f->name, "transfer-encoding"))
            return take_transfer_encoding(req, f->value, err);
        break;
    default:
        break;
    }
    return 0;
}

static long parse_field(struct http_request *req, const char *p, size_t len, struct http_error *err)
{
    struct http_field *f;
    size_t n = 0;

    if (req->n_headers == HTTP_HEADERS_MAX)
        return refuse(err, 431, "There are more than 100 header fields.");
    if (p[0] == ' ' || p[0] == '\t')
        return refuse(err, 400, "A header field is folded over several lines.");
    while (n < len && (classes[(uint8_t)p[n]] & C_TOKEN) != 0)
        n++;
    if (n == 0 || n == len || p[n] != ':')
        return refuse(err, 400, "A header field's name is not followed by a colon.");
    f = &req->headers[req->n_headers++];
    f->name = (struct http_str){p, n};
    f->value = http__trim((struct http_str){p + n + 1, len - n - 1});
    if (!is_value(p + n + 1, len - n - 1))
        return refuse(err, 400, "A header field has a control character in it.");
    return 0;
}

static long check_message(struct http_request *req, const struct seen *seen, struct http_error *err)
{
    if (!seen->host && req->version_minor == 1)
        return refuse(err, 400, "The Host field is missing.");
    if (req->chunked && req->has_length)
        return refuse(err, 400, "Both Transfer-Encoding and Content-Length are given.");
    if (seen->close)
        req->keep_alive = false;
    return 0;
}

/* p[0, len) is the head from the request line up to and including the blank line. */
static long parse_lines(struct http_request *req, const char *p, size_t len, struct http_error *err)
{
    struct seen seen = {false, false};
    const char *lf = memchr(p, '\n', len);
    size_t i = (size_t)(lf - p) + 1;
    long rc = parse_request_line(req, p, i - 2, err);

    while (rc == 0 && i < len - 2) {
        size_t n;

        lf = memchr(p + i, '\n', len - i);
        n = (size_t)(lf - p) - 1 - i;
        rc = parse_field(req, p + i, n, err);
        if (rc == 0)
            rc = take_field(req, &req->headers[req->n_headers - 1], &seen, err);
        i += n + 2;
    }
    return rc != 0 ? rc : check_message(req, &seen, err);
}

long http_parse_head(const char *bytes, size_t len, size_t *scanned, struct http_request *req,
                     struct http_error *err)
{
    size_t skip;
    long n, rc;

    if (len == 0)
        return 0;
    /* One empty line before a request is forgiven (RFC 9112, 2.2): old clients
     * send it after a body. */
    skip = bytes[0] == '\r' && len >= 2 && bytes[1] == '\n' ? 2 : 0;
    if (bytes[0] == '\r' && len == 1)
        return 0;
    if (len == skip)
        return 0;
    rc = check_first_bytes(bytes + skip, len - skip, err);
    if (rc != 0)
        return rc;
    if (*scanned < skip)
        *scanned = skip;
    *scanned -= skip;
    n = find_end(bytes + skip, len - skip, scanned, err);
    *scanned += skip;
    if (n <= 0)
        return n;
    req->n_headers = 0;
    memset(req, 0, offsetof(struct http_request, headers));
    rc = parse_lines(req, bytes + skip, (size_t)n, err);
    if (rc != 0)
        return rc;
    *scanned = 0;
    return n + (long)skip;
}

/* --- looking things up --------------------------------------------------- */

struct http_str http__trim(struct http_str s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool http_str_is(struct http_str s, const char *z)
{
    return strlen(z) == s.len && (s.len == 0 || memcmp(s.p, z, s.len) == 0);
}

bool http_str_is_nocase(struct http_str s, const char *z)
{
    return strlen(z) == s.len && (s.len == 0 || strncasecmp(s.p, z, s.len) == 0);
}

bool http_is_token(struct http_str s)
{
    return s.len > 0 && is_all(s.p, s.len, C_TOKEN);
}

const struct http_str *http_header_get(const struct http_request *req, const char *name)
{
    for (unsigned i = 0; i < req->n_headers; i++) {
        if (http_str_is_nocase(req->headers[i].name, name))
            return &req->headers[i].value;
    }
    return NULL;
}

unsigned http_header_count(const struct http_request *req, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < req->n_headers; i++)
        n += http_str_is_nocase(req->headers[i].name, name);
    return n;
}

static size_t element_end(struct http_str s)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == ',' && !quoted)
            break;
    }
    return i < s.len ? i : s.len;
}

bool http_list_next(struct http_str *rest, struct http_str *element)
{
    while (rest->len > 0) {
        size_t n = element_end(*rest);

        *element = http__trim((struct http_str){rest->p, n});
        if (n < rest->len)
            n++;
        rest->p += n;
        rest->len -= n;
        if (element->len > 0)
            return true;
    }
    return false;
}

bool http_header_has_token(const struct http_request *req, const char *name, const char *token)
{
    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, element;

        if (!http_str_is_nocase(req->headers[i].name, name))
            continue;
        while (http_list_next(&rest, &element)) {
            if (http_str_is_nocase(element, token))
                return true;
        }
    }
    return false;
}
