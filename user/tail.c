// SPDX-License-Identifier: MIT
/* tail [-N] [FILE]: the last N lines (10) of a file or of the standard input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

struct line {
    char *text;
    size_t room;   /* what getline has allocated */
    ssize_t bytes; /* the newline included; there may be NULs among them */
};

/* Print the last `count` lines of `in`, kept in a ring. Returns: false with errno set. */
static bool tail(FILE *in, size_t count)
{
    struct line *ring = calloc(count + 1, sizeof(*ring)); /* one more, for the line being read */
    if (ring == NULL)
        return false;
    size_t lines = 0;
    struct line *slot = &ring[0];
    while ((slot->bytes = getline(&slot->text, &slot->room, in)) >= 0)
        slot = &ring[++lines % (count + 1)];
    bool good = feof(in) != 0;
    for (size_t i = lines < count ? 0 : lines - count; good && i < lines; i++) {
        const struct line *line = &ring[i % (count + 1)];
        fwrite(line->text, 1, (size_t)line->bytes, stdout);
    }
    for (size_t i = 0; i <= count; i++)
        free(ring[i].text);
    free(ring);
    return good && fflush(stdout) == 0 && !ferror(stdout);
}

int main(int argc, char **argv)
{
    int lines = -10;
    int at = 1;
    if (at < argc && argv[at][0] == '-' && !read_number(argv[at++], &lines))
        lines = 1;
    if (lines > 0 || lines < -1000000 || argc > at + 1) {
        fprintf(stderr, "usage: tail [-N] [FILE]\n");
        return 2;
    }
    const char *name = at < argc ? argv[at] : "standard input";
    FILE *in = at < argc ? fopen(name, "r") : stdin;
    if (in == NULL || !tail(in, (size_t)-lines)) {
        fprintf(stderr, "tail: %s: %s\n", name, strerror(errno));
        return 1;
    }
    return 0;
}
