// SPDX-License-Identifier: MIT
/*
 * Names and directories: making, removing, renaming, links of both kinds, permission bits, the
 * working directory, reading directories, and the same from a directory's descriptor on.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "scratch.h"

static void touch(const char *name)
{
    (void)close(MUST(open(name, O_WRONLY | O_CREAT, 0644)));
}

static long links_of(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0 ? (long)st.st_nlink : -1;
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0 ? st.st_mode : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a directory, sorted, with their kinds. */
static void list(const char *path)
{
    char *names[512];
    size_t count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        report_broken(path);
    for (struct dirent *entry; count < 512 && (entry = readdir(dir)) != NULL;) {
        const char *kind = entry->d_type == DT_DIR   ? "/"
                           : entry->d_type == DT_LNK ? "@"
                           : entry->d_type == DT_REG ? ""
                                                     : "?";
        char text[NAME_MAX + 2];
        (void)snprintf(text, sizeof(text), "%s%s", entry->d_name, kind);
        names[count++] = strdup(text);
    }
    (void)closedir(dir);
    qsort(names, count, sizeof(names[0]), by_name);
    (void)printf("%s: %zu entries:", path, count);
    for (size_t i = 0; i < count; i++) {
        if (count < 20)
            (void)printf(" %s", names[i]);
        free(names[i]);
    }
    (void)printf("\n");
}

/* ---- directories ----------------------------------------------------------------------------- */

static void directories(void)
{
    SHOW_OK(mkdir("d", 0755));
    SHOW_OK(mkdir("d", 0755));
    SHOW_OK(mkdir("d/e/", 0755));
    SHOW_OK(mkdir("none/e", 0755));
    SHOW_OK(mkdir("", 0755));
    SHOW_OK(mkdir(".", 0755));
    SHOW_OK(mkdir("/", 0755));
    SHOW_OK(mkdir(NOWHERE, 0755));
    touch("d/f");
    SHOW_OK(mkdir("d/f", 0755));
    SHOW_OK(mkdir("d/f/g", 0755));
    list("d");
    SHOW(links_of("d"));
    SHOW_OK(rmdir("d"));
    SHOW_OK(rmdir("d/f"));
    SHOW_OK(rmdir("d/e/."));
    SHOW_OK(rmdir("d/e/.."));
    SHOW_OK(rmdir("/"));
    SHOW_OK(rmdir("none"));
    SHOW_OK(rmdir(""));
    SHOW_OK(unlink("d/e"));
    SHOW_OK(unlink("d/f/"));
    SHOW_OK(unlink("d/f"));
    SHOW_OK(unlink("d/f"));
    SHOW_OK(unlink(""));
    SHOW_OK(unlink(NOWHERE));
    SHOW_OK(rmdir("d/e"));
    SHOW(links_of("d"));
    list("d");
    SHOW_OK(rmdir("d/"));
    list(".");
}

/* A directory that is gone, but somebody's working directory. */
static void removed_directory(void)
{
    char path[PATH_MAX];
    int home = MUST(open(".", O_RDONLY | O_DIRECTORY));
    MUST(mkdir("gone", 0755));
    MUST(chdir("gone"));
    SHOW_OK(rmdir("../gone"));
    SHOW_OK(open("new", O_RDWR | O_CREAT, 0644));
    SHOW_OK(mkdir("new", 0755));
    SHOW_OK(syscall(SYS_getcwd, path, sizeof(path)));
    SHOW_OK(fchdir(home));
    SHOW_OK(close(home));
}

static void many_entries(void)
{
    char name[32];
    MUST(mkdir("many", 0755));
    for (int i = 0; i < 400; i++) {
        (void)snprintf(name, sizeof(name), "many/entry-number-%d", i);
        touch(name);
    }
    list("many");
    /* removing what was read while reading leaves none out */
    DIR *dir = opendir("many");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.')
            MUST(unlinkat(dirfd(dir), entry->d_name, 0));
    }
    rewinddir(dir);
    int left = 0;
    while (readdir(dir) != NULL)
        left++;
    (void)closedir(dir);
    SHOW(left);
    SHOW_OK(rmdir("many"));
}

static void raw_entries(void)
{
    char small[8], large[1024];
    int file = MUST(open("f", O_RDONLY | O_CREAT, 0644));
    int dir = MUST(open(".", O_RDONLY));
    SHOW_OK(syscall(SYS_getdents64, dir, small, sizeof(small)));
    SHOW_OK(syscall(SYS_getdents64, dir, NOWHERE, sizeof(large)));
    SHOW_OK(syscall(SYS_getdents64, file, large, sizeof(large)));
    SHOW_OK(syscall(SYS_getdents64, -1, large, sizeof(large)));
    SHOW_OK(syscall(SYS_getdents64, dir, large, sizeof(large)));
    SHOW(syscall(SYS_getdents64, dir, large, sizeof(large)));
    SHOW_OK(opendir("f") == NULL ? -1 : 0);
    SHOW_OK(opendir("none") == NULL ? -1 : 0);
    (void)close(dir);
    (void)close(file);
    SHOW_OK(unlink("f"));
}

/* ---- rename ---------------------------------------------------------------------------------- */

static void renaming(void)
{
    touch("a");
    touch("b");
    MUST(mkdir("d", 0755));
    MUST(mkdir("full", 0755));
    touch("full/f");
    SHOW_OK(rename("a", "c"));
    SHOW_OK(rename("a", "c"));
    SHOW_OK(rename("c", "b"));
    SHOW_OK(rename("b", "b"));
    SHOW_OK(rename("b", "d"));
    SHOW_OK(rename("d", "b"));
    SHOW_OK(rename("d", "full"));
    SHOW_OK(rename("full", "d"));
    SHOW_OK(rename("d", "d/below"));
    SHOW_OK(rename("d", "moved"));
    SHOW_OK(rename("moved", "moved"));
    SHOW_OK(rename("b", "none/b"));
    SHOW_OK(rename("b", "moved/b"));
    SHOW_OK(rename("moved/b", "moved/b/x"));
    SHOW_OK(rename("moved/.", "x"));
    SHOW_OK(rename("moved", "."));
    SHOW_OK(rename("moved/..", "x"));
    SHOW_OK(rename("", "x"));
    SHOW_OK(rename("moved", ""));
    SHOW_OK(rename(NOWHERE, "x"));
    SHOW_OK(rename("moved", NOWHERE));
    list(".");
    list("moved");

    /* two names of one file: nothing happens */
    MUST(link("moved/b", "second"));
    SHOW_OK(rename("second", "moved/b"));
    SHOW(links_of("second"));
    touch("other");
    SHOW_OK(syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, "second", 1 /* no replace */));
    SHOW_OK(syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, "third", 1));
    SHOW_OK(syscall(SYS_renameat2, AT_FDCWD, "third", AT_FDCWD, "fourth", 1 << 20));
    SHOW_OK(unlink("third"));
    SHOW_OK(unlink("second"));
    SHOW_OK(unlink("moved/b"));
    SHOW_OK(rmdir("moved"));
}

/* A directory that moves has another parent. */
static void moving_directories(void)
{
    MUST(mkdir("p", 0755));
    MUST(mkdir("q", 0755));
    MUST(mkdir("p/child", 0755));
    SHOW_OK(rename("p/child", "q/child"));
    SHOW(links_of("p"));
    SHOW(links_of("q"));
    touch("q/witness");
    list("q/child/..");
    MUST(unlink("q/witness"));
    SHOW_OK(rmdir("q/child"));
    SHOW_OK(rmdir("q"));
    SHOW_OK(rmdir("p"));
    list(".");
}

/* ---- links ----------------------------------------------------------------------------------- */

static void hard_links(void)
{
    touch("one");
    MUST(mkdir("dir", 0755));
    SHOW_OK(link("one", "two"));
    SHOW(links_of("one"));
    SHOW_OK(link("one", "two"));
    SHOW_OK(link("one", "dir"));
    SHOW_OK(link("dir", "dir2"));
    SHOW_OK(link("none", "x"));
    SHOW_OK(link("one", "none/x"));
    SHOW_OK(link("one/", "x"));
    SHOW_OK(link("one", "x/"));
    SHOW_OK(link("", "x"));
    SHOW_OK(link("one", ""));
    MUST(symlink("one", "soft"));
    SHOW_OK(link("soft", "of-the-link"));
    SHOW(mode_of("of-the-link") == mode_of("soft"));
    SHOW_OK(linkat(AT_FDCWD, "soft", AT_FDCWD, "of-the-file", AT_SYMLINK_FOLLOW));
    SHOW(mode_of("of-the-file") == mode_of("one"));
    SHOW_OK(linkat(AT_FDCWD, "soft", AT_FDCWD, "x", 1 << 20));
    SHOW(links_of("one"));
    SHOW_OK(unlink("one"));
    SHOW(links_of("two"));
    list(".");
    SHOW_OK(unlink("two"));
    SHOW_OK(unlink("soft"));
    SHOW_OK(unlink("of-the-link"));
    SHOW_OK(unlink("of-the-file"));
    SHOW_OK(rmdir("dir"));
}

static void show_link(const char *name, size_t room)
{
    char text[64];
    ssize_t length = SHOW(readlink(name, text, room));
    if (length > 0)
        (void)printf("%s leads to '%.*s'\n", name, (int)length, text);
}

static void symbolic_links(void)
{
    MUST(mkdir("dir", 0755));
    touch("dir/f");
    SHOW_OK(symlink("dir/f", "to-file"));
    SHOW_OK(symlink("dir", "to-dir"));
    SHOW_OK(symlink("../to-dir/../dir", "dir/round"));
    SHOW_OK(symlink("b", "a"));
    SHOW_OK(symlink("a", "b"));
    SHOW_OK(symlink("missing", "dangling"));
    SHOW_OK(symlink("x", "a"));
    SHOW_OK(symlink("", "empty"));
    SHOW_OK(symlink("x", "none/x"));
    SHOW_OK(symlink("x", ""));
    show_link("to-file", 64);
    show_link("dir/round", 5);
    show_link("dir/f", 64);
    show_link("dir", 64);
    show_link("none", 64);
    SHOW(syscall(SYS_readlink, "to-file", NOWHERE, 64));
    SHOW(syscall(SYS_readlink, "to-file", NOWHERE, 0));
    SHOW(syscall(SYS_readlink, "to-file", NOWHERE, -1));
    SHOW_OK(open("to-dir/f", O_RDONLY));
    SHOW_OK(open("dir/round/round/round/f", O_RDONLY));
    SHOW_OK(open("a", O_RDONLY));
    SHOW_OK(open("a/x", O_RDONLY));
    SHOW_OK(open("to-file", O_RDONLY | O_NOFOLLOW));
    SHOW_OK(open("to-dir/f", O_RDONLY | O_NOFOLLOW));
    SHOW_OK(open("dangling", O_RDONLY));
    SHOW_OK(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
    SHOW_OK(open("dangling", O_RDWR | O_CREAT, 0644));
    SHOW(links_of("missing"));
    SHOW_OK(rmdir("to-dir"));
    SHOW_OK(mkdir("a", 0755));
    SHOW_OK(chdir("to-file"));
    SHOW_OK(unlink("to-dir/"));
    SHOW_OK(rename("to-dir", "renamed"));
    list("renamed");
    list(".");
}

/* 40 links in a row are followed, 41 are not. */
static void chain_of_links(void)
{
    char name[16], target[16] = "dir/f";
    for (int i = 1; i <= 41; i++) {
        (void)snprintf(name, sizeof(name), "chain%d", i);
        MUST(symlink(target, name));
        memcpy(target, name, sizeof(target));
    }
    SHOW_OK(open("chain1", O_RDONLY));
    SHOW_OK(open("chain40", O_RDONLY));
    SHOW_OK(open("chain41", O_RDONLY));
}

/* ---- permission bits ------------------------------------------------------------------------- */

static void show_mode(const char *name)
{
    (void)printf("%s: mode %06o\n", name, mode_of(name));
}

static void permissions(void)
{
    touch("m");
    show_mode("m");
    SHOW_OK(chmod("m", 0750));
    show_mode("m");
    SHOW_OK(chmod("m", 07777));
    show_mode("m");
    int fd = MUST(open("m", O_RDONLY));
    SHOW_OK(fchmod(fd, 0604));
    (void)close(fd);
    show_mode("m");
    SHOW_OK(fchmod(fd, 0604));
    SHOW_OK(chmod("none", 0600));
    SHOW_OK(chmod("a", 0600));
    SHOW_OK(chmod("dir", 0711));
    show_mode("dir");
    SHOW(umask(027) == 022);
    SHOW_OK(open("masked", O_RDWR | O_CREAT, 0666));
    show_mode("masked");
    SHOW_OK(mkdir("masked-dir", 0777));
    show_mode("masked-dir");
    SHOW(umask(07022) == 027);
    SHOW(umask(022) == 022); /* only permission bits are kept */
    SHOW_OK(access("m", F_OK));
    SHOW_OK(access("m", R_OK | W_OK));
    SHOW_OK(access("m", X_OK));
    SHOW_OK(chmod("m", 0700));
    SHOW_OK(access("m", R_OK | W_OK | X_OK));
    SHOW_OK(access("dir", X_OK));
    SHOW_OK(access("none", F_OK));
    SHOW_OK(access("a", F_OK));
    SHOW_OK(access("m", 8));
    SHOW_OK(access(NOWHERE, F_OK));
}

/* ---- the working directory ------------------------------------------------------------------- */

static void working_directory(void)
{
    char home[PATH_MAX], there[PATH_MAX];
    SHOW(getcwd(home, sizeof(home)) == home);
    SHOW_OK(chdir("dir"));
    SHOW(getcwd(there, sizeof(there)) == there);
    (void)printf("below: '%s'\n", there + strlen(home));
    SHOW(syscall(SYS_getcwd, there, sizeof(there)) == (long)strlen(home) + 5);
    SHOW(syscall(SYS_getcwd, there, strlen(home) + 4));
    SHOW(syscall(SYS_getcwd, there, 0));
    SHOW(syscall(SYS_getcwd, NOWHERE, sizeof(there)));
    SHOW_OK(chdir(".."));
    SHOW(strcmp(getcwd(there, sizeof(there)), home));
    SHOW_OK(chdir("none"));
    SHOW_OK(chdir("m"));
    SHOW_OK(chdir(""));
    SHOW_OK(chdir(NOWHERE));
    int file = MUST(open("m", O_RDONLY)), dir = MUST(open("dir", O_RDONLY));
    SHOW_OK(fchdir(file));
    SHOW_OK(fchdir(-1));
    SHOW_OK(fchdir(dir));
    SHOW_OK(access("f", F_OK));
    SHOW_OK(chdir("/../../.."));
    SHOW_OK(syscall(SYS_getcwd, there, sizeof(there)));
    (void)printf("the root is '%s'\n", there);
    SHOW_OK(chdir(home));
    (void)close(file);
    (void)close(dir);
}

/* ---- from a descriptor on -------------------------------------------------------------------- */

static void from_a_descriptor(void)
{
    struct stat st;
    char text[8];
    int file = MUST(open("m", O_RDONLY));
    MUST(mkdir("at", 0755));
    int dir = MUST(open("at", O_RDONLY | O_DIRECTORY));
    SHOW_OK(openat(dir, "f", O_RDWR | O_CREAT, 0644));
    SHOW_OK(openat(file, "f", O_RDONLY));
    SHOW_OK(openat(-1, "f", O_RDONLY));
    SHOW_OK(openat(-1, "/", O_RDONLY));
    SHOW_OK(mkdirat(dir, "d", 0755));
    SHOW_OK(mkdirat(dir, "d", 0755));
    SHOW_OK(symlinkat("f", dir, "l"));
    SHOW(readlinkat(dir, "l", text, sizeof(text)));
    SHOW_OK(linkat(dir, "f", AT_FDCWD, "from-at", 0));
    SHOW_OK(fstatat(dir, "l", &st, AT_SYMLINK_NOFOLLOW));
    SHOW(S_ISLNK(st.st_mode));
    SHOW_OK(fstatat(dir, "l", &st, 0));
    SHOW(st.st_nlink);
    SHOW_OK(fstatat(dir, "", &st, AT_EMPTY_PATH));
    SHOW(S_ISDIR(st.st_mode));
    SHOW_OK(fstatat(dir, "", &st, 0));
    SHOW_OK(fstatat(dir, "f", &st, 1 << 20));
    SHOW_OK(fstatat(file, "f", &st, 0));
    SHOW_OK(syscall(SYS_fchmodat, dir, "f", 0640));
    show_mode("at/f");
    SHOW_OK(syscall(SYS_faccessat, dir, "f", X_OK));
    SHOW_OK(renameat(dir, "f", AT_FDCWD, "from-at-2"));
    SHOW_OK(renameat(AT_FDCWD, "from-at-2", dir, "back"));
    list("at");
    SHOW_OK(unlinkat(dir, "d", 0));
    SHOW_OK(unlinkat(dir, "d", AT_REMOVEDIR));
    SHOW_OK(unlinkat(dir, "back", AT_REMOVEDIR));
    SHOW_OK(unlinkat(dir, "back", 0));
    SHOW_OK(unlinkat(dir, "l", 1 << 20));
    SHOW_OK(unlinkat(dir, "l", 0));
    (void)close(dir);
    (void)close(file);
    list("at");
}

int main(int argc, char **argv)
{
    report_by_lines();
    scratch_enter(argc, argv);
    directories();
    removed_directory();
    many_entries();
    raw_entries();
    renaming();
    moving_directories();
    hard_links();
    symbolic_links();
    chain_of_links();
    permissions();
    working_directory();
    from_a_descriptor();
    return 18;
}
