#include "base/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define PREFIX "skein_"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct {
    enum kind kind;
    const char *name, *help;
} table[] = {
#define X(kind, id, name, help) {kind, name, help},
    METRICS(X)
#undef X
};

/* Upper bounds in microseconds; what is above the last counts in one more. */
static const uint64_t bounds[] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};
#define BUCKETS (sizeof(bounds) / sizeof(bounds[0]) + 1)

/* A counter or gauge uses `value`; a histogram's is the sum of its microseconds. */
struct cell {
    _Atomic int64_t value;
    _Atomic uint64_t buckets[BUCKETS];
};

/* One thread's cells. The last set belongs to nobody and is shared. */
struct cells {
    _Alignas(64) struct cell of[METRICS_COUNT];
};

/* The process has one set of figures, as it has one log. */
static struct {
    struct cells cells[METRICS_THREADS_MAX + 1];
    atomic_uint threads;
} shared;

static _Thread_local unsigned own; /* number of this thread's cells, plus 1 */

static unsigned my_cells(void)
{
    if (own == 0) {
        /* relaxed: only the number matters */
        unsigned n = atomic_fetch_add_explicit(&shared.threads, 1, memory_order_relaxed);

        own = (n < METRICS_THREADS_MAX ? n : METRICS_THREADS_MAX) + 1;
    }
    return own - 1;
}

void metrics_add(enum metric m, int64_t n)
{
    unsigned i = my_cells();
    _Atomic int64_t *v = &shared.cells[i].of[m].value;

    if (i == METRICS_THREADS_MAX)
        atomic_fetch_add_explicit(v, n, memory_order_relaxed);
    else /* no other thread stores here, so a load and a store will do */
        atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

void metrics_observe_us(enum metric m, uint64_t micros)
{
    struct cell *c = &shared.cells[my_cells()].of[m];
    size_t i = 0;

    assert(table[m].kind == HISTOGRAM);
    while (i < BUCKETS - 1 && micros > bounds[i])
        i++;
    atomic_fetch_add_explicit(&c->buckets[i], 1, memory_order_relaxed);
    metrics_add(m, (int64_t)micros);
}

static int64_t sum_value(enum metric m)
{
    int64_t sum = 0;

    for (size_t i = 0; i <= METRICS_THREADS_MAX; i++)
        sum += atomic_load_explicit(&shared.cells[i].of[m].value, memory_order_relaxed);
    return sum;
}

static uint64_t sum_bucket(enum metric m, size_t bucket)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= METRICS_THREADS_MAX; i++)
        sum += atomic_load_explicit(&shared.cells[i].of[m].buckets[bucket], memory_order_relaxed);
    return sum;
}

int64_t metrics_get(enum metric m)
{
    uint64_t n = 0;

    if (table[m].kind != HISTOGRAM)
        return sum_value(m);
    for (size_t i = 0; i < BUCKETS; i++)
        n += sum_bucket(m, i);
    return (int64_t)n;
}

/* --- rendering ----------------------------------------------------------- */

static void put_type(struct buf *b, const char *type, const char *prefix, const char *name,
                     const char *help)
{
    buf_printf(b, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

void metrics_put(struct buf *b, const char *type, const char *name, const char *labels,
                 const char *help, double value)
{
    if (help != NULL)
        put_type(b, type, PREFIX, name, help);
    buf_printf(b, PREFIX "%s%s %.15g\n", name, labels, value);
}

static void put_histogram(struct buf *b, enum metric m)
{
    const char *name = table[m].name;
    uint64_t n = 0;

    put_type(b, "histogram", PREFIX, name, table[m].help);
    for (size_t i = 0; i < BUCKETS - 1; i++) {
        n += sum_bucket(m, i);
        buf_printf(b, PREFIX "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds[i] / 1e6,
                   (unsigned long long)n);
    }
    n += sum_bucket(m, BUCKETS - 1);
    buf_printf(b, PREFIX "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)n);
    buf_printf(b, PREFIX "%s_sum %.15g\n" PREFIX "%s_count %llu\n", name,
               (double)sum_value(m) / 1e6, name, (unsigned long long)n);
}

/* The names that Prometheus' own client libraries use for every process. */
static void put_process_metric(struct buf *b, const char *type, const char *name, const char *help,
                               double value)
{
    put_type(b, type, "process_", name, help);
    buf_printf(b, "process_%s %.15g\n", name, value);
}

/* Reads up to n numbers separated by spaces from a file of /proc. */
static size_t read_proc(const char *path, double *numbers, size_t n)
{
    FILE *f = fopen(path, "re");
    size_t got = 0;

    if (f == NULL)
        return 0;
    while (got < n && fscanf(f, "%lf", &numbers[got]) == 1)
        got++;
    fclose(f);
    return got;
}

static size_t count_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

static void put_process(struct buf *b)
{
    struct rlimit files;
    struct rusage use;
    double pages[2];

    if (read_proc("/proc/self/statm", pages, 2) == 2)
        put_process_metric(b, "gauge", "resident_memory_bytes",
                           "Memory of the process as the kernel sees it.",
                           pages[1] * (double)sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &use) == 0)
        put_process_metric(b, "counter", "cpu_seconds_total", "CPU time used, user and system.",
                           (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                               (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    put_process_metric(b, "gauge", "open_fds", "Files and sockets open.", (double)count_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        put_process_metric(b, "gauge", "max_fds", "Files and sockets allowed.",
                           (double)files.rlim_cur);
    metrics_put(b, "gauge", "memory_bytes", "", "Memory in use by the process's accounts.",
                (double)mem_account_used(mem_process()));
    metrics_put(b, "counter", "log_lines_lost_total", "",
                "Log lines that standard error did not take.", (double)log_lost());
    metrics_put(b, "gauge", "build_info", "{version=\"" SKEIN_VERSION "\"}",
                "Always 1; the version is in the label.", 1);
}

void metrics_render(struct buf *b)
{
    for (int m = 0; m < METRICS_COUNT; m++) {
        if (table[m].kind == HISTOGRAM)
            put_histogram(b, (enum metric)m);
        else
            metrics_put(b, table[m].kind == GAUGE ? "gauge" : "counter", table[m].name, "",
                        table[m].help, (double)sum_value((enum metric)m));
    }
    put_process(b);
}
