// SPDX-License-Identifier: MIT
/* dmesg: the kernel log, without the level `<N>` before each line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

enum { SYSLOG_READ_ALL = 3, SYSLOG_SIZE_BUFFER = 10 };

static const char *behind_level(const char *line, const char *end)
{
    const char *close = *line == '<' ? memchr(line, '>', (size_t)(end - line)) : NULL;
    return close != NULL ? close + 1 : line;
}

int main(void)
{
    /* With each line's level the text may be longer than the ring that it comes from. */
    int size = 2 * klogctl(SYSLOG_SIZE_BUFFER, NULL, 0);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    int length = text != NULL ? klogctl(SYSLOG_READ_ALL, text, size) : -1;
    if (length < 0) {
        perror("dmesg");
        free(text);
        return 1;
    }
    const char *end = text + length;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *next = newline != NULL ? newline + 1 : end;
        line = behind_level(line, next);
        fwrite(line, 1, (size_t)(next - line), stdout);
        line = next;
    }
    free(text);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
