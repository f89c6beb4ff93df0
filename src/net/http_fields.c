/* http_fields - see http_fields.h. Who the client is stands in http_forwarded.c. */
#include "net/http_fields.h"

#include <string.h>
#include <strings.h>

#include "net/http_parse_internal.h"

/* --- ranges (RFC 9110, 14) -------------------------------------------------- */

/* Takes decimal digits off the front; false when there are none or too many. */
static bool take_number(struct http_str *s, uint64_t *out)
{
    size_t n = 0;

    *out = 0;
    while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9') {
        if (n == 18)
            return false;
        *out = *out * 10 + (uint64_t)(s->p[n++] - '0');
    }
    s->p += n;
    s->len -= n;
    return n > 0;
}

/* "-500": the last 500 bytes. */
static enum http_range_kind parse_suffix(struct http_str s, uint64_t size, uint64_t *first,
                                         uint64_t *last)
{
    uint64_t n;

    if (!take_number(&s, &n) || s.len != 0)
        return HTTP_RANGE_NONE;
    if (n == 0 || size == 0)
        return HTTP_RANGE_UNSATISFIABLE;
    *first = n >= size ? 0 : size - n;
    *last = size - 1;
    return HTTP_RANGE_PART;
}

enum http_range_kind http_range_parse(struct http_str value, uint64_t size, uint64_t *first,
                                      uint64_t *last)
{
    struct http_str s = value;

    *first = *last = 0;
    if (s.len < 7 || strncasecmp(s.p, "bytes=", 6) != 0 || memchr(s.p, ',', s.len) != NULL)
        return HTTP_RANGE_NONE;
    s = http__trim((struct http_str){s.p + 6, s.len - 6});
    if (s.len > 0 && s.p[0] == '-')
        return parse_suffix((struct http_str){s.p + 1, s.len - 1}, size, first, last);
    if (!take_number(&s, first) || s.len == 0 || s.p[0] != '-')
        return HTTP_RANGE_NONE;
    s.p++;
    s.len--;
    *last = UINT64_MAX;
    if (s.len > 0 && (!take_number(&s, last) || s.len != 0 || *last < *first))
        return HTTP_RANGE_NONE;
    if (*first >= size)
        return HTTP_RANGE_UNSATISFIABLE;
    if (*last >= size)
        *last = size - 1;
    return HTTP_RANGE_PART;
}

/* --- entity tags ------------------------------------------------------------ */

static struct http_str without_weak(struct http_str tag)
{
    if (tag.len >= 2 && tag.p[0] == 'W' && tag.p[1] == '/')
        return (struct http_str){tag.p + 2, tag.len - 2};
    return tag;
}

static bool is_equal(struct http_str a, struct http_str b)
{
    return a.len == b.len && a.len > 0 && memcmp(a.p, b.p, a.len) == 0;
}

bool http_etag_matches(struct http_str value, struct http_str etag)
{
    struct http_str rest = value, tag;

    if (http_str_is(http__trim(value), "*"))
        return true;
    while (http_list_next(&rest, &tag)) {
        if (is_equal(without_weak(tag), without_weak(etag)))
            return true;
    }
    return false;
}

bool http_if_range_matches(struct http_str value, struct http_str etag)
{
    return value.len > 0 && value.p[0] == '"' && is_equal(value, etag);
}

/* --- what the client accepts (RFC 9110, 12.5) -------------------------------- */

/* Cuts "name;a=b;q=0.5" into its name and its weight in thousandths. A weight
 * that is malformed counts as 0: what the client asked for is not known. */
static unsigned take_weight(struct http_str *element)
{
    const char *semicolon = memchr(element->p, ';', element->len);
    struct http_str params;
    unsigned weight = 1000;

    if (semicolon == NULL)
        return weight;
    params = (struct http_str){semicolon, element->len - (size_t)(semicolon - element->p)};
    *element = http__trim((struct http_str){element->p, element->len - params.len});
    while (params.len > 0) {
        const char *next;
        struct http_str p;

        params = (struct http_str){params.p + 1, params.len - 1};
        next = params.len > 0 ? memchr(params.p, ';', params.len) : NULL;
        p = (struct http_str){params.p, next == NULL ? params.len : (size_t)(next - params.p)};
        params = (struct http_str){params.p + p.len, params.len - p.len};
        p = http__trim(p);
        if (p.len < 2 || (p.p[0] != 'q' && p.p[0] != 'Q') || p.p[1] != '=')
            continue;
        if (p.len < 3 || p.len > 7 || (p.p[2] != '0' && p.p[2] != '1') ||
            (p.len > 3 && p.p[3] != '.'))
            return 0;
        weight = p.p[2] == '1' ? 1000 : 0;
        for (size_t i = 4, unit = 100; i < p.len; i++, unit /= 10) {
            if (p.p[i] < '0' || p.p[i] > '9' || (weight >= 1000 && p.p[i] != '0'))
                return 0;
            weight += (unsigned)(p.p[i] - '0') * (unsigned)unit;
        }
    }
    return weight;
}

bool http_accepts_encoding(const struct http_request *req, const char *coding)
{
    bool any = false;

    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, e;

        if (!http_str_is_nocase(req->headers[i].name, "Accept-Encoding"))
            continue;
        while (http_list_next(&rest, &e)) {
            unsigned weight = take_weight(&e);

            if (http_str_is_nocase(e, coding))
                return weight > 0; /* named beats "*", wherever it stands */
            if (http_str_is(e, "*"))
                any = weight > 0;
        }
    }
    return any;
}

/* How closely a media range names a type: 3 itself, 2 as type/ *, 1 as * / *, 0 not. */
static int closeness(struct http_str range, const char *type)
{
    const char *slash = strchr(type, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - type) + 1;

    if (http_str_is_nocase(range, type))
        return 3;
    if (range.len == n + 1 && n > 0 && range.p[n] == '*' && strncasecmp(range.p, type, n) == 0)
        return 2;
    return http_str_is(range, "*/*") ? 1 : 0;
}

bool http_accepts_type(const struct http_request *req, const char *type)
{
    bool is_accepted = http_header_get(req, "Accept") == NULL;
    int best = 0;

    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, e;

        if (!http_str_is_nocase(req->headers[i].name, "Accept"))
            continue;
        while (http_list_next(&rest, &e)) {
            unsigned weight = take_weight(&e);
            int close = closeness(e, type);

            if (close > best) {
                best = close;
                is_accepted = weight > 0;
            }
        }
    }
    return is_accepted;
}

/* --- credentials ------------------------------------------------------------- */

struct http_str http_authorization(const struct http_request *req, const char *scheme)
{
    const struct http_str *v = http_header_get(req, "Authorization");
    struct http_str none = {NULL, 0}, rest;
    size_t n = strlen(scheme);

    if (v == NULL || http_header_count(req, "Authorization") != 1 || v->len <= n + 1 ||
        strncasecmp(v->p, scheme, n) != 0 || v->p[n] != ' ')
        return none;
    rest = http__trim((struct http_str){v->p + n, v->len - n});
    return rest.len > 0 ? rest : none;
}

/* Takes the next name=value off a Cookie field (RFC 6265, 4.2). */
static bool take_cookie(struct http_str *rest, struct http_str *name, struct http_str *value)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->p, ';', rest->len);
        size_t n = end == NULL ? rest->len : (size_t)(end - rest->p);
        const char *equals = memchr(rest->p, '=', n);
        struct http_str pair = {rest->p, n};

        rest->p += end == NULL ? n : n + 1;
        rest->len -= end == NULL ? n : n + 1;
        if (equals == NULL)
            continue;
        *name = http__trim((struct http_str){pair.p, (size_t)(equals - pair.p)});
        *value =
            http__trim((struct http_str){equals + 1, pair.len - (size_t)(equals - pair.p) - 1});
        return true;
    }
    return false;
}

struct http_str http_cookie_get(const struct http_request *req, const char *name)
{
    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, n, v;

        if (!http_str_is_nocase(req->headers[i].name, "Cookie"))
            continue;
        while (take_cookie(&rest, &n, &v)) {
            if (!http_str_is(n, name))
                continue;
            if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
                return (struct http_str){v.p + 1, v.len - 2};
            return v;
        }
    }
    return (struct http_str){NULL, 0};
}
