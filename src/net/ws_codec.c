/* ws_codec - see ws_codec.h for the contract, docs/wire/websocket.md for the bytes.
 *
 * A frame (RFC 6455, 5.2); integers are big-endian:
 *
 *     0  FIN 1 bit, RSV1-3 3 bits, opcode 4 bits
 *     1  MASK 1 bit, length 7 bits: 0-125, or 126: u16 follows, or 127: u64 follows
 *     .  mask key, 4 bytes, if MASK
 *     .  payload
 *
 * Two ways through. A frame that is whole in the receive buffer, and whole as a
 * message, is unmasked where it lies and handed out: no copy, no allocation.
 * Everything else goes through struct ws_part, which exists only while
 * something is unfinished and holds: the bytes of a header that was cut, the
 * payload of the message so far, or a control frame that was cut (which may
 * arrive in the middle of a fragmented message and so needs a place of its own).
 *
 * Why the parser copies unfinished messages and not the caller: unmasking and
 * the UTF-8 check happen once per byte, in order, as bytes come in; a caller
 * that kept raw bytes would have to parse them again from the frame's start.
 */
#include "net/ws_codec.h"

#include <assert.h>
#include <string.h>

#include "net/utf8.h"

#define PART_CAP_MIN 4096

struct frame {
    uint64_t len;
    uint8_t key[4];
    uint8_t opcode;
    bool fin, rsv1;
};

struct ws_part {
    struct frame frame; /* the frame whose payload is being taken */
    uint64_t left;      /* of its payload, still to come */
    uint8_t *p;         /* the message's payload so far, unmasked */
    size_t len, cap;
    uint32_t empty_fragments;
    bool in_frame;   /* the header is complete, payload is missing */
    bool in_message; /* the message's first frame has begun, its end was not delivered */
    uint8_t opcode;  /* the message's */
    bool is_compressed;
    utf8_state text;
    uint8_t n_header;
    uint8_t n_control;
    uint8_t header[WS_HEADER_MASKED_BYTES_MAX];
    uint8_t control[WS_CONTROL_BYTES_MAX];
};

/* --- the life of a part --------------------------------------------------- */

void ws_parser_init(struct ws_parser *p, struct mem_account *a, uint32_t message_bytes_max,
                    unsigned flags)
{
    assert(message_bytes_max > 0 && message_bytes_max <= INT32_MAX);
    *p = (struct ws_parser){
        .account = a, .message_bytes_max = message_bytes_max, .flags = (uint8_t)flags};
}

static void part_free_payload(struct ws_parser *p)
{
    mem_free(p->account, p->part->p, p->part->cap);
    p->part->p = NULL;
    p->part->len = p->part->cap = 0;
}

static void part_free(struct ws_parser *p)
{
    if (p->part == NULL)
        return;
    part_free_payload(p);
    mem_free(p->account, p->part, sizeof(*p->part));
    p->part = NULL;
}

void ws_parser_fini(struct ws_parser *p)
{
    part_free(p);
    p->is_finished = true;
}

size_t ws_parser_part_bytes(const struct ws_parser *p)
{
    return p->part == NULL ? 0 : sizeof(*p->part) + p->part->cap;
}

static bool part_is_idle(const struct ws_part *part)
{
    return !part->in_frame && !part->in_message && part->n_header == 0;
}

static size_t fail(struct ws_parser *p, struct ws_event *ev, uint16_t code, const char *words)
{
    part_free(p);
    p->is_finished = true;
    *ev = (struct ws_event){.type = WS_EVENT_ERROR, .close_code = code, .words = words};
    return 0;
}

static bool part_make(struct ws_parser *p)
{
    if (p->part == NULL)
        p->part = mem_alloc_zero(p->account, sizeof(*p->part));
    return p->part != NULL;
}

/* Room for n more bytes of a message of which `more` bytes are known to come.
 * Grows to twice what is needed now, so that the copies stay linear, but never
 * past what this message can still be. */
static bool part_reserve(struct ws_parser *p, size_t n, uint64_t more, bool is_last)
{
    struct ws_part *part = p->part;
    size_t need = part->len + n;
    size_t most = is_last ? part->len + (size_t)more : p->message_bytes_max;
    size_t cap = need < PART_CAP_MIN / 2 ? PART_CAP_MIN : need * 2;
    uint8_t *to;

    if (need <= part->cap)
        return true;
    if (cap > most)
        cap = most;
    to = mem_resize(p->account, part->p, part->cap, cap < need ? need : cap);
    if (to == NULL)
        return false;
    part->p = to;
    part->cap = cap < need ? need : cap;
    return true;
}

/* --- headers --------------------------------------------------------------- */

static bool is_control(unsigned opcode)
{
    return (opcode & 8) != 0;
}

/* What is wrong with the first two bytes, or NULL. */
static const char *first_bytes_fault(const struct ws_parser *p, uint8_t b0, uint8_t b1)
{
    unsigned opcode = b0 & 0x0f;
    bool in_message = p->part != NULL && p->part->in_message;
    bool is_client = (p->flags & WS_PARSER_CLIENT) != 0;

    if ((b0 & 0x30) != 0)
        return "a reserved bit is set";
    if ((b0 & WS_FLAG_RSV1) != 0 &&
        ((p->flags & WS_PARSER_DEFLATE) == 0 || (opcode != WS_OP_TEXT && opcode != WS_OP_BINARY)))
        return "the compression bit is set where it may not be";
    if ((opcode > WS_OP_BINARY && opcode < WS_OP_CLOSE) || opcode > WS_OP_PONG)
        return "the opcode is reserved";
    if (((b1 & 0x80) != 0) == is_client)
        return is_client ? "a frame from the server is masked" : "a frame is not masked";
    if (is_control(opcode)) {
        if ((b0 & WS_FLAG_FIN) == 0)
            return "a control frame is fragmented";
        if ((b1 & 0x7f) > WS_CONTROL_BYTES_MAX)
            return "a control frame is longer than 125 bytes";
        if (opcode == WS_OP_CLOSE && (b1 & 0x7f) == 1)
            return "a close frame has half a code";
        return NULL;
    }
    if (opcode == WS_OP_CONTINUATION && !in_message)
        return "there is no message to continue";
    if (opcode != WS_OP_CONTINUATION && in_message)
        return "a message begins inside another";
    return NULL;
}

static uint64_t big_endian(const uint8_t *b, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

/* Parses the header at b[0, len). Returns its length, 0 when it is not whole
 * yet, or -1 with *fault. The length is held to its shortest form, so that there
 * is one way to write each frame. */
static int parse_header(const struct ws_parser *p, const uint8_t *b, size_t len, struct frame *f,
                        const char **fault)
{
    size_t n = 2, wide;

    if (len < 2)
        return 0;
    *fault = first_bytes_fault(p, b[0], b[1]);
    if (*fault != NULL)
        return -1;
    f->fin = (b[0] & WS_FLAG_FIN) != 0;
    f->rsv1 = (b[0] & WS_FLAG_RSV1) != 0;
    f->opcode = b[0] & 0x0f;
    f->len = b[1] & 0x7f;
    wide = f->len < 126 ? 0 : f->len == 126 ? 2 : 8;
    if (wide > 0) {
        if (len < n + wide)
            return 0;
        f->len = big_endian(b + 2, wide);
        if (f->len < (wide == 2 ? 126u : 65536u) || f->len > INT64_MAX) {
            *fault = "a length is not in its shortest form, or negative";
            return -1;
        }
        n += wide;
    }
    if ((b[1] & 0x80) == 0)
        return (int)n;
    if (len < n + 4)
        return 0;
    memcpy(f->key, b + n, 4);
    return (int)(n + 4);
}

/* Takes header bytes one at a time into the part until the header is whole.
 * This is the slow way, for headers that were cut. */
static size_t take_cut_header(struct ws_parser *p, const uint8_t *b, size_t len, struct frame *f,
                              int *n_header, const char **fault)
{
    struct ws_part *part = p->part;
    size_t i = 0;

    *n_header = 0;
    while (i < len && *n_header == 0) {
        part->header[part->n_header++] = b[i++];
        *n_header = parse_header(p, part->header, part->n_header, f, fault);
    }
    if (*n_header != 0)
        part->n_header = 0;
    return i;
}

/* --- payloads -------------------------------------------------------------- */

bool ws_close_code_is_valid(unsigned code)
{
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
           (code >= 3000 && code <= 4999);
}

static void give_close(struct ws_parser *p, uint8_t *payload, size_t len, struct ws_event *ev)
{
    unsigned code;

    *ev = (struct ws_event){.type = WS_EVENT_CLOSE, .close_code = WS_CLOSE_NO_STATUS};
    if (len >= 2) {
        code = (unsigned)big_endian(payload, 2);
        if (!ws_close_code_is_valid(code)) {
            fail(p, ev, WS_CLOSE_PROTOCOL, "the close code is not valid");
            return;
        }
        if (!utf8_is_valid(payload + 2, len - 2)) {
            fail(p, ev, WS_CLOSE_BAD_UTF8, "the close reason is not UTF-8");
            return;
        }
        ev->close_code = (uint16_t)code;
        ev->p = payload + 2;
        ev->len = len - 2;
    }
    p->is_finished = true;
}

static void give_control(struct ws_parser *p, unsigned opcode, uint8_t *payload, size_t len,
                         struct ws_event *ev)
{
    if (opcode == WS_OP_CLOSE) {
        give_close(p, payload, len, ev);
        return;
    }
    *ev = (struct ws_event){.type = opcode == WS_OP_PING ? WS_EVENT_PING : WS_EVENT_PONG,
                            .opcode = (uint8_t)opcode,
                            .p = payload,
                            .len = len};
}

static void give_message(unsigned opcode, bool is_compressed, uint8_t *payload, size_t len,
                         struct ws_event *ev)
{
    *ev = (struct ws_event){.type = WS_EVENT_MESSAGE,
                            .opcode = (uint8_t)opcode,
                            .is_compressed = is_compressed,
                            .p = payload,
                            .len = len};
}

/* A frame that lies whole at b and is a whole message, or a control frame. */
static void give_whole(struct ws_parser *p, const struct frame *f, uint8_t *b, struct ws_event *ev)
{
    size_t len = (size_t)f->len;

    if ((p->flags & WS_PARSER_CLIENT) == 0)
        ws_mask(b, len, f->key, 0);
    if (is_control(f->opcode))
        give_control(p, f->opcode, b, len, ev);
    else if (f->opcode == WS_OP_TEXT && !f->rsv1 && !utf8_is_valid(b, len))
        fail(p, ev, WS_CLOSE_BAD_UTF8, "a text message is not UTF-8");
    else
        give_message(f->opcode, f->rsv1, b, len, ev);
}

/* Starts a frame in the part. 0, or a close code with *words. */
static uint16_t begin_frame(struct ws_parser *p, const struct frame *f, const char **words)
{
    struct ws_part *part;

    if (!part_make(p)) {
        *words = "there is no memory for this message";
        return WS_CLOSE_TRY_LATER;
    }
    part = p->part;
    part->frame = *f;
    part->left = f->len;
    part->in_frame = true;
    part->n_control = 0;
    if (is_control(f->opcode))
        return 0;
    if (f->opcode != WS_OP_CONTINUATION) {
        part->in_message = true;
        part->opcode = f->opcode;
        part->is_compressed = f->rsv1;
        part->text = UTF8_START;
        part->empty_fragments = 0;
    }
    if (f->len == 0 && !f->fin && ++part->empty_fragments > WS_EMPTY_FRAGMENTS_MAX) {
        *words = "a message has too many empty fragments";
        return WS_CLOSE_POLICY;
    }
    return 0;
}

/* Appends n bytes of the current frame's payload. 0, or a close code. */
static uint16_t take_data(struct ws_parser *p, const uint8_t *b, size_t n, const char **words)
{
    struct ws_part *part = p->part;
    uint8_t *to;

    if (n == 0)
        return 0;
    if (!part_reserve(p, n, part->left, part->frame.fin)) {
        *words = "there is no memory for this message";
        return WS_CLOSE_TRY_LATER;
    }
    to = part->p + part->len;
    memcpy(to, b, n);
    if ((p->flags & WS_PARSER_CLIENT) == 0)
        ws_mask(to, n, part->frame.key, (size_t)(part->frame.len - part->left));
    if (part->opcode == WS_OP_TEXT && !part->is_compressed && !utf8_feed(&part->text, to, n)) {
        *words = "a text message is not UTF-8";
        return WS_CLOSE_BAD_UTF8;
    }
    part->len += n;
    return 0;
}

static void take_control(struct ws_parser *p, const uint8_t *b, size_t n)
{
    struct ws_part *part = p->part;

    assert(n <= sizeof(part->control) - part->n_control);
    if (n > 0)
        memcpy(part->control + part->n_control, b, n);
    if ((p->flags & WS_PARSER_CLIENT) == 0)
        ws_mask(part->control + part->n_control, n, part->frame.key, part->n_control);
    part->n_control = (uint8_t)(part->n_control + n);
}

/* The current frame is complete. True when that makes an event. */
static bool end_frame(struct ws_parser *p, struct ws_event *ev)
{
    struct ws_part *part = p->part;

    part->in_frame = false;
    if (is_control(part->frame.opcode)) {
        give_control(p, part->frame.opcode, part->control, part->n_control, ev);
        return true;
    }
    if (!part->frame.fin)
        return false;
    if (part->opcode == WS_OP_TEXT && !part->is_compressed && !utf8_is_complete(part->text)) {
        fail(p, ev, WS_CLOSE_BAD_UTF8, "a text message ends inside a character");
        return true;
    }
    part->in_message = false; /* the next feed frees the payload */
    give_message(part->opcode, part->is_compressed, part->p == NULL ? part->control : part->p,
                 part->len, ev);
    return true;
}

/* Takes what there is of the current frame. Returns how much that was; *is_event
 * says whether *ev was filled. */
static size_t continue_frame(struct ws_parser *p, const uint8_t *b, size_t len, struct ws_event *ev,
                             bool *is_event)
{
    struct ws_part *part = p->part;
    size_t n = len < part->left ? len : (size_t)part->left;
    const char *words = NULL;
    uint16_t code = 0;

    if (is_control(part->frame.opcode))
        take_control(p, b, n);
    else
        code = take_data(p, b, n, &words);
    if (code != 0) {
        fail(p, ev, code, words);
        *is_event = true;
        return n;
    }
    part->left -= n;
    *is_event = part->left == 0 && end_frame(p, ev);
    return n;
}

/* --- the feed -------------------------------------------------------------- */

static bool is_too_big(const struct ws_parser *p, const struct frame *f)
{
    size_t have = p->part != NULL && p->part->in_message ? p->part->len : 0;

    return !is_control(f->opcode) &&
           (have > p->message_bytes_max || f->len > p->message_bytes_max - have);
}

/* Reads a header at b, which may have begun in an earlier feed. Returns how many
 * bytes it took. *state: 1 the header is whole, 0 it needs more, -1 *ev is an
 * error. */
static size_t take_header(struct ws_parser *p, const uint8_t *b, size_t len, struct frame *f,
                          struct ws_event *ev, int *state)
{
    const char *fault = NULL;
    size_t taken;
    int n;

    if (p->part != NULL && p->part->n_header > 0) {
        taken = take_cut_header(p, b, len, f, &n, &fault);
    } else {
        n = parse_header(p, b, len, f, &fault);
        taken = n > 0 ? (size_t)n : len;
        if (n == 0 && len > 0) {
            if (part_make(p)) {
                memcpy(p->part->header, b, len);
                p->part->n_header = (uint8_t)len;
            } else {
                fail(p, ev, WS_CLOSE_TRY_LATER, "there is no memory for this message");
                n = -1;
            }
        }
    }
    *state = n > 0 ? 1 : n;
    if (fault != NULL)
        fail(p, ev, WS_CLOSE_PROTOCOL, fault);
    if (n > 0 && is_too_big(p, f)) {
        fail(p, ev, WS_CLOSE_TOO_BIG, "a message is larger than the limit");
        *state = -1;
    }
    return taken;
}

/* One frame, or as much of it as there is. Returns the bytes taken. */
static size_t feed_frame(struct ws_parser *p, uint8_t *b, size_t len, struct ws_event *ev,
                         bool *is_event)
{
    struct frame f;
    const char *words;
    size_t n;
    int state;
    uint16_t code;

    n = take_header(p, b, len, &f, ev, &state);
    *is_event = state < 0;
    if (state <= 0)
        return n;
    if (f.len <= len - n && f.fin && f.opcode != WS_OP_CONTINUATION) {
        give_whole(p, &f, b + n, ev);
        *is_event = true;
        return n + (size_t)f.len;
    }
    code = begin_frame(p, &f, &words);
    if (code != 0) {
        fail(p, ev, code, words);
        *is_event = true;
        return n;
    }
    return n + continue_frame(p, b + n, len - n, ev, is_event);
}

size_t ws_parser_feed(struct ws_parser *p, uint8_t *bytes, size_t len, struct ws_event *ev)
{
    size_t i = 0;
    bool is_event = false;

    if (p->part != NULL && (p->is_finished || part_is_idle(p->part)))
        part_free(p);
    if (p->is_finished)
        i = len;
    while (i < len && !is_event) {
        if (p->part != NULL && p->part->in_frame)
            i += continue_frame(p, bytes + i, len - i, ev, &is_event);
        else
            i += feed_frame(p, bytes + i, len - i, ev, &is_event);
    }
    if (!is_event)
        *ev = (struct ws_event){.type = WS_EVENT_NEED_MORE};
    return i;
}

/* --- encoding -------------------------------------------------------------- */

size_t ws_frame_header(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, unsigned flags,
                       uint64_t len)
{
    size_t wide = len < 126 ? 0 : len < 65536 ? 2 : 8;

    assert((flags & ~(WS_FLAG_FIN | WS_FLAG_RSV1)) == 0);
    out[0] = (uint8_t)(flags | op);
    out[1] = (uint8_t)(wide == 0 ? len : wide == 2 ? 126 : 127);
    for (size_t i = 0; i < wide; i++)
        out[2 + i] = (uint8_t)(len >> 8 * (wide - 1 - i));
    return 2 + wide;
}

size_t ws_frame_header_masked(uint8_t out[WS_HEADER_MASKED_BYTES_MAX], enum ws_opcode op,
                              unsigned flags, uint64_t len, const uint8_t key[4])
{
    size_t n = ws_frame_header(out, op, flags, len);

    out[1] |= 0x80;
    memcpy(out + n, key, 4);
    return n + 4;
}

size_t ws_close_payload(uint8_t out[WS_CONTROL_BYTES_MAX], uint16_t code, const char *reason)
{
    size_t len = reason == NULL ? 0 : strlen(reason);

    if (code == WS_CLOSE_NO_STATUS)
        return 0;
    assert(ws_close_code_is_valid(code));
    if (len > WS_CONTROL_BYTES_MAX - 2) {
        len = WS_CONTROL_BYTES_MAX - 2;
        while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
            len--;
    }
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    if (len > 0)
        memcpy(out + 2, reason, len);
    return 2 + len;
}

size_t ws_close_frame(uint8_t out[2 + WS_CONTROL_BYTES_MAX], uint16_t code, const char *reason)
{
    size_t len = ws_close_payload(out + 2, code, reason);

    out[0] = (uint8_t)(WS_FLAG_FIN | WS_OP_CLOSE);
    out[1] = (uint8_t)len;
    return 2 + len;
}
