// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/memfs_node.c src/fs/memfs_dir.c src/fs/memfs_walk.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/memfs_file.c src/fs/contents.c src/fs/device.c src/fs/file.c */
/* links: tests/host/fake/memory.c tests/host/fake/threads.c tests/host/fake/user.c */
/* links: src/lib/text.c tests/host/fake/panic.c tests/host/linux_files.c */
/* links: src/lib/wall_clock.c */
/*
 * The memory file system against Linux: the same random calls, on ours and on a tmpfs of the
 * machine that runs the tests, give the same results, errors included, and lead to the same tree.
 *
 * It runs in a child process, whose root is the tmpfs directory, so that absolute paths and ".."
 * mean the same on both sides.
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"
#include "linux_files.h"
#include "memfs_words.h"

enum {
    SEEDS = 20,
    CALLS = 6000, /* with each seed */
    COMPARE_EVERY = 250,
    HANDLES = 8,
    PATH_BYTES = 1200,
    DATA_BYTES = 20000,
    LINES = 40, /* of history that a failure shows */
};

/* An open file or directory on both sides. */
struct handle {
    struct file *ours; /* NULL: none */
    int theirs;
};

static struct handle handles[HANDLES];
static uint64_t random_state;
static char history[LINES][2 * PATH_BYTES + 200];
static unsigned history_count;

static uint32_t below(uint32_t limit)
{
    return random_below(&random_state, limit);
}

static bool one_in(uint32_t count)
{
    return below(count) == 0;
}

/* ---- telling --------------------------------------------------------------------------------- */

#define NOTE(...) snprintf(history[history_count++ % LINES], sizeof(history[0]), __VA_ARGS__)

__attribute__((noreturn)) static void differ(const char *what, long ours, long theirs)
{
    unsigned first = history_count > LINES ? history_count - LINES : 0;
    for (unsigned i = first; i < history_count; i++)
        fprintf(stderr, "%5u  %.300s\n", i, history[i % LINES]);
    fprintf(stderr, "%s: ours %ld, Linux %ld\n", what, ours, theirs);
    _exit(1);
}

static void same(const char *what, long ours, long theirs)
{
    if (ours != theirs)
        differ(what, ours, theirs);
}

/* Compare what stat told; sizes of directories are each file system's own affair. */
static void same_stat(const struct file_stat *ours, const struct linux_stat *theirs)
{
    same("mode", ours->mode, theirs->mode);
    same("links", ours->links, theirs->links);
    if ((ours->mode & S_IFMT) != S_IFDIR)
        same("size", (long)ours->size, (long)theirs->size);
}

/* ---- making things up ------------------------------------------------------------------------ */

static void add_component(char *path)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    uint32_t kind = below(100);
    if (kind < 78)
        strcat(path, names[below(5)]);
    else if (kind < 85)
        strcat(path, ".");
    else if (kind < 95)
        strcat(path, "..");
    else if (kind < 97)
        strcat(path, repeat("n", kind < 96 ? 255 : 256));
}

static void make_path(char *path)
{
    path[0] = '\0';
    if (one_in(100))
        return;
    if (one_in(6))
        strcat(path, "/");
    for (uint32_t i = 1 + below(4); i > 0; i--) {
        add_component(path);
        if (i > 1 || one_in(12))
            strcat(path, "/");
    }
}

/* Where a path begins: the root, or what a handle stands for. */
struct start {
    struct memfs_node *ours;
    int theirs;
    int handle; /* for the history; -1: the root */
};

static struct start make_start(void)
{
    int i = (int)below(2 * HANDLES);
    if (i < HANDLES && handles[i].ours != NULL)
        return (struct start){handles[i].ours->node, handles[i].theirs, i};
    return (struct start){NULL, LINUX_ROOT, -1};
}

static int64_t make_place(void)
{
    static const int64_t far[] = {INT64_C(1) << 33, INT64_MAX - 1, INT64_MAX, -1};
    if (one_in(20))
        return far[below(4)];
    return below(one_in(2) ? 100 : 50000);
}

static unsigned make_flags(void)
{
    unsigned flags = below(20) == 0 ? O_ACCMODE : below(3);
    if (one_in(2))
        flags |= O_CREAT | (one_in(5) ? O_EXCL : 0);
    else if (one_in(3))
        flags |= O_DIRECTORY; /* together they mean different things on different kernels */
    return flags | (one_in(6) ? O_TRUNC : 0) | (one_in(5) ? O_APPEND : 0) |
           (one_in(8) ? O_NOFOLLOW : 0);
}

/* ---- calls on names -------------------------------------------------------------------------- */

static void close_handle(int i)
{
    if (handles[i].ours == NULL)
        return;
    file_put(handles[i].ours);
    linux_close(handles[i].theirs);
    handles[i].ours = NULL;
}

static void call_open(void)
{
    char path[PATH_BYTES];
    struct start start = make_start();
    unsigned flags = make_flags(), mode = below(01000);
    int i = (int)below(HANDLES);
    make_path(path);
    if (start.handle != i)
        close_handle(i);
    else if (handles[i].ours != NULL)
        return;
    NOTE("%d = open(%d, \"%s\", 0%o, 0%o)", i, start.handle, path, flags, mode);
    struct file *file;
    int ours = memfs_open(start.ours, path, flags, mode, &file);
    long theirs = linux_open(start.theirs, path, flags, mode);
    same("open", ours, theirs < 0 ? theirs : 0);
    if (ours == 0)
        handles[i] = (struct handle){file, (int)theirs};
}

static void call_stat(void)
{
    char path[PATH_BYTES];
    struct start start = make_start();
    bool follow = one_in(2);
    struct file_stat ours;
    struct linux_stat theirs;
    make_path(path);
    NOTE("%s(%d, \"%s\")", follow ? "stat" : "lstat", start.handle, path);
    int error = memfs_stat(start.ours, path, follow, &ours);
    same("stat", error, linux_stat(start.theirs, path, follow, &theirs));
    if (error == 0)
        same_stat(&ours, &theirs);
}

static void call_with_a_path(void)
{
    char path[PATH_BYTES], text[PATH_BYTES], other[PATH_BYTES];
    struct start start = make_start();
    unsigned mode = below(02000), special = one_in(4) ? 06000 : 0;
    int64_t size = make_place();
    make_path(path);
    make_path(text);
    switch (below(9)) {
    case 0:
    case 1:
    case 2:
        mode |= special; /* mkdir passes over these */
        NOTE("mkdir(%d, \"%s\", 0%o)", start.handle, path, mode);
        same("mkdir", memfs_mkdir(start.ours, path, mode), linux_mkdir(start.theirs, path, mode));
        break;
    case 3:
        NOTE("rmdir(%d, \"%s\")", start.handle, path);
        same("rmdir", memfs_rmdir(start.ours, path), linux_rmdir(start.theirs, path));
        break;
    case 4:
        NOTE("unlink(%d, \"%s\")", start.handle, path);
        same("unlink", memfs_unlink(start.ours, path), linux_unlink(start.theirs, path));
        break;
    case 5:
        NOTE("symlink(\"%s\", %d, \"%s\")", text, start.handle, path);
        same("symlink", memfs_symlink(text, start.ours, path),
             linux_symlink(text, start.theirs, path));
        break;
    case 6:
        NOTE("readlink(%d, \"%s\", %zu)", start.handle, path, (size_t)mode);
        long length = memfs_readlink(start.ours, path, text, mode);
        same("readlink", length, linux_readlink(start.theirs, path, other, mode));
        if (length > 0 && memcmp(text, other, (size_t)length) != 0)
            differ("readlink's text", 0, 0);
        break;
    case 7:
        NOTE("chmod(%d, \"%s\", 0%o)", start.handle, path, mode);
        same("chmod", memfs_chmod(start.ours, path, mode), linux_chmod(start.theirs, path, mode));
        break;
    default:
        if (start.handle >= 0)
            break; /* Linux has no such call */
        NOTE("truncate(\"%s\", %lld)", path, (long long)size);
        same("truncate", memfs_truncate(NULL, path, size), linux_truncate(LINUX_ROOT, path, size));
        break;
    }
}

static void call_with_two_paths(void)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    struct start a = make_start(), b = make_start();
    bool option = one_in(4);
    make_path(from);
    make_path(to);
    if (one_in(3)) {
        NOTE("link(%d, \"%s\", %d, \"%s\", %d)", a.handle, from, b.handle, to, option);
        same("link", memfs_link(a.ours, from, option, b.ours, to),
             linux_link(a.theirs, from, option, b.theirs, to));
    } else {
        NOTE("rename(%d, \"%s\", %d, \"%s\", %d)", a.handle, from, b.handle, to, option);
        same("rename", memfs_rename(a.ours, from, b.ours, to, option),
             linux_rename(a.theirs, from, b.theirs, to, option));
    }
}

/* ---- calls on open files --------------------------------------------------------------------- */

static unsigned char data[DATA_BYTES], other_data[DATA_BYTES];

static void make_data(size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)random_next(&random_state);
}

static void same_data(long size)
{
    if (size > 0 && memcmp(data, other_data, (size_t)size) != 0)
        differ("bytes read", 0, 0);
}

static void call_read(struct handle *h, int i, size_t size, int64_t place)
{
    bool at = one_in(2);
    NOTE("%s(%d, %zu, %lld)", at ? "pread" : "read", i, size, (long long)place);
    long ours =
        at ? file_pread(h->ours, user(data), size, place) : file_read(h->ours, user(data), size);
    same("read", ours,
         at ? linux_pread(h->theirs, other_data, size, place)
            : linux_read(h->theirs, other_data, size));
    same_data(ours);
}

static void call_write(struct handle *h, int i, size_t size, int64_t place)
{
    bool at = one_in(2);
    make_data(size);
    NOTE("%s(%d, %zu, %lld)", at ? "pwrite" : "write", i, size, (long long)place);
    same("write",
         at ? file_pwrite(h->ours, user(data), size, place) : file_write(h->ours, user(data), size),
         at ? linux_pwrite(h->theirs, data, size, place) : linux_write(h->theirs, data, size));
}

static void call_getcwd(struct handle *h, int i)
{
    char ours[4096], theirs[4096];
    NOTE("getcwd(%d)", i);
    long length = memfs_get_path(h->ours->node, ours, sizeof(ours));
    same("getcwd", length, linux_getcwd(h->theirs, theirs, sizeof(theirs)));
    if (length > 0 && strcmp(ours, theirs) != 0)
        differ("getcwd's text", 0, 0);
}

static void call_fstat(struct handle *h, int i)
{
    struct file_stat ours;
    struct linux_stat theirs;
    NOTE("fstat(%d)", i);
    same("fstat", file_get_stat(h->ours, &ours), linux_fstat(h->theirs, &theirs));
    same_stat(&ours, &theirs);
}

static void call_with_a_file(void)
{
    int i = (int)below(HANDLES);
    struct handle *h = &handles[i];
    if (h->ours == NULL)
        return;
    size_t size = below(one_in(2) ? 30 : DATA_BYTES);
    int64_t place = make_place();
    int whence = (int)below(3);
    switch (below(8)) {
    case 0:
    case 1:
        call_read(h, i, size, place);
        break;
    case 2:
    case 3:
        call_write(h, i, size, place);
        break;
    case 4:
        if (memfs_is_dir(h->ours->node))
            break; /* places in a directory are each file system's own affair */
        place -= one_in(2) ? 200 : 0;
        NOTE("lseek(%d, %lld, %d)", i, (long long)place, whence);
        same("lseek", file_seek(h->ours, place, whence), linux_seek(h->theirs, place, whence));
        break;
    case 5:
        NOTE("ftruncate(%d, %lld)", i, (long long)place);
        same("ftruncate", file_truncate(h->ours, place), linux_ftruncate(h->theirs, place));
        break;
    case 6:
        call_fstat(h, i);
        break;
    default:
        if (memfs_is_dir(h->ours->node))
            call_getcwd(h, i);
        break;
    }
}

/* ---- comparing the trees --------------------------------------------------------------------- */

enum { NAMES_MAX = 64, NAME_OFFSET = 19, LENGTH_OFFSET = 16 };

struct names {
    size_t count;
    char *names[NAMES_MAX];
};

static void add_names(struct names *names, const char *records, long size)
{
    for (long at = 0; at < size;) {
        uint16_t length;
        memcpy(&length, records + at + LENGTH_OFFSET, sizeof(length));
        if (names->count == NAMES_MAX)
            differ("too many names", (long)names->count, NAMES_MAX);
        names->names[names->count++] = strdup(records + at + NAME_OFFSET);
        at += length;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct names list_ours(const char *path)
{
    _Alignas(8) char buf[700];
    struct names names = {0};
    struct file *dir = open_file(path, O_RDONLY);
    long size;
    while ((size = file_getdents(dir, user(buf), sizeof(buf))) > 0)
        add_names(&names, buf, size);
    same("getdents", size, 0);
    file_put(dir);
    qsort(names.names, names.count, sizeof(char *), by_name);
    return names;
}

static struct names list_theirs(const char *path)
{
    _Alignas(8) char buf[32768];
    struct names names = {0};
    int fd = (int)linux_open(LINUX_ROOT, path, O_RDONLY, 0);
    long size;
    while ((size = linux_getdents(fd, buf, sizeof(buf))) > 0)
        add_names(&names, buf, size);
    linux_close(fd);
    qsort(names.names, names.count, sizeof(char *), by_name);
    return names;
}

static void compare_contents(const char *path, uint64_t size)
{
    struct file *ours = open_file(path, O_RDONLY);
    int theirs = (int)linux_open(LINUX_ROOT, path, O_RDONLY, 0);
    for (uint64_t at = 0; at < size; at += DATA_BYTES) {
        if (at > 5 * DATA_BYTES && size - at > 5 * DATA_BYTES)
            at = size - 5 * DATA_BYTES; /* in between is a large hole */
        long length = file_pread(ours, user(data), DATA_BYTES, (int64_t)at);
        same("contents", length, linux_pread(theirs, other_data, DATA_BYTES, (int64_t)at));
        same_data(length);
    }
    file_put(ours);
    linux_close(theirs);
}

static void compare_links(const char *path)
{
    char ours[PATH_BYTES], theirs[PATH_BYTES];
    long length = memfs_readlink(NULL, path, ours, PATH_BYTES);
    same("link", length, linux_readlink(LINUX_ROOT, path, theirs, PATH_BYTES));
    if (memcmp(ours, theirs, (size_t)length) != 0)
        differ("link's text", 0, 0);
}

static void compare(const char *path)
{
    struct file_stat ours;
    struct linux_stat theirs;
    same("lstat", memfs_stat(NULL, path, false, &ours), 0);
    same("lstat", 0, linux_stat(LINUX_ROOT, path, false, &theirs));
    same_stat(&ours, &theirs);
    if ((ours.mode & S_IFMT) == S_IFREG)
        compare_contents(path, ours.size);
    if ((ours.mode & S_IFMT) == S_IFLNK)
        compare_links(path);
    if ((ours.mode & S_IFMT) != S_IFDIR)
        return;
    struct names a = list_ours(path), b = list_theirs(path);
    same("number of names", (long)a.count, (long)b.count);
    for (size_t i = 0; i < a.count; i++) {
        char *below_path;
        if (strcmp(a.names[i], b.names[i]) != 0)
            differ(a.names[i], 0, 0);
        if (asprintf(&below_path, "%s/%s", path[1] == '\0' ? "" : path, a.names[i]) < 0)
            abort();
        if (strcmp(a.names[i], ".") != 0 && strcmp(a.names[i], "..") != 0)
            compare(below_path);
        free(below_path);
        free(a.names[i]);
        free(b.names[i]);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static void random_call(void)
{
    uint32_t kind = below(100);
    if (kind < 20)
        call_open();
    else if (kind < 30)
        call_stat();
    else if (kind < 55)
        call_with_a_path();
    else if (kind < 70)
        call_with_two_paths();
    else
        call_with_a_file();
}

/* Make both trees empty again: what is in a directory goes before it. */
static void remove_below(const char *path)
{
    struct names names = list_ours(path);
    for (size_t i = 0; i < names.count; i++) {
        char *name;
        if (asprintf(&name, "%s/%s", path, names.names[i]) < 0)
            abort();
        bool is_dir = (stat_of(name).mode & S_IFMT) == S_IFDIR;
        if (strcmp(names.names[i], ".") != 0 && strcmp(names.names[i], "..") != 0) {
            if (is_dir)
                remove_below(name);
            same("removing", is_dir ? memfs_rmdir(NULL, name) : memfs_unlink(NULL, name),
                 is_dir ? linux_rmdir(LINUX_ROOT, name) : linux_unlink(LINUX_ROOT, name));
        }
        free(name);
        free(names.names[i]);
    }
}

static void run(uint64_t seed)
{
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    NOTE("seed %llu", (unsigned long long)seed);
    for (int i = 1; i <= CALLS; i++) {
        random_call();
        if (i % COMPARE_EVERY == 0)
            compare("/");
    }
    remove_below("/.");
    for (int i = 0; i < HANDLES; i++)
        close_handle(i);
    same("memory in use", fake_live, 1); /* the root */
}

static void like_linux(void **state)
{
    (void)state;
    const char *place = linux_make_place();
    if (place == NULL)
        skip(); /* there is no tmpfs to compare with */
    pid_t child = fork();
    if (child == 0) {
        if (!linux_enter(place))
            _exit(2);
        if (memfs_init() != 0)
            _exit(1);
        memfs_chmod(NULL, "/", 0700); /* as mkdtemp made it */
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            run(seed);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    linux_remove_place(place);
    if (status == 2 << 8)
        skip(); /* this user may not change the root */
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_linux)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
