#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_account_init(struct mem_account *a, const char *name, struct mem_account *parent,
                      size_t limit)
{
    a->name = name;
    a->parent = parent;
    a->limit = limit;
    atomic_init(&a->used, 0);
}

void mem_account_fini(struct mem_account *a)
{
    assert(mem_account_used(a) == 0);
}

size_t mem_account_used(const struct mem_account *a)
{
    /* relaxed: a figure for metrics and limits, it orders nothing */
    return atomic_load_explicit(&((struct mem_account *)(size_t)a)->used, memory_order_relaxed);
}

struct mem_account *mem_process(void)
{
    /* The one mutable static of the house: the root that all accounts hang from. */
    static struct mem_account process = {.name = "process"};

    return &process;
}

static void uncharge(struct mem_account *a, const struct mem_account *end, size_t n)
{
    for (; a != end; a = a->parent) {
        size_t before = atomic_fetch_sub_explicit(&a->used, n, memory_order_relaxed);

        assert(before >= n);
        (void)before;
    }
}

static bool charge(struct mem_account *a, size_t n)
{
    for (struct mem_account *p = a; p != NULL; p = p->parent) {
        /* relaxed: see mem_account_used() */
        size_t before = atomic_fetch_add_explicit(&p->used, n, memory_order_relaxed);

        if (p->limit != 0 && (n > p->limit || before > p->limit - n)) {
            uncharge(a, p->parent, n);
            return false;
        }
    }
    return true;
}

static void die_out_of_memory(const struct mem_account *a, size_t n)
{
    fprintf(stderr, "skein: out of memory: %zu bytes for %s\n", n, a->name);
    abort();
}

void *mem_alloc(struct mem_account *a, size_t n)
{
    void *p;

    assert(n > 0);
    if (!charge(a, n))
        return NULL;
    p = malloc(n);
    if (p == NULL)
        die_out_of_memory(a, n);
    return p;
}

void *mem_alloc_zero(struct mem_account *a, size_t n)
{
    void *p = mem_alloc(a, n);

    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void *mem_resize(struct mem_account *a, void *p, size_t n_old, size_t n_new)
{
    void *q;

    assert(n_new > 0 && (p != NULL || n_old == 0));
    if (n_new > n_old && !charge(a, n_new - n_old))
        return NULL;
    q = realloc(p, n_new);
    if (q == NULL)
        die_out_of_memory(a, n_new);
    if (n_new < n_old)
        uncharge(a, NULL, n_old - n_new);
    return q;
}

void mem_free(struct mem_account *a, void *p, size_t n)
{
    if (p == NULL)
        return;
    free(p);
    uncharge(a, NULL, n);
}

char *mem_dup_str(struct mem_account *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = mem_alloc(a, n);

    if (copy != NULL)
        memcpy(copy, s, n);
    return copy;
}

void mem_free_str(struct mem_account *a, char *s)
{
    if (s != NULL)
        mem_free(a, s, strlen(s) + 1);
}
