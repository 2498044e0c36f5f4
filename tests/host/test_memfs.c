// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/memfs_node.c src/fs/memfs_dir.c src/fs/memfs_walk.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/memfs_file.c src/fs/contents.c src/fs/device.c src/fs/file.c */
/* links: tests/host/fake/memory.c tests/host/fake/threads.c tests/host/fake/user.c */
/* links: src/lib/text.c tests/host/fake/panic.c */
/* links: src/lib/wall_clock.c */
/*
 * The memory file system: names. What each call says of each kind of mistake, and that no failure
 * leaves anything behind.
 */
#include "fs/device.h"
#include "memfs_words.h"

static int set_up(void **state)
{
    (void)state;
    fake_fail_after = 0;
    if (memfs_init() != -ENOMEM || fake_live != 0)
        return -1;
    fake_fail_after = -1;
    return memfs_init() != 0 || memfs_init() != 0 || fake_live != 1;
}

/* Each test works in a directory of its own and leaves an empty tree. */
static int leave_nothing(void **state)
{
    (void)state;
    if (fake_live != 1)
        fprintf(stderr, "%ld allocations in use\n", fake_live);
    return fake_live != 1 || fake_locks != 0;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void the_root(void **state)
{
    (void)state;
    uint64_t root = ino_of("/");
    assert_int_equal(stat_of("/").mode, S_IFDIR | 0755);
    assert_int_equal(stat_of("/").links, 2);
    static const char *const names[] = {"//", ".", "..", "/..", "./.././/", "../../."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(ino_of(names[i]), root);
        assert_int_equal(try_open(names[i], O_RDONLY), 0);
        assert_int_equal(try_open(names[i], O_WRONLY), -EISDIR);
        assert_int_equal(try_open(names[i], O_RDONLY | O_CREAT), -EISDIR);
        assert_int_equal(try_open(names[i], O_RDONLY | O_CREAT | O_EXCL), -EEXIST);
        assert_int_equal(memfs_symlink("x", NULL, names[i]), -EEXIST);
        assert_int_equal(memfs_mkdir(NULL, names[i], 0700), -EEXIST);
        assert_int_equal(memfs_unlink(NULL, names[i]), -EISDIR);
        assert_int_equal(memfs_rename(NULL, names[i], NULL, "x", false), -EBUSY);
    }
    assert_int_equal(memfs_rmdir(NULL, "/"), -EBUSY);
    assert_int_equal(memfs_rmdir(NULL, "."), -EINVAL);
    assert_int_equal(memfs_rmdir(NULL, "/.."), -ENOTEMPTY);
    assert_int_equal(look_for(""), -ENOENT);
    assert_int_equal(try_open("", O_RDONLY | O_CREAT), -ENOENT);
    assert_int_equal(memfs_mkdir(NULL, "", 0755), -ENOENT);
}

static void through_directories(void **state)
{
    (void)state;
    assert_int_equal(memfs_mkdir(NULL, "f", 07777), 0);
    assert_int_equal(memfs_mkdir(NULL, "/f/a//", 0711), 0);
    assert_int_equal(stat_of("f").mode, S_IFDIR | 01777);
    assert_int_equal(stat_of("f/a").mode, S_IFDIR | 0711);
    assert_int_equal(stat_of("f").links, 3);
    put_file("f/a/b", "hello");
    assert_int_equal(stat_of("f/a/b").mode, S_IFREG | 0644);
    assert_int_equal(stat_of("f/a/b").links, 1);
    assert_int_equal(stat_of("f/a/b").size, 5);
    assert_holds("f//a/./../a/b", "hello");
    assert_holds("f/../../f/a/b", "hello");
    assert_int_equal(look_for("f/a/b/"), -ENOTDIR);
    assert_int_equal(look_for("f/a/b/c"), -ENOTDIR);
    assert_int_equal(look_for("f/a/b/.."), -ENOTDIR);
    assert_int_equal(look_for("f/a/bb"), -ENOENT);
    assert_int_equal(look_for("f/x/../a"), -ENOENT);
    assert_int_equal(ino_of("f/a/"), ino_of("f/a"));
    assert_int_equal(try_open("f/a/b/c", O_RDWR | O_CREAT), -ENOTDIR);
    assert_int_equal(memfs_mkdir(NULL, "f/a/b/c", 0755), -ENOTDIR);
    assert_int_equal(memfs_mkdir(NULL, "f/no/c", 0755), -ENOENT);
    assert_int_equal(try_open("f/new/", O_RDWR | O_CREAT), -EISDIR);
    assert_int_equal(look_for("f/new"), -ENOENT);
    assert_int_equal(memfs_symlink("x", NULL, "f/new/"), -ENOENT);
    assert_int_equal(memfs_unlink(NULL, "f/a"), -EISDIR);
    assert_int_equal(memfs_unlink(NULL, "f/a/b/"), -ENOTDIR);
    assert_int_equal(memfs_rmdir(NULL, "f/a"), -ENOTEMPTY);
    assert_int_equal(memfs_rmdir(NULL, "f/a/b"), -ENOTDIR);
    assert_int_equal(memfs_rmdir(NULL, "f/a/c"), -ENOENT);
    assert_int_equal(memfs_unlink(NULL, "f/a/b"), 0);
    assert_int_equal(memfs_unlink(NULL, "f/a/b"), -ENOENT);
    assert_int_equal(memfs_rmdir(NULL, "f/a/"), 0);
    assert_int_equal(stat_of("f").links, 2);
    assert_int_equal(memfs_rmdir(NULL, "f"), 0);
}

static void names_too_long(void **state)
{
    (void)state;
    assert_int_equal(try_open(repeat("n", 256), O_RDWR | O_CREAT), -ENAMETOOLONG);
    assert_int_equal(memfs_mkdir(NULL, repeat("n", 4096), 0755), -ENAMETOOLONG);
    assert_int_equal(try_open(repeat("n", 4096), O_RDWR | O_CREAT), -ENAMETOOLONG);
    assert_int_equal(look_for(repeat("n", 256)), -ENAMETOOLONG);
    assert_int_equal(look_for(repeat("/", 4096)), -ENAMETOOLONG);
    assert_int_equal(look_for(repeat("/", 4095)), 0);
    put_file(repeat("n", 255), "fits");
    assert_holds(repeat("n", 255), "fits");
    assert_int_equal(memfs_rename(NULL, repeat("n", 255), NULL, "short", false), 0);
    assert_int_equal(memfs_unlink(NULL, "short"), 0);
    assert_int_equal(memfs_symlink(repeat("a", 4096), NULL, "l"), -ENAMETOOLONG);
    assert_int_equal(memfs_symlink("", NULL, "l"), -ENOENT);
    assert_int_equal(memfs_symlink(repeat("a", 4095), NULL, "l"), 0);
    assert_int_equal(stat_of("l").size, 4095);
    assert_int_equal(look_for("l"), -ENAMETOOLONG); /* one component of 4095 */
    assert_int_equal(memfs_unlink(NULL, "l"), 0);
}

static void symbolic_links(void **state)
{
    (void)state;
    char buf[64];
    assert_int_equal(memfs_mkdir(NULL, "s", 0755), 0);
    assert_int_equal(memfs_mkdir(NULL, "s/d", 0755), 0);
    put_file("s/d/file", "text");
    assert_int_equal(memfs_symlink("d", NULL, "s/rel"), 0);
    assert_int_equal(memfs_symlink("/s//d/", NULL, "s/abs"), 0);
    assert_int_equal(memfs_symlink("..", NULL, "s/d/up"), 0);
    assert_int_equal(memfs_symlink("d/file/", NULL, "s/wrong"), 0);
    assert_int_equal(memfs_symlink("d/made", NULL, "s/later"), 0);
    assert_holds("s/rel/file", "text");
    assert_holds("s/abs/up/rel/up/abs/file", "text");
    assert_int_equal(look_for("s/wrong"), -ENOTDIR);
    assert_int_equal(stat_of("s/rel").mode, S_IFLNK | 0777);
    assert_int_equal(stat_of("s/rel/").mode, S_IFDIR | 0755);
    assert_int_equal(memfs_readlink(NULL, "s/abs", buf, sizeof(buf)), 6);
    assert_memory_equal(buf, "/s//d/", 6);
    assert_int_equal(memfs_readlink(NULL, "s/abs", buf, 3), 3);
    assert_int_equal(memfs_readlink(NULL, "s/abs", buf, 0), -EINVAL);
    assert_int_equal(memfs_readlink(NULL, "s/abs/", buf, 3), -EINVAL);
    assert_int_equal(memfs_readlink(NULL, "s/none", buf, 3), -ENOENT);
    assert_int_equal(try_open("s/later", O_RDONLY), -ENOENT);
    assert_int_equal(try_open("s/later", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    assert_int_equal(try_open("s/later", O_RDWR | O_CREAT | O_NOFOLLOW), -ELOOP);
    put_file("s/later", "through the link");
    assert_holds("s/d/made", "through the link");
    assert_int_equal(try_open("s/rel", O_RDONLY | O_NOFOLLOW), -ELOOP);
    assert_int_equal(try_open("s/rel", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), -ENOTDIR);
    assert_int_equal(try_open("s/rel/", O_RDONLY | O_NOFOLLOW), 0);
    assert_int_equal(memfs_mkdir(NULL, "s/rel", 0755), -EEXIST);
    assert_int_equal(memfs_rmdir(NULL, "s/rel/"), -ENOTDIR);
    assert_int_equal(memfs_unlink(NULL, "s/rel/"), -ENOTDIR);
    assert_int_equal(memfs_chmod(NULL, "s/later", 0177640), 0);
    assert_int_equal(stat_of("s/d/made").mode, S_IFREG | 07640);
    static const char *const files[] = {"s/rel",   "s/abs",    "s/d/up",  "s/wrong",
                                        "s/later", "s/d/made", "s/d/file"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(memfs_unlink(NULL, files[i]), 0);
    assert_int_equal(memfs_rmdir(NULL, "s/d"), 0);
    assert_int_equal(memfs_rmdir(NULL, "s"), 0);
}

static void symbolic_links_end(void **state)
{
    (void)state;
    char name[16], target[16];
    assert_int_equal(memfs_symlink("self", NULL, "self"), 0);
    assert_int_equal(memfs_symlink("grow/grow", NULL, "grow"), 0);
    assert_int_equal(look_for("self"), -ELOOP);
    assert_int_equal(look_for("self/"), -ELOOP);
    assert_int_equal(look_for("grow/more"), -ELOOP);
    assert_int_equal(try_open("self", O_RDWR | O_CREAT), -ELOOP);
    put_file("c0", "end");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        snprintf(target, sizeof(target), "c%d", i - 1);
        assert_int_equal(memfs_symlink(target, NULL, name), 0);
    }
    assert_holds("c40", "end"); /* 40 are followed */
    assert_int_equal(look_for("c41"), -ELOOP);
    for (int i = 0; i <= 41; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        assert_int_equal(memfs_unlink(NULL, name), 0);
    }
    assert_int_equal(memfs_unlink(NULL, "self"), 0);
    assert_int_equal(memfs_unlink(NULL, "grow"), 0);
}

/* ---- relative to a directory ----------------------------------------------------------------- */

static void from_a_directory(void **state)
{
    (void)state;
    char buf[64];
    struct file *file;
    struct file_stat stat;
    assert_int_equal(memfs_mkdir(NULL, "w", 0755), 0);
    assert_int_equal(memfs_mkdir(NULL, "w/x", 0755), 0);
    struct memfs_node *x = dir_node("w/x");
    assert_int_equal(memfs_open(x, "file", O_RDWR | O_CREAT, 0600, &file), 0);
    assert_string_equal(file->path, "file");
    assert_int_equal(memfs_stat(file->node, "anything", true, &stat), -ENOTDIR);
    assert_int_equal(memfs_stat(file->node, "/w", true, &stat), 0);
    file_put(file);
    assert_int_equal(memfs_stat(x, "../x/file", true, &stat), 0);
    assert_int_equal(memfs_stat(x, "/w/x/file", true, &stat), 0);
    assert_int_equal(memfs_get_path(x, buf, sizeof(buf)), 5);
    assert_string_equal(buf, "/w/x");
    assert_int_equal(memfs_get_path(x, buf, 5), 5);
    assert_int_equal(memfs_get_path(x, buf, 4), -ERANGE);
    assert_int_equal(memfs_get_path(x, buf, 0), -ERANGE);
    struct memfs_node *root = memfs_root();
    assert_int_equal(memfs_get_path(root, buf, 2), 2);
    assert_string_equal(buf, "/");
    assert_int_equal(memfs_get_path(root, buf, 1), -ERANGE);
    assert_true(memfs_is_dir(root));
    memfs_node_put(root);
    assert_int_equal(memfs_rename(NULL, "w/x", NULL, "y", false), 0);
    assert_int_equal(memfs_get_path(x, buf, sizeof(buf)), 3);
    assert_string_equal(buf, "/y");
    assert_int_equal(memfs_lookup_dir(x, "file", &root), -ENOTDIR);
    assert_int_equal(memfs_unlink(x, "file"), 0);
    assert_int_equal(memfs_rmdir(NULL, "y"), 0);
    assert_int_equal(memfs_rmdir(NULL, "w"), 0);
    memfs_node_put(x);
}

static void in_a_removed_directory(void **state)
{
    (void)state;
    char buf[64];
    struct file *file;
    struct file_stat stat;
    assert_int_equal(memfs_mkdir(NULL, "g", 0755), 0);
    assert_int_equal(memfs_mkdir(NULL, "g/h", 0755), 0);
    struct memfs_node *h = dir_node("g/h");
    file = open_file("g/h", O_RDONLY | O_DIRECTORY);
    assert_int_equal(memfs_rmdir(NULL, "g/h"), 0);
    assert_int_equal(memfs_rmdir(NULL, "g"), 0); /* its parent as well */
    assert_int_equal(file_getdents(file, user(buf), sizeof(buf)), -ENOENT);
    file_put(file);
    assert_int_equal(memfs_stat(h, ".", true, &stat), 0);
    assert_int_equal(stat.links, 0);
    assert_int_equal(memfs_stat(h, "../..", true, &stat), 0);
    assert_int_equal(stat.ino, ino_of("/"));
    assert_int_equal(memfs_stat(h, "x", true, &stat), -ENOENT);
    assert_int_equal(memfs_open(h, "x", O_RDWR | O_CREAT, 0600, &file), -ENOENT);
    assert_int_equal(memfs_open(h, "../x", O_RDWR | O_CREAT, 0600, &file), -ENOENT);
    assert_int_equal(memfs_mkdir(h, "x", 0755), -ENOENT);
    assert_int_equal(memfs_symlink("x", h, "x"), -ENOENT);
    put_file("f", "");
    assert_int_equal(memfs_link(NULL, "f", false, h, "x"), -ENOENT);
    assert_int_equal(memfs_rename(NULL, "f", h, "x", false), -ENOENT);
    assert_int_equal(memfs_get_path(h, buf, sizeof(buf)), -ENOENT);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
    memfs_node_put(h);
}

/* ---- two names ------------------------------------------------------------------------------- */

static void hard_links(void **state)
{
    (void)state;
    put_file("one", "shared");
    assert_int_equal(memfs_mkdir(NULL, "d", 0755), 0);
    assert_int_equal(memfs_link(NULL, "one", false, NULL, "d/two"), 0);
    assert_int_equal(ino_of("one"), ino_of("d/two"));
    assert_int_equal(stat_of("one").links, 2);
    assert_int_equal(memfs_link(NULL, "one", false, NULL, "d/two"), -EEXIST);
    assert_int_equal(memfs_link(NULL, "d", false, NULL, "d/two"), -EEXIST);
    assert_int_equal(memfs_link(NULL, "d", false, NULL, "e"), -EPERM);
    assert_int_equal(memfs_link(NULL, "none", false, NULL, "e"), -ENOENT);
    assert_int_equal(memfs_link(NULL, "one", false, NULL, "e/"), -ENOENT);
    assert_int_equal(memfs_link(NULL, "one", false, NULL, "one/e"), -ENOTDIR);
    assert_int_equal(memfs_symlink("one", NULL, "soft"), 0);
    assert_int_equal(memfs_link(NULL, "soft", false, NULL, "soft2"), 0);
    assert_int_equal(stat_of("soft2").mode, S_IFLNK | 0777);
    assert_int_equal(memfs_link(NULL, "soft", true, NULL, "three"), 0);
    assert_int_equal(stat_of("one").links, 3);
    assert_int_equal(memfs_unlink(NULL, "one"), 0);
    assert_holds("d/two", "shared");
    assert_int_equal(stat_of("three").links, 2);
    static const char *const files[] = {"soft", "soft2", "three", "d/two"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(memfs_unlink(NULL, files[i]), 0);
    assert_int_equal(memfs_rmdir(NULL, "d"), 0);
}

static int move(const char *from, const char *to)
{
    return memfs_rename(NULL, from, NULL, to, false);
}

static void rename_files(void **state)
{
    (void)state;
    assert_int_equal(memfs_mkdir(NULL, "d", 0755), 0);
    put_file("a", "a");
    put_file("b", "b");
    assert_int_equal(memfs_rename(NULL, "a", NULL, "b", true), -EEXIST);
    assert_int_equal(move("a", "b/"), -ENOTDIR);
    assert_int_equal(move("a/", "c"), -ENOTDIR);
    assert_int_equal(move("a", "d"), -EISDIR);
    assert_int_equal(move("d", "a"), -ENOTDIR);
    assert_int_equal(move("none", "a"), -ENOENT);
    assert_int_equal(move("a", "none/x"), -ENOENT);
    assert_int_equal(move("a", "b/x"), -ENOTDIR);
    assert_int_equal(move("a", "d/."), -EBUSY);
    assert_int_equal(move("a", "a"), 0);
    assert_int_equal(move("a", "b"), 0);
    assert_int_equal(look_for("a"), -ENOENT);
    assert_holds("b", "a");
    assert_int_equal(memfs_link(NULL, "b", false, NULL, "d/b2"), 0);
    assert_int_equal(move("b", "d/b2"), 0); /* one file: both names stay */
    assert_int_equal(stat_of("b").links, 2);
    assert_int_equal(move("b", "d/b3"), 0);
    assert_int_equal(memfs_unlink(NULL, "d/b2"), 0);
    assert_int_equal(memfs_unlink(NULL, "d/b3"), 0);
    assert_int_equal(memfs_rmdir(NULL, "d"), 0);
}

static void rename_directories(void **state)
{
    (void)state;
    static const char *const dirs[] = {"d", "d/e", "d/e/f", "t", "t/full"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(memfs_mkdir(NULL, dirs[i], 0755), 0);
    assert_int_equal(move("d", "d/e/f/x"), -EINVAL);
    assert_int_equal(move("d", "d/x"), -EINVAL);
    assert_int_equal(move("d/e", "d/e/f"), -EINVAL);
    assert_int_equal(move("d/e/f", "d"), -ENOTEMPTY);
    assert_int_equal(move("d/e", "t"), -ENOTEMPTY);
    assert_int_equal(move("d/e/", "t/full/"), 0); /* an empty one is replaced */
    assert_int_equal(stat_of("d").links, 2);
    assert_int_equal(stat_of("t").links, 3);
    assert_int_equal(ino_of("t/full/f/.."), ino_of("t/full"));
    assert_int_equal(move("t/full", "d/back"), 0);
    assert_int_equal(stat_of("t").links, 2);
    assert_int_equal(ino_of("d/back/.."), ino_of("d"));
    assert_int_equal(memfs_rmdir(NULL, "d/back/f"), 0);
    assert_int_equal(memfs_rmdir(NULL, "d/back"), 0);
    assert_int_equal(memfs_rmdir(NULL, "d"), 0);
    assert_int_equal(memfs_rmdir(NULL, "t"), 0);
}

/* ---- open ------------------------------------------------------------------------------------ */

static void open_flags(void **state)
{
    (void)state;
    assert_int_equal(try_open("f", O_RDWR), -ENOENT);
    assert_int_equal(try_open("f", O_RDWR | O_CREAT | O_DIRECTORY), -EINVAL);
    assert_int_equal(try_open("/", O_RDWR | O_TMPFILE), -EOPNOTSUPP);
    assert_int_equal(try_open("f", O_RDWR | O_CREAT | O_EXCL), 0);
    assert_int_equal(try_open("f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    assert_int_equal(try_open("f", O_RDWR | O_CREAT), 0);
    assert_int_equal(try_open("f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
    assert_int_equal(try_open("/", O_RDONLY | O_DIRECTORY), 0);
    assert_int_equal(try_open("/", O_RDONLY | O_TRUNC), -EISDIR);
    assert_int_equal(try_open("/", O_ACCMODE), -EISDIR);
    put_file("f", "text");
    assert_int_equal(try_open("f", O_RDONLY | O_TRUNC), 0);
    assert_holds("f", "");
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

static void open_without_a_name(void **state)
{
    (void)state;
    char buf[8];
    put_file("f", "kept");
    struct file *file = open_file("f", O_RDWR);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
    struct file_stat stat;
    assert_int_equal(file_get_stat(file, &stat), 0);
    assert_int_equal(stat.links, 0);
    put_file("f", "another");
    assert_int_equal(file_read(file, user(buf), 8), 4);
    assert_memory_equal(buf, "kept", 4);
    assert_int_equal(file_write(file, user("more"), 4), 4);
    long before = fake_live;
    file_put(file);
    assert_int_equal(fake_live, before - 4); /* the file, its path, the node, the frame */
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

static void times(void **state)
{
    (void)state;
    put_file("f", "x");
    uint64_t made = stat_of("f").mtime_ns;
    put_file("f", "y");
    assert_true(stat_of("f").mtime_ns > made);
    uint64_t root = stat_of("/").mtime_ns;
    uint64_t modified = stat_of("f").mtime_ns, changed = stat_of("f").ctime_ns;
    assert_int_equal(memfs_chmod(NULL, "f", 0600), 0);
    assert_true(stat_of("f").ctime_ns > changed);
    assert_int_equal(stat_of("f").mtime_ns, modified);
    assert_int_equal(stat_of("/").mtime_ns, root);
    assert_int_equal(memfs_set_times(NULL, "f", true, 1, 2), 0);
    assert_int_equal(stat_of("f").atime_ns, 1);
    assert_int_equal(stat_of("f").mtime_ns, 2);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
    assert_true(stat_of("/").mtime_ns > root);
}

/* ---- none left ------------------------------------------------------------------------------- */

static int step_mkdir(void)
{
    return memfs_mkdir(NULL, "m/new", 0700);
}

static int step_symlink(void)
{
    return memfs_symlink("target", NULL, "m/new");
}

static int step_link(void)
{
    return memfs_link(NULL, "m/old", false, NULL, "m/new");
}

static int step_rename(void)
{
    return memfs_rename(NULL, "m/old", NULL, "m/new", false);
}

static int step_create(void)
{
    return try_open("m/new", O_RDWR | O_CREAT);
}

/* Let each allocation of a call fail in turn: the tree and the memory in use stay as they were. */
static void failures_leave_nothing(void **state)
{
    (void)state;
    static const struct {
        int (*step)(void);
        int allocations;
    } steps[] = {
        {step_mkdir, 2}, {step_symlink, 3}, {step_link, 1}, {step_rename, 1}, {step_create, 4}};
    assert_int_equal(memfs_mkdir(NULL, "m", 0755), 0);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        put_file("m/old", "before");
        long before = fake_live;
        struct file_stat dir = stat_of("m");
        int error = -1, n = 0;
        for (; error != 0; n++) {
            fake_fail_after = n;
            error = steps[i].step();
            fake_fail_after = -1;
            if (error == 0)
                break;
            assert_true(error == -ENOSPC || error == -ENOMEM);
            assert_int_equal(fake_live, before);
            assert_int_equal(look_for("m/new"), -ENOENT);
            assert_holds("m/old", "before");
            struct file_stat now = stat_of("m");
            assert_memory_equal(&now, &dir, sizeof(now));
        }
        assert_int_equal(n, steps[i].allocations);
        if (memfs_unlink(NULL, "m/new") != 0)
            assert_int_equal(memfs_rmdir(NULL, "m/new"), 0);
        (void)memfs_unlink(NULL, "m/old");
    }
    assert_int_equal(memfs_rmdir(NULL, "m"), 0);
}

static void many_names(void **state)
{
    (void)state;
    enum { NAMES = 20000 };
    char name[32];
    assert_int_equal(memfs_mkdir(NULL, "many", 0755), 0);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        put_file(name, name);
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "/many/%d", i);
        assert_holds(name, name + 1);
        assert_int_equal(memfs_unlink(NULL, name), 0);
    }
    assert_int_equal(memfs_rmdir(NULL, "many"), 0);
}

/* ---- devices --------------------------------------------------------------------------------- */

static int open_error;

static int open_echo(void *data, unsigned flags, struct file **file)
{
    (void)data;
    static const struct file_ops ops = {0};
    if (open_error == 0)
        *file = file_create(&ops, NULL, flags);
    return open_error;
}

static void devices(void **state)
{
    (void)state;
    char buf[16];
    struct file *file;
    long before = fake_live;
    assert_int_equal(fs_register_device("echo", 9, 7, open_echo, NULL), 0);
    assert_int_equal(fs_register_device("echo", 9, 8, open_echo, NULL), -EEXIST);
    assert_int_equal(fs_register_device("other", 9, 7, open_echo, NULL), -EEXIST);
    assert_int_equal(fs_register_device("a/b", 9, 8, open_echo, NULL), -EINVAL);
    assert_int_equal(fs_register_device("", 9, 8, open_echo, NULL), -EINVAL);
    assert_int_equal(fs_register_device("big", 9, 256, open_echo, NULL), -EINVAL);
    assert_int_equal(fs_create_devices(), 0);
    assert_int_equal(stat_of("/dev/null").mode, S_IFCHR | 0666);
    assert_int_equal(stat_of("/dev/null").rdev, 0x103);
    assert_int_equal(stat_of("/dev/echo").rdev, 0x907);
    file = open_file("/dev/echo", O_WRONLY | O_TRUNC);
    assert_string_equal(file->path, "/dev/echo");
    assert_int_equal(file_flags(file), O_WRONLY);
    assert_int_equal(file_write(file, user(buf), 1), -EINVAL); /* its own functions */
    struct file_stat stat;
    assert_int_equal(file_get_stat(file, &stat), 0);
    assert_int_equal(stat.rdev, 0x907);
    file_put(file);
    open_error = -EBUSY;
    assert_int_equal(try_open("/dev/echo", O_RDONLY), -EBUSY);
    assert_int_equal(fs_open_device("echo", O_RDONLY, &file), -EBUSY);
    assert_int_equal(fs_open_device("ech", O_RDONLY, &file), -ENXIO);
    assert_int_equal(fs_open_device("null", O_RDWR, &file), 0);
    assert_int_equal(file_read(file, user(buf), 16), 0);
    assert_int_equal(file_write(file, 4096, 1 << 20), 1 << 20); /* looks at nothing */
    assert_int_equal(file_seek(file, 99, SEEK_FROM_START), 0);
    file_put(file);
    file = open_file("/dev/zero", O_RDWR);
    memset(buf, 1, sizeof(buf));
    assert_int_equal(file_read(file, user(buf), 15), 15);
    assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    file_put(file);
    put_file("/dev/file", "");
    assert_int_equal(fs_register_device("file", 9, 9, open_echo, NULL), 0);
    assert_int_equal(fs_create_devices(), -EEXIST); /* all are there, or something else is */
    static const char *const names[] = {"/dev/null", "/dev/zero", "/dev/echo", "/dev/file"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(memfs_unlink(NULL, names[i]), 0);
    assert_int_equal(memfs_rmdir(NULL, "/dev"), 0);
    assert_int_equal(fake_live, before);
}

#define TEST(name) cmocka_unit_test_teardown(name, leave_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root),
        TEST(through_directories),
        TEST(names_too_long),
        TEST(symbolic_links),
        TEST(symbolic_links_end),
        TEST(from_a_directory),
        TEST(in_a_removed_directory),
        TEST(hard_links),
        TEST(rename_files),
        TEST(rename_directories),
        TEST(open_flags),
        TEST(open_without_a_name),
        TEST(times),
        TEST(failures_leave_nothing),
        TEST(many_names),
        TEST(devices),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
