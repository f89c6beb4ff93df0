#ifndef SKEIN_NET_LOOP_INTERNAL_H
#define SKEIN_NET_LOOP_INTERNAL_H

/* What the other files of net/ need of a loop: libuv's handle, the worker
 * whose connections live on it, and the thread it is bound to. */
#include <uv.h>

#include "net/loop.h"

struct worker;

uv_loop_t *loop__uv(struct loop *l);

/* The calling thread is the loop's from now on, NULL unbinds it. loop_run() does it too. */
void loop__bind(struct loop *l);

/* `flush` runs at the turn's end after the deferred tasks, and is called again
 * as long as it, or a task, makes more work. It returns whether it did any. */
void loop__set_worker(struct loop *l, struct worker *w, bool (*flush)(struct worker *w));
struct worker *loop__worker(const struct loop *l);

#endif
