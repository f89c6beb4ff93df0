#ifndef SKEIN_GATE_GATE_PRIV_H
#define SKEIN_GATE_GATE_PRIV_H

/* gate_priv - what gate.c lends to the protocols beside it. */
#include "gate/gate.h"
#include "ydoc.h"

const struct gate_options *gate__options(const struct gate *g);
/* Whether a client without a token may come in somewhere. */
bool gate__is_open(const struct gate *g);
/* The token of `Authorization: Bearer …`; p is NULL when there is none. */
struct http_str gate__get_bearer(const struct http_request *req);
/* The worker's buffer for one message. */
struct ydoc_buf *gate__scratch(struct gate *g, const struct loop *l);

#endif
