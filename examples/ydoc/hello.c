/* hello - applies updates and prints the text of the root "text".
 *
 *     cc hello.c -o hello $(pkg-config --cflags --libs ydoc)
 *     ./hello < UPDATE
 */
#include <stdio.h>
#include <ydoc.h>

int main(void)
{
    static uint8_t update[1 << 20];
    struct ydoc_slice root = {(const uint8_t *)"text", 4};
    struct ydoc_error err = {0};
    struct ydoc_buf text;
    struct ydoc *doc;

    ydoc_buf_init(&text, NULL);
    if (ydoc_new(&doc, NULL) != 0 ||
        ydoc_apply_v1(doc, update, fread(update, 1, sizeof(update), stdin), &err) != 0 ||
        ydoc_read_text(doc, root, &text) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    printf("%.*s\n", (int)text.len, (const char *)text.p);
    ydoc_buf_fini(&text);
    ydoc_free(doc);
    return 0;
}
