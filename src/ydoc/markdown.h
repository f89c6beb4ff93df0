#ifndef YDOC_MARKDOWN_H
#define YDOC_MARKDOWN_H

/* markdown - what the two files of the Markdown writer share: blocks and lines
 * (markdown.c), the pieces a line is made of (mdpieces.c), and how they are written
 * (mdinline.c). */
#include "ydoc/read.h"

/* The class of a character for CommonMark's rules on emphasis. */
enum md_class {
    MD_SPACE,
    MD_PUNCT,
    MD_WORD,
    MD_UNSURE, /* not ASCII: a letter or punctuation */
};

struct md {
    const struct ydoc *doc;
    struct ydoc_buf *out;
    size_t limit;
    unsigned depth;
    struct ydoc_buf prefix; /* stands in front of every line */
    size_t gap_len;         /* how much of it stands in front of the blank line */
    bool gap;               /* a blank line is due before the next line */
    bool open;              /* the line has been begun */
    bool tight;             /* no blank lines between the blocks here */
};

/* Attributes of an element as text: strings, numbers and booleans. */
bool md_attr(const struct ydoc *doc, uint32_t type, const char *name, struct ydoc_buf *out);
/* Up to `max`; `none` if it is no number. */
uint32_t md_attr_number(const struct md *m, uint32_t type, const char *name, uint32_t none,
                        uint32_t max);

static inline void md_write(struct md *m, const char *s)
{
    ydoc_buf_append(m->out, s, strlen(s));
}
void md_begin_line(struct md *m);
void md_end_line(struct md *m);

/* ---- characters (mdpieces.c) ---- */

bool md_is_space(uint32_t c);
enum md_class md_class_of(uint32_t c);
static inline bool md_is_alnum(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
}

/* ---- inside a line (mdpieces.c, mdinline.c) ---- */

enum md_mark {
    MD_BOLD,
    MD_ITALIC,
    MD_STRIKE,
    MD_LINK,
    MD_MARKS,
    MD_CODE = MD_MARKS, /* is never open between pieces */
};

enum md_kind {
    MD_TEXT,
    MD_BLANK, /* nothing but spaces */
    MD_BREAK,
    MD_IMAGE, /* `type` */
};

struct md_piece {
    enum md_kind kind;
    unsigned marks; /* 1 << enum md_mark */
    struct ydoc_slice link;
    size_t at, len; /* in the text */
    uint32_t type;
    uint32_t end[MD_MARKS]; /* the last piece with this mark without a pause */
};

enum md_where {
    MD_PARAGRAPH,
    MD_HEADING, /* one line */
    MD_CELL,    /* one line, and | separates cells */
};

/* What a line or a paragraph is made of, in pieces. */
struct md_inline {
    struct md *m;
    struct ydoc_buf pieces;
    struct ydoc_buf text;
};

static inline struct md_piece *md_pieces(const struct md_inline *p, size_t *n)
{
    *n = p->pieces.len / sizeof(struct md_piece);
    return (struct md_piece *)(void *)p->pieces.p;
}

void md_inline_init(struct md_inline *p, struct md *m);
void md_inline_fini(struct md_inline *p);
/* A text, or an element of a line: a break, an image, a mention. */
bool md_is_inline(const struct ydoc *doc, uint32_t type);
bool md_is_break(const struct ydoc *doc, uint32_t type);
/* A link's member `name`, appended to `out` (NULL: not). False if it is no text, or empty. */
bool md_link_part(struct ydoc_slice link, const char *name, struct ydoc_buf *out);
/* Adds it and what is in it; blocks are parted by breaks. */
void md_inline_add(struct md_inline *p, uint32_t type);
bool md_inline_is_empty(struct md_inline *p); /* after cutting breaks off the end */
void md_inline_write(struct md_inline *p, enum md_where where);

#endif
