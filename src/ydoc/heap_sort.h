#ifndef YDOC_HEAP_SORT_H
#define YDOC_HEAP_SORT_H

/* heap_sort - sorting in place: no memory, and O(n log n) on whatever a peer has chosen. Elements
 * that are equal may change places. (What must keep their order, or comes in long sorted runs, is
 * merged: dset.c, spans.c.)
 *
 *     HEAP_SORT(name, T, C, before) defines
 *         static void name(T *v, size_t n, C context)
 *     with before(const T *a, const T *b, C context): does `a` belong in front of `b`?
 */
#include <stddef.h>

#define HEAP_SORT(name, T, C, before)                                                              \
    static void name(T *v, size_t n, C context)                                                    \
    {                                                                                              \
        for (size_t built = n / 2, end = n; end > 1;) {                                            \
            size_t i = 0;                                                                          \
            T moved;                                                                               \
                                                                                                   \
            if (built > 0) {                                                                       \
                i = --built;                                                                       \
                moved = v[i];                                                                      \
            } else {                                                                               \
                moved = v[--end];                                                                  \
                v[end] = v[0];                                                                     \
            }                                                                                      \
            for (;;) {                                                                             \
                size_t child = 2 * i + 1;                                                          \
                                                                                                   \
                if (child >= end)                                                                  \
                    break;                                                                         \
                if (child + 1 < end && before(&v[child], &v[child + 1], context))                  \
                    child++;                                                                       \
                if (!before(&moved, &v[child], context))                                           \
                    break;                                                                         \
                v[i] = v[child];                                                                   \
                i = child;                                                                         \
            }                                                                                      \
            v[i] = moved;                                                                          \
        }                                                                                          \
    }

#endif
