#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test *tests;
static jmp_buf test_exit;
static const char *test_row;

void test_register(struct test *t)
{
    struct test **p = &tests;

    while (*p != NULL)
        p = &(*p)->next;
    *p = t;
}

void test_case(const char *name)
{
    test_row = name;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", file, line);
    if (test_row != NULL)
        fprintf(stderr, "[%s] ", test_row);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    longjmp(test_exit, 1);
}

uint8_t *test_dup(const void *p, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, p, len);
    return copy;
}

void test_free(void *p)
{
    free(p);
}

void test_check_int(const char *file, int line, const char *what, long long got, long long want)
{
    if (got != want)
        test_fail(file, line, "%s is %lld, expected %lld", what, got, want);
}

void test_check_str(const char *file, int line, const char *what, const char *got, const char *want)
{
    if (got == NULL || want == NULL ? got != want : strcmp(got, want) != 0)
        test_fail(file, line, "%s is \"%s\", expected \"%s\"", what, got ? got : "(null)",
                  want ? want : "(null)");
}

static void print_hex(const char *label, const uint8_t *p, size_t len)
{
    fprintf(stderr, "    %s (%zu):", label, len);
    for (size_t i = 0; i < len && i < 64; i++)
        fprintf(stderr, " %02x", p[i]);
    fputc('\n', stderr);
}

void test_check_mem(const char *file, int line, const char *what, const void *got, size_t got_len,
                    const void *want, size_t want_len)
{
    if (got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0))
        return;
    print_hex("got", got, got_len);
    print_hex("want", want, want_len);
    test_fail(file, line, "%s differs", what);
}

int main(int argc, char **argv)
{
    static int passed, failed; /* static: they must outlive a longjmp() */
    static struct test *t;

    for (t = tests; t != NULL; t = t->next) {
        if (argc > 1 && strstr(t->name, argv[1]) == NULL)
            continue;
        test_row = NULL;
        if (setjmp(test_exit) == 0) {
            t->run();
            passed++;
        } else {
            fprintf(stderr, "FAILED %s\n", t->name);
            failed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
