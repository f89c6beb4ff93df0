/* http_uri - see http_uri.h. */
#include "net/http_uri.h"

#include <string.h>

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

/* Decodes one character off the front of *s. The byte, or SK_EBADMSG. */
static int take_char(struct http_str *s, bool is_form)
{
    char c = s->p[0];
    int high, low;

    if (c != '%') {
        s->p++;
        s->len--;
        return is_form && c == '+' ? ' ' : (unsigned char)c;
    }
    if (s->len < 3)
        return SK_EBADMSG;
    high = hex_digit(s->p[1]);
    low = hex_digit(s->p[2]);
    if (high < 0 || low < 0)
        return SK_EBADMSG;
    s->p += 3;
    s->len -= 3;
    return high << 4 | low;
}

static long decode(struct http_str s, char *out, size_t cap, bool is_form)
{
    size_t n = 0;

    while (s.len > 0) {
        int c = take_char(&s, is_form);

        if (c < 0)
            return c;
        if (n == cap)
            return SK_ETOOBIG;
        out[n++] = (char)c;
    }
    return (long)n;
}

long http_percent_decode(struct http_str s, char *out, size_t cap)
{
    return decode(s, out, cap, false);
}

long http_form_decode(struct http_str s, char *out, size_t cap)
{
    return decode(s, out, cap, true);
}

bool http_path_next(struct http_str *path, struct http_str *segment)
{
    const char *slash;

    if (path->len == 0)
        return false;
    if (path->p[0] == '/') {
        path->p++;
        path->len--;
    }
    slash = path->len > 0 ? memchr(path->p, '/', path->len) : NULL;
    *segment = (struct http_str){path->p, slash == NULL ? path->len : (size_t)(slash - path->p)};
    path->p += segment->len;
    path->len -= segment->len;
    return true;
}

bool http_query_next(struct http_str *query, struct http_str *name, struct http_str *value)
{
    while (query->len > 0) {
        const char *amp = memchr(query->p, '&', query->len);
        size_t n = amp == NULL ? query->len : (size_t)(amp - query->p);
        const char *equals = memchr(query->p, '=', n);

        *name = (struct http_str){query->p, equals == NULL ? n : (size_t)(equals - query->p)};
        *value = (struct http_str){query->p + n, 0};
        if (equals != NULL)
            *value = (struct http_str){equals + 1, n - name->len - 1};
        query->p += amp == NULL ? n : n + 1;
        query->len -= amp == NULL ? n : n + 1;
        if (n > 0)
            return true;
    }
    return false;
}

/* Whether s decodes to z; a bad escape is no match. */
static bool decodes_to(struct http_str s, const char *z)
{
    while (s.len > 0) {
        int c = take_char(&s, true);

        if (c < 0 || *z == 0 || c != (unsigned char)*z)
            return false;
        z++;
    }
    return *z == 0;
}

long http_query_get(struct http_str query, const char *name, char *out, size_t cap)
{
    struct http_str n, v;

    while (http_query_next(&query, &n, &v)) {
        if (decodes_to(n, name))
            return http_form_decode(v, out, cap);
    }
    return SK_ENOTFOUND;
}
