/* value - checks of the values inside content: lib0's `any` and JSON text.
 *
 * Both are walked without recursion: a nest of a million brackets costs a
 * million steps and no stack. The nesting limit is the caller's, at most
 * YDOC__NESTING_MAX, because readers of the document do recurse.
 */
#include "ydoc/any.h"

#include <stdbool.h>
#include <string.h>

/* Reads one value without its members; *members becomes how many follow. */
static void any_skip_one(struct lib0_reader *r, uint64_t *members, bool *is_object)
{
    const uint8_t *at = r->p;
    uint8_t tag = lib0_read_u8(r);

    *members = 0;
    *is_object = tag == ANY_OBJECT;
    switch (tag) {
    case ANY_BYTES:
        lib0_read_varbytes(r);
        break;
    case ANY_ARRAY:
    case ANY_OBJECT:
        *members = lib0_read_varuint(r);
        /* Each member takes at least a byte, so a declared count never sends
         * us further than the input. */
        if (*members > lib0_left(r))
            lib0_fail_at(r, at, "more members than bytes");
        break;
    case ANY_STRING:
        lib0_read_varstring(r, NULL);
        break;
    case ANY_BIGINT:
    case ANY_FLOAT64:
        lib0_read_raw(r, 8);
        break;
    case ANY_FLOAT32:
        lib0_read_raw(r, 4);
        break;
    case ANY_INTEGER:
        lib0_read_varint(r, NULL);
        break;
    case ANY_TRUE:
    case ANY_FALSE:
    case ANY_NULL:
    case ANY_UNDEFINED:
        break;
    default:
        lib0_fail_at(r, at, "unknown type of value");
    }
}

void ydoc__any_skip(struct lib0_reader *r, uint32_t nesting_max)
{
    struct {
        uint64_t left;
        bool is_object;
    } open[YDOC__NESTING_MAX];
    uint32_t depth = 0;

    for (;;) {
        uint64_t members;
        bool is_object;

        if (depth > 0 && open[depth - 1].is_object)
            lib0_read_varstring(r, NULL);
        any_skip_one(r, &members, &is_object);
        if (r->why != NULL)
            return;
        if (members > 0) {
            if (depth >= nesting_max || depth >= YDOC__NESTING_MAX) {
                lib0_fail(r, "value nested too deep");
                return;
            }
            open[depth].left = members;
            open[depth].is_object = is_object;
            depth++;
            continue;
        }
        while (depth > 0 && --open[depth - 1].left == 0)
            depth--;
        if (depth == 0)
            return;
    }
}

struct json {
    const uint8_t *p, *end;
    const char *why;
};

static const char *json_fail(struct json *j, const char *why)
{
    if (j->why == NULL)
        j->why = why;
    return j->why;
}

static void json_space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
}

static bool json_take(struct json *j, char c)
{
    if (j->p < j->end && *j->p == (uint8_t)c) {
        j->p++;
        return true;
    }
    return false;
}

static bool is_digit(const struct json *j)
{
    return j->p < j->end && *j->p >= '0' && *j->p <= '9';
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* After the opening quote. */
static void json_string(struct json *j)
{
    while (j->p < j->end) {
        uint8_t c = *j->p++;

        if (c == '"')
            return;
        if (c < 0x20)
            break;
        if (c != '\\')
            continue;
        if (j->p == j->end)
            break;
        c = *j->p++;
        if (c == 'u') {
            if (j->end - j->p < 4 || !is_hex(j->p[0]) || !is_hex(j->p[1]) || !is_hex(j->p[2]) ||
                !is_hex(j->p[3]))
                break;
            j->p += 4;
        } else if (c == 0 || strchr("\"\\/bfnrt", c) == NULL) {
            break;
        }
    }
    json_fail(j, "bad string in JSON");
}

static void json_number(struct json *j)
{
    json_take(j, '-');
    if (!is_digit(j)) {
        json_fail(j, "bad value in JSON");
        return;
    }
    if (!json_take(j, '0')) {
        while (is_digit(j))
            j->p++;
    }
    if (json_take(j, '.')) {
        if (!is_digit(j))
            json_fail(j, "bad number in JSON");
        while (is_digit(j))
            j->p++;
    }
    if (json_take(j, 'e') || json_take(j, 'E')) {
        if (!json_take(j, '+'))
            json_take(j, '-');
        if (!is_digit(j))
            json_fail(j, "bad number in JSON");
        while (is_digit(j))
            j->p++;
    }
}

static void json_word(struct json *j, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        json_fail(j, "bad value in JSON");
    else
        j->p += n;
}

static void json_key(struct json *j)
{
    json_space(j);
    if (!json_take(j, '"')) {
        json_fail(j, "a key must be a string in JSON");
        return;
    }
    json_string(j);
    json_space(j);
    if (!json_take(j, ':'))
        json_fail(j, "missing colon in JSON");
}

/* One value that is no container. */
static void json_scalar(struct json *j)
{
    if (json_take(j, '"'))
        json_string(j);
    else if (j->p < j->end && *j->p == 't')
        json_word(j, "true");
    else if (j->p < j->end && *j->p == 'f')
        json_word(j, "false");
    else if (j->p < j->end && *j->p == 'n')
        json_word(j, "null");
    else
        json_number(j);
}

/* Closes what ends here and reads the comma before the next member.
 * False when the outermost value is complete, or on failure. */
static bool json_next_member(struct json *j, uint8_t *open, uint32_t *depth)
{
    while (*depth > 0) {
        bool object = open[*depth - 1] != 0;

        json_space(j);
        if (json_take(j, ',')) {
            if (object)
                json_key(j);
            return j->why == NULL;
        }
        if (!json_take(j, object ? '}' : ']')) {
            json_fail(j, "missing comma or bracket in JSON");
            return false;
        }
        --*depth;
    }
    return false;
}

/* Reads one value up to its first member. True: a member follows directly. */
static bool json_enter(struct json *j, uint8_t *open, uint32_t *depth, uint32_t nesting_max)
{
    bool object;

    json_space(j);
    object = json_take(j, '{');
    if (!object && !json_take(j, '[')) {
        json_scalar(j);
        return false;
    }
    json_space(j);
    if (json_take(j, object ? '}' : ']'))
        return false;
    if (*depth >= nesting_max || *depth >= YDOC__NESTING_MAX) {
        json_fail(j, "JSON nested too deep");
        return false;
    }
    open[(*depth)++] = object;
    if (object)
        json_key(j);
    return j->why == NULL;
}

const char *ydoc__json_check(const uint8_t *p, size_t len, uint32_t nesting_max, size_t *at)
{
    struct json j = {p, p + len, NULL};
    uint8_t open[YDOC__NESTING_MAX];
    uint32_t depth = 0;

    while (json_enter(&j, open, &depth, nesting_max) ||
           (j.why == NULL && json_next_member(&j, open, &depth)))
        ;
    json_space(&j);
    if (j.why == NULL && j.p != j.end)
        json_fail(&j, "something follows the JSON value");
    if (at != NULL)
        *at = (size_t)(j.p - p);
    return j.why;
}

int ydoc_validate_json(const uint8_t *json, size_t len, uint32_t nesting_max,
                       struct ydoc_error *err)
{
    size_t at = 0;
    const char *why = NULL;

    if (lib0_utf16_len(json, len) < 0)
        why = "text is not UTF-8";
    else
        why = ydoc__json_check(json, len, nesting_max, &at);
    if (why == NULL)
        return 0;
    return ydoc__error(err, YDOC_EMALFORMED, at, "byte %zu: %s", at, why);
}
