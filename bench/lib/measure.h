#ifndef SKEIN_BENCH_MEASURE_H
#define SKEIN_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* measure - clocks, histograms, and what a process costs as /proc tells it.
 *
 * For programs that measure and then end: what cannot go on ends the program with words.
 */

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *xrealloc(void *p, size_t n);
void *xzalloc(size_t n);

uint64_t now_ns(void);
uint64_t after_ns(double seconds); /* that time from now */

/* Durations in nanoseconds, 64 steps for each power of two: within 1.6 %. */
#define HIST_SLOTS (48u * 64u)
struct hist {
    uint64_t n, max;
    uint64_t slot[HIST_SLOTS];
};
void hist_add(struct hist *h, uint64_t ns);
double hist_ms(const struct hist *h, double q); /* below which the share q lies */
double hist_max_ms(const struct hist *h);

/* The CPU time of a process, its threads and its children's, in nanoseconds; 0 when it is not
 * there. What ended threads have used is lost, where the kernel has schedstat. */
uint64_t cpu_ns(int pid);
/* A line of /proc/PID/smaps_rollup such as "Pss:"; -1 when there is none. */
long smaps_kb(int pid, const char *key);
double self_cpu_s(void);

/* A place in time, to subtract from a later one. */
struct mark {
    uint64_t at, cpu;
    double self;
};
struct mark mark_now(int pid);
double mark_wall_s(const struct mark *a, const struct mark *b);
double mark_cpu_s(const struct mark *a, const struct mark *b);
double per_million(double cpu_s, uint64_t n);

#endif
