#ifndef SKEIN_NET_WS_ECHO_H
#define SKEIN_NET_WS_ECHO_H

/* ws_echo - sends every message back: for conformance suites, and to measure
 * the transport alone. No state: upgrade with user NULL. */
#include "net/ws.h"

extern const struct ws_ops ws_echo_ops;

#endif
