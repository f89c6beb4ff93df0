#ifndef SKEIN_UNIT_HARNESS_H
#define SKEIN_UNIT_HARNESS_H

/* harness - the unit tests' frame.
 *
 *     TEST(varuint, largest_value) { CHECK_EQ(f(), 3); }
 *
 * Every test_*.c is one executable; TEST registers itself before main(). A
 * failed check prints file, line and both values, ends the test, and the run
 * goes on with the next one. An argument on the command line runs only the
 * tests whose name contains it.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *t);
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void test_case(const char *name); /* names the row of a table in failures */

/* A heap copy of exactly len bytes, so that ASan sees one byte too many. */
uint8_t *test_dup(const void *p, size_t len);
void test_free(void *p);

void test_check_int(const char *file, int line, const char *what, long long got, long long want);
void test_check_str(const char *file, int line, const char *what, const char *got,
                    const char *want);
void test_check_mem(const char *file, int line, const char *what, const void *got, size_t got_len,
                    const void *want, size_t want_len);

#define TEST(suite, label)                                                                         \
    static void suite##__##label(void);                                                            \
    __attribute__((constructor)) static void suite##__##label##__register(void)                    \
    {                                                                                              \
        static struct test t = {#suite "." #label, suite##__##label, NULL};                        \
        test_register(&t);                                                                         \
    }                                                                                              \
    static void suite##__##label(void)

#define TEST_CASE(name) test_case(name)
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            test_fail(__FILE__, __LINE__, "%s", #cond);                                            \
    } while (0)
#define CHECK_EQ(got, want)                                                                        \
    test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_MEM(got, got_len, want, want_len)                                                    \
    test_check_mem(__FILE__, __LINE__, #got, (got), (got_len), (want), (want_len))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
