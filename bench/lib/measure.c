#include "measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n == 0 ? 1 : n);
    if (p == NULL)
        die("out of memory (%zu bytes)", n);
    return p;
}

void *xzalloc(size_t n)
{
    void *p = xrealloc(NULL, n);

    memset(p, 0, n);
    return p;
}

uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t after_ns(double seconds)
{
    return now_ns() + (uint64_t)(seconds * 1e9);
}

void hist_add(struct hist *h, uint64_t ns)
{
    unsigned shift = 0;

    while ((ns >> shift) >= 128)
        shift++;
    unsigned i = shift * 64 + (unsigned)(ns >> shift);
    h->slot[i < HIST_SLOTS ? i : HIST_SLOTS - 1]++;
    h->n++;
    if (ns > h->max)
        h->max = ns;
}

double hist_ms(const struct hist *h, double q)
{
    uint64_t want = (uint64_t)((double)h->n * q), sum = 0;

    for (unsigned i = 0; i < HIST_SLOTS; i++) {
        sum += h->slot[i];
        if (sum > want) {
            unsigned shift = i < 128 ? 0 : i / 64 - 1;
            return (double)((uint64_t)(i - shift * 64) << shift) / 1e6;
        }
    }
    return hist_max_ms(h);
}

double hist_max_ms(const struct hist *h)
{
    return (double)h->max / 1e6;
}

static bool read_proc(char *out, size_t cap, const char *fmt, ...)
{
    char path[160];
    va_list ap;
    ssize_t n;
    int fd;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, out, cap - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t stat_ns(int pid)
{
    char text[1024], *p;
    unsigned long user = 0, sys = 0;

    if (!read_proc(text, sizeof(text), "/proc/%d/stat", pid) || (p = strrchr(text, ')')) == NULL)
        return 0;
    if (sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return 0;
    return (uint64_t)(user + sys) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t cpu_ns(int pid)
{
    char path[64], text[4096];
    uint64_t sum = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (read_proc(text, sizeof(text), "/proc/%d/task/%.16s/schedstat", pid, e->d_name))
            sum += strtoull(text, NULL, 10);
        if (!read_proc(text, sizeof(text), "/proc/%d/task/%.16s/children", pid, e->d_name))
            continue;
        for (char *p = text, *end; *p != '\0'; p = end) {
            long child = strtol(p, &end, 10);
            if (end == p)
                break;
            sum += cpu_ns((int)child);
        }
    }
    closedir(dir);
    return sum != 0 ? sum : stat_ns(pid);
}

long smaps_kb(int pid, const char *key)
{
    char text[4096], *p;

    if (!read_proc(text, sizeof(text), "/proc/%d/smaps_rollup", pid))
        return -1;
    p = strstr(text, key);
    return p == NULL ? -1 : strtol(p + strlen(key), NULL, 10);
}

double self_cpu_s(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

struct mark mark_now(int pid)
{
    struct mark m = {now_ns(), pid > 0 ? cpu_ns(pid) : 0, self_cpu_s()};

    return m;
}

double mark_wall_s(const struct mark *a, const struct mark *b)
{
    return (double)(b->at - a->at) / 1e9;
}

double mark_cpu_s(const struct mark *a, const struct mark *b)
{
    return (double)(b->cpu - a->cpu) / 1e9;
}

double per_million(double cpu_s, uint64_t n)
{
    return n == 0 ? 0 : cpu_s / ((double)n / 1e6);
}
