#ifndef SKEIN_UNIT_YDOC_ACCOUNT_H
#define SKEIN_UNIT_YDOC_ACCOUNT_H

/* ydoc_account - an allocator that counts what is held, and fails from a given call on. */
#include <stdlib.h>

struct account {
    size_t held;
    long calls_left;
};

static inline void *account_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct account *a = ctx;

    if (new_size > old_size && a->calls_left-- <= 0)
        return NULL;
    if (new_size > 0) {
        p = realloc(p, new_size);
        if (p == NULL)
            abort();
    } else {
        free(p);
        p = NULL;
    }
    a->held += new_size - old_size;
    return p;
}

#endif
