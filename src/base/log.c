#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMITER_CELLS 64

/* One event's lines in the current second. Two events may share a cell: then
 * they share the allowance. */
struct limiter {
    _Atomic uint64_t second;
    atomic_uint written, left_out;
};

/* The process has one log, as it has one standard error. All of it is atomic
 * and relaxed: the settings order nothing, and a count that is off by one in a
 * race between threads costs a line more or less. */
static struct {
    atomic_int level, format, fd;
    _Atomic uint64_t lost;
    struct limiter limiters[LIMITER_CELLS];
} shared = {.level = LOG_INFO, .fd = STDERR_FILENO};

struct line {
    char p[LOG_LINE_MAX];
    size_t len;
    bool json;
    bool full; /* something did not fit */
};

/* One conversion of a format: its text for snprintf, and what it takes. */
struct spec {
    char text[16];
    char conversion;
    char length; /* 0, l, L (ll), z, j */
    bool has_precision_arg;
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&shared.level, (int)level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&shared.format, (int)format, memory_order_relaxed);
}

void log_set_fd(int fd)
{
    atomic_store_explicit(&shared.fd, fd, memory_order_relaxed);
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&shared.lost, memory_order_relaxed);
}

/* --- the line ------------------------------------------------------------ */

/* Room is kept for the count of lines left out and the end of the line. */
#define LINE_END 32

static void put(struct line *l, const char *p, size_t n)
{
    if (l->full || n > sizeof(l->p) - LINE_END - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->p + l->len, p, n);
    l->len += n;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* The length of the well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_len(const uint8_t *p, size_t n)
{
    size_t len = p[0] < 0x80       ? 1
                 : p[0] >> 5 == 6  ? 2
                 : p[0] >> 4 == 14 ? 3
                 : p[0] >> 3 == 30 ? 4
                                   : 0;
    uint32_t cp;

    if (len == 0 || len > n)
        return 0;
    cp = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3f);
    }
    if (len > 1 && cp < (len == 2 ? 0x80u : len == 3 ? 0x800u : 0x10000u))
        return 0;
    if ((cp >= 0xd800 && cp < 0xe000) || cp > 0x10ffff)
        return 0;
    return len;
}

static void put_escaped_byte(struct line *l, uint8_t c)
{
    char hex[8];

    if (c == '"' || c == '\\') {
        put(l, (char[]){'\\', (char)c}, 2);
    } else if (c == '\n') {
        put_str(l, "\\n");
    } else if (c == '\t') {
        put_str(l, "\\t");
    } else {
        /* JSON has no \x; a byte that is no UTF-8 is shown as the code point of its value */
        snprintf(hex, sizeof(hex), l->json ? "\\u%04x" : "\\x%02x", c);
        put_str(l, hex);
    }
}

/* C1 controls and the line separators would break a terminal or a line-wise reader. */
static bool is_printable(const uint8_t *p, size_t len)
{
    if (len == 1)
        return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '"' && p[0] != '\\';
    if (len == 2 && p[0] == 0xc2 && p[1] < 0xa0)
        return false;
    return !(len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9));
}

static bool needs_quotes(const uint8_t *p, size_t n)
{
    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (p[i] <= 0x20 || p[i] >= 0x7f || p[i] == '"' || p[i] == '=' || p[i] == '\\')
            return true;
    }
    return false;
}

static void put_value(struct line *l, const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t cut = n > LOG_VALUE_MAX ? LOG_VALUE_MAX : n;

    if (!l->json && n == cut && !needs_quotes(p, n)) {
        put(l, s, n);
        return;
    }
    put_str(l, "\"");
    for (size_t i = 0; i < cut;) {
        size_t len = utf8_len(p + i, n - i);

        if (len > 0 && is_printable(p + i, len)) {
            put(l, s + i, len);
            i += len;
            continue;
        }
        for (size_t end = i + (len > 0 ? len : 1); i < end; i++)
            put_escaped_byte(l, p[i]);
    }
    put_str(l, cut < n ? "...\"" : "\"");
}

static void put_key(struct line *l, const char *key, size_t n)
{
    put_str(l, l->json ? ",\"" : " ");
    put(l, key, n);
    put_str(l, l->json ? "\":" : "=");
}

/* --- the format ---------------------------------------------------------- */

/* Reads the conversion at fmt, which begins with '%'; returns what follows. */
static const char *read_spec(const char *fmt, struct spec *s)
{
    const char *p = fmt + 1;

    *s = (struct spec){0};
    p += strspn(p, "-0 #+");
    p += strspn(p, "0123456789");
    if (*p == '.') {
        p++;
        s->has_precision_arg = *p == '*';
        p += s->has_precision_arg ? 1 : strspn(p, "0123456789");
    }
    if (*p == 'l' || *p == 'z' || *p == 'j')
        s->length = *p++;
    if (s->length == 'l' && *p == 'l') {
        s->length = 'L';
        p++;
    }
    s->conversion = *p++;
    assert((size_t)(p - fmt) < sizeof(s->text));
    memcpy(s->text, fmt, (size_t)(p - fmt));
    return p;
}

static int print_signed(char *out, size_t n, const struct spec *s, va_list *ap)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    /* the text is the conversion of a format that the compiler has checked */
    switch (s->length) {
    case 'l':
        return snprintf(out, n, s->text, va_arg(*ap, long));
    case 'L':
        return snprintf(out, n, s->text, va_arg(*ap, long long));
    case 'z':
    case 'j':
        return snprintf(out, n, s->text, va_arg(*ap, size_t));
    default:
        return snprintf(out, n, s->text, va_arg(*ap, int));
    }
#pragma GCC diagnostic pop
}

static int print_double(char *out, size_t n, const struct spec *s, va_list *ap)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return snprintf(out, n, s->text, va_arg(*ap, double));
#pragma GCC diagnostic pop
}

static void put_string_arg(struct line *l, const struct spec *s, va_list *ap)
{
    int precision = s->has_precision_arg ? va_arg(*ap, int) : -1;
    const char *p = va_arg(*ap, const char *);

    if (p == NULL)
        put_value(l, "-", 1);
    else
        put_value(l, p, precision >= 0 ? (size_t)precision : strlen(p));
}

static const char *put_arg(struct line *l, const char *fmt, va_list *ap)
{
    struct spec s;
    char number[64];
    const char *rest = read_spec(fmt, &s);
    int n;

    if (s.conversion == 's') {
        put_string_arg(l, &s, ap);
        return rest;
    }
    if (s.conversion == 'f' || s.conversion == 'g')
        n = print_double(number, sizeof(number), &s, ap);
    else
        n = print_signed(number, sizeof(number), &s, ap);
    assert(n > 0 && (size_t)n < sizeof(number));
    if (l->json && (s.conversion == 'x' || s.conversion == 'c'))
        put_value(l, number, (size_t)n);
    else
        put(l, number, (size_t)n);
    return rest;
}

static void put_fields(struct line *l, const char *fmt, va_list *ap)
{
    if (strcmp(fmt, "%s") == 0) /* LOG_NO_FIELDS */
        return;
    while (*fmt != 0) {
        size_t before = l->len, key = strcspn(fmt, "=");

        assert(fmt[key] == '=' && key > 0);
        put_key(l, fmt, key);
        fmt += key + 1;
        if (*fmt == '%') {
            fmt = put_arg(l, fmt, ap);
        } else {
            size_t n = strcspn(fmt, " ");

            put_value(l, fmt, n);
            fmt += n;
        }
        if (l->full) { /* the line ends before the field that did not fit */
            l->len = before;
            return;
        }
        assert(*fmt == 0 || *fmt == ' ');
        fmt += *fmt == ' ';
    }
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct timespec now;
    struct tm tm;
    char stamp[32], head[160];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(head, sizeof(head),
             l->json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\""
                     : "time=%s.%03ldZ level=%s event=%s",
             stamp, now.tv_nsec / 1000000, names[level], event);
    put_str(l, head);
}

static void finish(struct line *l)
{
    size_t n;

    if (l->json)
        l->p[l->len++] = '}';
    l->p[l->len++] = '\n';
    n = l->len;
    for (;;) {
        ssize_t w = write(atomic_load_explicit(&shared.fd, memory_order_relaxed), l->p, n);

        if (w == (ssize_t)n)
            return;
        if (w < 0 && errno == EINTR)
            continue;
        atomic_fetch_add_explicit(&shared.lost, 1, memory_order_relaxed);
        return;
    }
}

static void write_line(enum log_level level, const char *event, unsigned left_out, const char *fmt,
                       va_list *ap)
{
    struct line l;

    l.len = 0;
    l.full = false;
    l.json = atomic_load_explicit(&shared.format, memory_order_relaxed) == LOG_JSON;
    put_head(&l, level, event);
    put_fields(&l, fmt, ap);
    if (left_out > 0)
        l.len += (size_t)snprintf(l.p + l.len, LINE_END - 2,
                                  l.json ? ",\"left_out\":%u" : " left_out=%u", left_out);
    finish(&l);
}

static bool is_wanted(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&shared.level, memory_order_relaxed);
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    va_list ap;

    if (!is_wanted(level))
        return;
    va_start(ap, fmt);
    write_line(level, event, 0, fmt, &ap);
    va_end(ap);
}

/* --- lines that peers cause ---------------------------------------------- */

static struct limiter *limiter_of(const char *event)
{
    unsigned h = 5381;

    for (; *event != 0; event++)
        h = h * 33 + (unsigned char)*event;
    return &shared.limiters[h % LIMITER_CELLS];
}

/* Whether this line may be written; *left_out is what to report with it. */
static bool limiter_allows(struct limiter *m, unsigned *left_out)
{
    struct timespec now;
    uint64_t second;

    *left_out = 0;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    second = (uint64_t)now.tv_sec + 1; /* never the 0 of a fresh cell */
    if (atomic_exchange_explicit(&m->second, second, memory_order_relaxed) != second) {
        atomic_store_explicit(&m->written, 0, memory_order_relaxed);
        *left_out = atomic_exchange_explicit(&m->left_out, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&m->written, 1, memory_order_relaxed) < LOG_PEER_PER_SECOND)
        return true;
    atomic_fetch_add_explicit(&m->left_out, 1, memory_order_relaxed);
    return false;
}

void log_peer(const char *event, const char *fmt, ...)
{
    unsigned left_out;
    va_list ap;

    if (!is_wanted(LOG_INFO) || !limiter_allows(limiter_of(event), &left_out))
        return;
    va_start(ap, fmt);
    write_line(LOG_INFO, event, left_out, fmt, &ap);
    va_end(ap);
}
