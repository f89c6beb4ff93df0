#ifndef YDOC_MARKDOWN_H
#define YDOC_MARKDOWN_H

/* markdown - what the two files of the Markdown writer share: blocks and lines
 * (markdown.c), and what stands inside a line (mdinline.c). */
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

/* ---- inside a line (mdinline.c) ---- */

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

void md_inline_init(struct md_inline *p, struct md *m);
void md_inline_fini(struct md_inline *p);
/* A text, or an element of a line: a break, an image, a mention. */
bool md_is_inline(const struct ydoc *doc, uint32_t type);
bool md_is_break(const struct ydoc *doc, uint32_t type);
/* Adds it and what is in it; blocks are parted by breaks. */
void md_inline_add(struct md_inline *p, uint32_t type);
bool md_inline_is_empty(struct md_inline *p); /* after cutting breaks off the end */
void md_inline_write(struct md_inline *p, enum md_where where);

#endif
