#ifndef SKEIN_BASE_MEM_H
#define SKEIN_BASE_MEM_H

/* mem - every allocation names the account that pays for it.
 *
 * An account counts bytes in use, has a limit, and charges its parent too, so
 * that the memory of a room, of a worker and of the process can be read and
 * bounded separately. Sizes are given back by the caller on release: no header
 * is spent on them, and a wrong size is found by the assertions in
 * mem_account_fini().
 *
 * Failure: a limit that is reached returns NULL, which callers treat as the
 * peer's fault (SK_ETOOBIG). The system running out of memory ends the
 * process with a message: nothing sensible can be promised after that, and
 * what was acknowledged is on disk.
 *
 * Threads: counters are atomic, so an allocation may be released on another
 * thread than the one that made it. The parent must outlive its children.
 */
#include <stdatomic.h>
#include <stddef.h>

struct mem_account {
    const char *name; /* borrowed; shows in metrics and messages */
    struct mem_account *parent;
    size_t limit; /* bytes; 0 means none */
    atomic_size_t used;
};

void mem_account_init(struct mem_account *a, const char *name, struct mem_account *parent,
                      size_t limit);
/* Asserts that everything was released. */
void mem_account_fini(struct mem_account *a);
size_t mem_account_used(const struct mem_account *a);

/* The account of last resort: the process. It has no limit. */
struct mem_account *mem_process(void);

/* n > 0. NULL when the account, or one above it, has reached its limit. */
void *mem_alloc(struct mem_account *a, size_t n);
void *mem_alloc_zero(struct mem_account *a, size_t n);
/* p may be NULL with n_old 0. On NULL the old block is untouched. */
void *mem_resize(struct mem_account *a, void *p, size_t n_old, size_t n_new);
/* p may be NULL; n is what was asked for. */
void mem_free(struct mem_account *a, void *p, size_t n);

char *mem_dup_str(struct mem_account *a, const char *s);
void mem_free_str(struct mem_account *a, char *s);

#endif
