#ifndef SKEIN_NET_WS_CODEC_H
#define SKEIN_NET_WS_CODEC_H

/* ws_codec - WebSocket frames, both directions and both roles (RFC 6455).
 *
 * Pure: bytes in, events out; no I/O. The contract, for the connection above:
 *
 *     size_t off = 0;
 *     do {
 *         off += ws_parser_feed(p, bytes + off, n - off, &ev);
 *         ... look at ev ...
 *     } while (ev.type != WS_EVENT_NEED_MORE);
 *
 * - `bytes` is the loop's shared receive buffer. It must be writable: payloads
 *   are unmasked in place. One event per call; feed the rest again until
 *   WS_EVENT_NEED_MORE, which means that all bytes are consumed. The caller
 *   never keeps bytes for the parser.
 * - ev.p[0, ev.len) is borrowed. It points into `bytes` when the whole message
 *   arrived in one frame in one piece (no copy), else into the parser's own
 *   part buffer. It is valid until the next ws_parser_feed() or
 *   ws_parser_fini() of this parser, and may be written to. It is never NULL for
 *   a message, a ping or a pong, also when len is 0.
 * - An idle connection costs struct ws_parser and nothing else. What has
 *   arrived of an unfinished frame or message is kept in a part buffer which
 *   grows with the bytes that came (at most twice, plus 4 KB), never with the
 *   length that was announced, and is freed by the first feed after the message
 *   was delivered. It is charged to the account given at init.
 * - WS_EVENT_CLOSE and WS_EVENT_ERROR are final: later bytes are swallowed.
 *   Events before them were already delivered, so write the answers to those
 *   first, then the close frame with ev.close_code.
 * - A compressed message comes with ev.is_compressed; turn it into a plain one
 *   with ws_inflate_event() (ws_deflate.h), which also checks the text. Any
 *   other text is valid UTF-8 when it is delivered, and a text that cannot
 *   become valid is failed with 1007 in the middle of a frame.
 *
 * Thread: whoever owns the connection.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "net/ws_close.h"

enum ws_opcode {
    WS_OP_CONTINUATION = 0x0,
    WS_OP_TEXT = 0x1,
    WS_OP_BINARY = 0x2,
    WS_OP_CLOSE = 0x8,
    WS_OP_PING = 0x9,
    WS_OP_PONG = 0xa,
};

enum ws_event_type {
    WS_EVENT_NEED_MORE, /* all bytes consumed */
    WS_EVENT_MESSAGE,   /* opcode is WS_OP_TEXT or WS_OP_BINARY; p, len; is_compressed */
    WS_EVENT_PING,      /* p, len <= 125: answer with a pong of the same bytes */
    WS_EVENT_PONG,      /* p, len <= 125 */
    WS_EVENT_CLOSE,     /* close_code (1005 when there was none); p, len: the reason, valid UTF-8 */
    WS_EVENT_ERROR,     /* the peer's fault: close_code to send, and words */
};

struct ws_event {
    enum ws_event_type type;
    uint8_t opcode;
    bool is_compressed;
    uint16_t close_code;
    uint8_t *p;
    size_t len;
    const char *words; /* of WS_EVENT_ERROR; static, fits a close reason */
};

#define WS_EMPTY_FRAGMENTS_MAX 65536 /* in one message; more is 1008 */
#define WS_CONTROL_BYTES_MAX 125

#define WS_PARSER_CLIENT 1u  /* we are the client: frames must come unmasked */
#define WS_PARSER_DEFLATE 2u /* permessage-deflate was negotiated: RSV1 is allowed */

struct ws_part;
struct ws_parser {
    struct mem_account *account;
    struct ws_part *part;       /* NULL while no frame or message is unfinished */
    uint32_t message_bytes_max; /* may be changed between feeds, up to 2^31 - 1 */
    uint8_t flags;
    bool is_finished; /* after CLOSE or ERROR */
};

void ws_parser_init(struct ws_parser *p, struct mem_account *a, uint32_t message_bytes_max,
                    unsigned flags);
void ws_parser_fini(struct ws_parser *p);
/* Returns how many bytes were consumed; see above. */
size_t ws_parser_feed(struct ws_parser *p, uint8_t *bytes, size_t len, struct ws_event *ev);
/* Bytes that the part buffer holds in memory, for metrics. */
size_t ws_parser_part_bytes(const struct ws_parser *p);

#define WS_HEADER_BYTES_MAX 10
#define WS_HEADER_MASKED_BYTES_MAX 14
#define WS_FLAG_FIN 0x80u
#define WS_FLAG_RSV1 0x40u /* the payload is compressed */

/* Writes a frame's header in the shortest form; returns its length, 2 to 10.
 * A server sends it and then the payload as it is. */
size_t ws_frame_header(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, unsigned flags,
                       uint64_t len);
/* A client's header, 6 to 14 bytes; the payload must then go through
 * ws_mask(payload, len, key, 0). */
size_t ws_frame_header_masked(uint8_t out[WS_HEADER_MASKED_BYTES_MAX], enum ws_opcode op,
                              unsigned flags, uint64_t len, const uint8_t key[4]);
/* Payload of a close frame: the code and as much of reason (valid UTF-8, may
 * be NULL) as fits, cut between characters. Code 1005 makes an empty payload.
 * Returns its length. */
size_t ws_close_payload(uint8_t out[WS_CONTROL_BYTES_MAX], uint16_t code, const char *reason);
/* A server's whole close frame, ready to write; returns its length. */
size_t ws_close_frame(uint8_t out[2 + WS_CONTROL_BYTES_MAX], uint16_t code, const char *reason);
/* Whether a peer may send this code: 1000-1003, 1007-1014, 3000-4999. */
bool ws_close_code_is_valid(unsigned code);

/* Masks or unmasks in place; `offset` is p's position in the payload. */
void ws_mask(uint8_t *p, size_t len, const uint8_t key[4], size_t offset);

#endif
