// SPDX-License-Identifier: MIT
/* ls [-l] [NAME]...: the names in directories, one a line; with -l mode, links, size, target. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool in_long;

static bool complain(const char *name)
{
    fprintf(stderr, "ls: %s: %s\n", name, strerror(errno));
    return false;
}

static void print_mode(mode_t mode)
{
    static const char kinds[] = "?pc?d?b?-?l?s???"; /* by the four bits of S_IFMT */
    static const char letters[] = "rwxrwxrwx";
    char text[] = "?---------";
    text[0] = kinds[(mode & S_IFMT) >> 12];
    for (int i = 0; i < 9; i++) {
        if ((mode >> (8 - i) & 1) != 0)
            text[1 + i] = letters[i];
    }
    printf("%s ", text);
}

/* A line for `path`, under the name `name`. */
static bool print(const char *path, const char *name)
{
    struct stat status;
    char target[PATH_MAX] = "";
    if (!in_long)
        return puts(name) >= 0;
    if (lstat(path, &status) != 0)
        return complain(path);
    if (S_ISLNK(status.st_mode) && readlink(path, target, sizeof(target) - 1) < 0)
        return complain(path);
    print_mode(status.st_mode);
    printf("%3lu %10lld %s%s%s\n", (unsigned long)status.st_nlink, (long long)status.st_size, name,
           target[0] != '\0' ? " -> " : "", target);
    return true;
}

static bool list(const char *directory)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0)
        return errno == ENOTDIR ? print(directory, directory) : complain(directory);
    bool good = true;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (name[0] != '.')
            good &= print(path, name);
        free(entries[i]);
    }
    free(entries);
    return good;
}

int main(int argc, char **argv)
{
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        in_long = true;
        first = 2;
    }
    bool good = first < argc || list(".");
    for (int i = first; i < argc; i++) {
        if (argc > first + 1)
            printf("%s:\n", argv[i]);
        good &= list(argv[i]);
    }
    return fflush(stdout) == 0 && !ferror(stdout) && good ? 0 : 1;
}
