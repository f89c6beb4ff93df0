#ifndef SKEIN_NET_WS_CLOSE_H
#define SKEIN_NET_WS_CLOSE_H

/* ws_close - WebSocket close codes (RFC 6455, 7.4.1), for the codec and for
 * whoever closes. Beyond them ours: 44xx permanent, 45xx try again later. */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_BAD_DATA = 1003,  /* a kind of message that is not taken */
    WS_CLOSE_NO_STATUS = 1005, /* never sent: the close frame was empty */
    WS_CLOSE_ABNORMAL = 1006,  /* never sent: no close frame came */
    WS_CLOSE_BAD_UTF8 = 1007,  /* also: corrupt compressed data */
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_RESTART = 1012,
    WS_CLOSE_TRY_LATER = 1013,
};

#endif
