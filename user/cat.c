// SPDX-License-Identifier: MIT
/* cat [FILE]...: copy the files, or the standard input (also named -), to the standard output. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool complain(const char *name)
{
    fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
    return false;
}

/* A write may take less than it was given. */
static bool write_all(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, data, length);
        if (written < 0)
            return complain("standard output");
        data += written;
        length -= (size_t)written;
    }
    return true;
}

static bool copy(int fd, const char *name)
{
    static char buffer[65536];
    ssize_t length;
    while ((length = read(fd, buffer, sizeof(buffer))) > 0) {
        if (!write_all(buffer, (size_t)length))
            return false;
    }
    return length == 0 || complain(name);
}

static bool copy_file(const char *name)
{
    if (strcmp(name, "-") == 0)
        return copy(STDIN_FILENO, "standard input");
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        return complain(name);
    bool good = copy(fd, name);
    close(fd);
    return good;
}

int main(int argc, char **argv)
{
    bool good = argc > 1 || copy_file("-");
    for (int i = 1; i < argc; i++)
        good &= copy_file(argv[i]);
    return good ? 0 : 1;
}
