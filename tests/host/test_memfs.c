// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/tar.c src/lib/text.c tests/host/fake/panic.c */
/*
 * The memory file system. The heap and the frames are the test's own: each allocation is malloc's,
 * so that ASan sees every overrun and use after free; they are counted, and the n-th can be made
 * to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/memfs.h"
#include "fs/tar.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "mm/page.h"

/* ---- memory that may fail -------------------------------------------------------------------- */

static long live;            /* allocations not freed */
static long fail_after = -1; /* so many succeed, all later ones fail; -1: none does */

static void *fallible(size_t size)
{
    if (fail_after == 0)
        return NULL;
    if (fail_after > 0)
        fail_after--;
    live++;
    void *memory = malloc(size);
    memset(memory, 0xa5, size);
    return memory;
}

void *heap_alloc(size_t size, enum page_alloc how)
{
    void *memory = size == 0 || size > HEAP_MAX ? NULL : fallible(size);
    if (memory != NULL && (how & ALLOC_ZERO) != 0)
        memset(memory, 0, size);
    return memory;
}

void heap_free(void *object)
{
    live -= object != NULL;
    free(object);
}

void *page_alloc_one(enum page_alloc how)
{
    assert_int_equal(how, ALLOC_USER);
    return fallible(PAGE_SIZE);
}

void page_free_one(void *page)
{
    heap_free(page);
}

/* ---- small words ----------------------------------------------------------------------------- */

static struct memfs_node *find(const char *path)
{
    struct memfs_node *node = NULL;
    int error = memfs_lookup(path, &node);
    if (error != 0)
        fail_msg("%s: error %d", path, error);
    return node;
}

static int lookup(const char *path)
{
    struct memfs_node *node;
    return memfs_lookup(path, &node);
}

static int create(const char *path, const char *text)
{
    return memfs_create(path, 0644, text, strlen(text));
}

static void assert_holds(const char *path, const char *text)
{
    char buf[256];
    long length = memfs_read(find(path), 0, buf, sizeof(buf));
    assert_int_equal(length, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

/* count times `part`, in a static buffer */
static char *repeat(const char *part, size_t count)
{
    static char text[16384];
    text[0] = '\0';
    for (size_t i = 0, length = strlen(part); i < count; i++)
        memcpy(text + i * length, part, length + 1);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    fail_after = 0;
    if (memfs_init() != -ENOMEM || live != 0)
        return -1;
    fail_after = -1;
    return memfs_init() != 0 || memfs_init() != 0 || live != 1;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void the_root(void **state)
{
    (void)state;
    struct memfs_node *root = find("/");
    assert_int_equal(root->kind, MEMFS_DIR);
    assert_int_equal(root->links, 1);
    static const char *const names[] = {"//", ".", "..", "/..", "./.././/", "../../."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_ptr_equal(find(names[i]), root);
        assert_int_equal(create(names[i], "x"), -EISDIR);
        assert_int_equal(memfs_symlink(names[i], "x"), -EISDIR);
        assert_int_equal(memfs_mkdir(names[i], 0700), 0);
    }
    assert_int_equal(root->mode, 0700);
    assert_int_equal(lookup(""), -ENOENT);
    assert_int_equal(create("", "x"), -ENOENT);
    assert_int_equal(memfs_mkdir("", 0755), -ENOENT);
    assert_int_equal(live, 1);
}

static void files_and_parents(void **state)
{
    (void)state;
    assert_int_equal(create("/f/a/b", "hello"), 0);
    assert_int_equal(find("f")->mode, 0755);
    assert_int_equal(find("f/a")->kind, MEMFS_DIR);
    assert_int_equal(find("f/a/b")->mode, 0644);
    assert_int_equal(find("f/a/b")->links, 1);
    assert_holds("f//a/./../a/b", "hello");
    assert_holds("f/../../f/a/b", "hello");
    assert_int_equal(lookup("f/a/b/"), -ENOTDIR);
    assert_int_equal(lookup("f/a/b/c"), -ENOTDIR);
    assert_int_equal(lookup("f/a/b/.."), -ENOTDIR);
    assert_int_equal(lookup("f/a/bb"), -ENOENT);
    assert_int_equal(lookup("f/x/../a"), -ENOENT);
    assert_ptr_equal(find("f/a/"), find("f/a"));
    assert_int_equal(create("f/a/b/c", "x"), -ENOTDIR);
    assert_int_equal(memfs_mkdir("f/a/b/c/d", 0755), -ENOTDIR);
    assert_int_equal(create("f/a", "x"), -EISDIR);
    assert_int_equal(create("f/new/", "x"), -EISDIR);
    assert_int_equal(lookup("f/new"), -ENOENT);
    assert_int_equal(memfs_create("f/mode", 0177777, NULL, 0), 0);
    assert_int_equal(find("f/mode")->mode, 07777);
    assert_int_equal(find("f/mode")->size, 0);
}

static void the_last_wins(void **state)
{
    (void)state;
    assert_int_equal(create("w/x", "first"), 0);
    long before = live;
    assert_int_equal(create("w/x", "second, longer"), 0);
    assert_holds("w/x", "second, longer");
    assert_int_equal(memfs_symlink("w/x", "y"), 0);
    assert_int_equal(lookup("w/x"), -ENOENT);
    assert_int_equal(create("w/x", "third"), 0); /* the link itself is replaced */
    assert_int_equal(lookup("w/y"), -ENOENT);
    assert_holds("w/x", "third");
    assert_int_equal(live, before);
    assert_int_equal(memfs_mkdir("w/x", 0711), 0);
    assert_ptr_equal(find("w/x/.."), find("w"));
    assert_int_equal(create("w/x/inside", "kept"), 0);
    assert_int_equal(memfs_mkdir("w/x", 0500), 0); /* a directory stays, with the new mode */
    assert_int_equal(find("w/x")->mode, 0500);
    assert_holds("w/x/inside", "kept");
    assert_int_equal(create("w/x", "fourth"), -EISDIR);
    assert_int_equal(memfs_symlink("w/x", "y"), -EISDIR);
    assert_int_equal(memfs_link("w/x", "w/x/inside"), -EISDIR);
    assert_int_equal(find("w/x/inside")->links, 1);
}

static void hard_links(void **state)
{
    (void)state;
    long before = live;
    assert_int_equal(create("h/one", "shared"), 0);
    assert_int_equal(memfs_link("h/deep/two", "h/one"), 0);
    assert_ptr_equal(find("h/one"), find("h/deep/two"));
    assert_int_equal(find("h/one")->links, 2);
    assert_int_equal(memfs_link("h/one", "h/deep/two"), 0); /* onto itself */
    assert_int_equal(find("h/one")->links, 2);
    assert_int_equal(create("h/one", "apart"), 0);
    assert_holds("h/deep/two", "shared");
    assert_int_equal(find("h/deep/two")->links, 1);
    assert_int_equal(memfs_link("h/three", "h/none"), -ENOENT);
    assert_int_equal(memfs_link("h/new/three", "h/deep"), -EPERM);
    assert_int_equal(memfs_link("h/one/three", "h/one"), -ENOTDIR);
    assert_int_equal(find("h/one")->links, 1);
    assert_int_equal(lookup("h/new"), -ENOENT);
    assert_int_equal(memfs_symlink("h/soft", "one"), 0);
    assert_int_equal(memfs_link("h/soft2", "h/soft"), 0); /* a name for the link itself */
    assert_int_equal(find("h/one")->links, 1);
    assert_holds("h/soft2", "apart");
    assert_int_equal(memfs_link("h/three", "h/soft/"), -ENOTDIR);
    assert_true(live > before);
}

static void symbolic_links(void **state)
{
    (void)state;
    assert_int_equal(create("s/usr/bin/sh", "shell"), 0);
    assert_int_equal(memfs_symlink("s/bin", "usr/bin"), 0);
    assert_int_equal(memfs_symlink("s/abs", "/s/usr//bin/"), 0);
    assert_int_equal(memfs_symlink("s/usr/up", ".."), 0);
    assert_int_equal(memfs_symlink("s/root", "/"), 0);
    assert_int_equal(memfs_symlink("s/file", "usr/bin/sh"), 0);
    assert_int_equal(memfs_symlink("s/file_as_dir", "usr/bin/sh/"), 0);
    assert_holds("s/bin/sh", "shell");
    assert_holds("s/abs/sh", "shell");
    assert_holds("s/usr/up/bin/../up/abs/sh", "shell");
    assert_holds("s/root/s/root/../s/file", "shell");
    assert_ptr_equal(find("s/bin"), find("s/usr/bin"));
    assert_ptr_equal(find("s/root"), find("/"));
    assert_int_equal(memfs_mkdir("s/bin/", 0711), 0); /* the '/' asks for what is behind the link */
    assert_int_equal(find("s/usr/bin")->mode, 0711);
    assert_ptr_equal(find("s/bin"), find("s/usr/bin"));
    assert_int_equal(lookup("s/file/"), -ENOTDIR);
    assert_int_equal(lookup("s/file/x"), -ENOTDIR);
    assert_int_equal(lookup("s/file_as_dir"), -ENOTDIR);
    assert_int_equal(create("s/bin/ls", "list"), 0); /* through the link */
    assert_holds("s/usr/bin/ls", "list");
    assert_int_equal(memfs_symlink("s/later", "not/yet"), 0);
    assert_int_equal(lookup("s/later"), -ENOENT);
    assert_int_equal(create("s/later/file", "made"), 0); /* and the missing are made there */
    assert_holds("s/not/yet/file", "made");
    assert_int_equal(memfs_symlink("s/empty", ""), -ENOENT);
    assert_int_equal(memfs_symlink("s/long", repeat("a", 4096)), -ENAMETOOLONG);
    assert_int_equal(memfs_symlink("s/long", repeat("a", 4095)), 0);
    assert_int_equal(lookup("s/long"), -ENAMETOOLONG); /* one component of 4095 */
}

static void symbolic_links_end(void **state)
{
    (void)state;
    assert_int_equal(memfs_symlink("l/self", "self"), 0);
    assert_int_equal(memfs_symlink("l/a", "b/x"), 0);
    assert_int_equal(memfs_symlink("l/b", "a/y"), 0);
    assert_int_equal(memfs_symlink("l/grow", "grow/grow"), 0);
    assert_int_equal(lookup("l/self"), -ELOOP);
    assert_int_equal(lookup("l/self/"), -ELOOP);
    assert_int_equal(lookup("l/a/z"), -ELOOP);
    assert_int_equal(lookup("l/grow/more"), -ELOOP);
    long before = live;
    assert_int_equal(create("l/a/z", "x"), -ELOOP);
    assert_int_equal(create("l/n1/n2/../../self/z", "x"), -ELOOP);
    assert_int_equal(lookup("l/n1"), -ENOENT);
    assert_int_equal(live, before);

    assert_int_equal(create("l/c0", "end"), 0);
    for (int i = 1; i <= 41; i++) {
        char name[16], target[16];
        snprintf(name, sizeof(name), "l/c%d", i);
        snprintf(target, sizeof(target), "c%d", i - 1);
        assert_int_equal(memfs_symlink(name, target), 0);
    }
    assert_holds("l/c40", "end"); /* 40 are followed */
    assert_int_equal(lookup("l/c41"), -ELOOP);
    assert_int_equal(memfs_symlink("l/dot", "."), 0);
    char path[512] = "l";
    for (int i = 0; i < 40; i++)
        strcat(path, "/dot");
    strcat(path, "/c0");
    assert_holds(path, "end");
    strcpy(strstr(path, "/c0"), "/dot/c0");
    assert_int_equal(lookup(path), -ELOOP);
}

static void names_too_long(void **state)
{
    (void)state;
    long before = live;
    assert_int_equal(create(repeat("n", 256), "x"), -ENAMETOOLONG);
    assert_int_equal(memfs_mkdir(repeat("n", 4096), 0755), -ENAMETOOLONG);
    assert_int_equal(lookup(repeat("n", 256)), -ENAMETOOLONG);
    assert_int_equal(lookup(repeat("/", 4096)), -ENAMETOOLONG);
    assert_int_equal(lookup(repeat("/", 4095)), 0);
    char path[600] = "n/m/";
    strcat(path, repeat("n", 256));
    assert_int_equal(create(path, "x"), -ENAMETOOLONG);
    strcat(path, "/x");
    assert_int_equal(create(path, "x"), -ENAMETOOLONG);
    assert_int_equal(lookup("n"), -ENOENT); /* nothing of the path is left */
    assert_int_equal(live, before);
    assert_int_equal(create(repeat("n", 255), "fits"), 0);
    assert_holds(repeat("n", 255), "fits");
    assert_int_equal(lookup(repeat("n", 254)), -ENOENT);
    assert_int_equal(create(repeat("d/", 2047), "x"), -EISDIR);
    char *deep = repeat("d/", 2047); /* 4094 bytes, and one for the name */
    strcat(deep, "f");
    assert_int_equal(lookup("d"), -ENOENT);
    assert_int_equal(create(deep, "deep"), 0);
    assert_holds(deep, "deep");
}

static void reading(void **state)
{
    (void)state;
    enum { SIZE = 3 * PAGE_SIZE + 100 };
    static unsigned char data[SIZE], buf[SIZE + 64];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    assert_int_equal(memfs_create("r", 0600, data, SIZE), 0);
    const struct memfs_node *node = find("r");
    assert_int_equal(node->size, SIZE);
    for (size_t offset = 0; offset < SIZE + 200; offset += 61) {
        for (size_t len = 0; len < SIZE + 64; len += 509) {
            memset(buf, 0xcc, sizeof(buf));
            size_t left = offset < SIZE ? SIZE - offset : 0;
            size_t expected = len < left ? len : left;
            assert_int_equal(memfs_read(node, offset, buf, len), expected);
            assert_true(expected == 0 || memcmp(buf, data + offset, expected) == 0);
            assert_int_equal(buf[expected], 0xcc);
        }
    }
    assert_int_equal(memfs_read(node, UINT64_MAX, buf, 10), 0);
    assert_int_equal(memfs_read(node, SIZE - 1, buf, SIZE_MAX), 1);
    static const unsigned char zeros[PAGE_SIZE];
    assert_memory_equal((char *)node->frames[3] + 100, zeros, PAGE_SIZE - 100);
    assert_int_equal(memfs_read(find("/"), 0, buf, 10), -EISDIR);
    assert_int_equal(memfs_create("r/huge", 0600, data, SIZE_MAX), -ENOMEM);
    struct memfs_node symlink = {.kind = MEMFS_SYMLINK};
    assert_int_equal(memfs_read(&symlink, 0, buf, 10), -EINVAL);
}

/* ---- none left ------------------------------------------------------------------------------- */

static unsigned char big[5 * PAGE_SIZE];

static int step_create(const char *path)
{
    return memfs_create(path, 0644, big, sizeof(big));
}

static int step_mkdir(const char *path)
{
    return memfs_mkdir(path, 0700);
}

static int step_symlink(const char *path)
{
    return memfs_symlink(path, "target");
}

static int step_link(const char *path)
{
    return memfs_link(path, "m/linked");
}

/* Let each allocation of a call fail in turn: the tree and the memory in use stay as they were. */
static void failures_leave_nothing(void **state)
{
    (void)state;
    static int (*const steps[])(const char *) = {step_create, step_mkdir, step_symlink, step_link};
    assert_int_equal(create("m/linked", "x"), 0);
    assert_int_equal(create("m/old", "before"), 0);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char path[64], first[16];
        snprintf(first, sizeof(first), "m/new%zu", i);
        snprintf(path, sizeof(path), "%s/b/../c/d/../../e/last", first);
        long before = live, needed = 0;
        for (int error = -ENOMEM; error != 0; needed++) {
            fail_after = needed;
            error = steps[i](path);
            fail_after = -1;
            if (error == 0)
                break;
            assert_int_equal(error, -ENOMEM);
            assert_int_equal(live, before);
            assert_int_equal(lookup(first), -ENOENT);
            assert_int_equal(find("m/linked")->links, 1);
        }
        assert_int_equal(live, before + needed); /* and what is needed is all in use */
        assert_true(needed >= 11);
    }
    fail_after = 3;
    assert_int_equal(step_create("m/old"), -ENOMEM);
    fail_after = -1;
    assert_holds("m/old", "before");
}

static void many_names(void **state)
{
    (void)state;
    enum { NAMES = 20000 };
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        assert_int_equal(memfs_create(name, 0600, &i, sizeof(i)), 0);
    }
    for (int i = 0, value; i < NAMES; i++) {
        snprintf(name, sizeof(name), "/many/%d", i);
        assert_int_equal(memfs_read(find(name), 0, &value, sizeof(value)), sizeof(value));
        assert_int_equal(value, i);
    }
    assert_int_equal(lookup("many/20000"), -ENOENT);
    assert_int_equal(lookup("0"), -ENOENT);
}

/* ---- archives -------------------------------------------------------------------------------- */

static unsigned char archive[64 * TAR_BLOCK];
static size_t archive_size;

static void add(char type, const char *name, const char *link, const char *data)
{
    unsigned char *header = archive + archive_size;
    memset(header, 0, TAR_BLOCK);
    strncpy((char *)header, name, 100);
    snprintf((char *)header + 100, 8, "%07o", 0640);
    snprintf((char *)header + 124, 12, "%011o", (unsigned)strlen(data));
    memset(header + 148, ' ', 8);
    header[156] = (unsigned char)type;
    strncpy((char *)header + 157, link, 100);
    memcpy(header + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
    archive_size += TAR_BLOCK;
    memset(archive + archive_size, 0, TAR_BLOCK);
    memcpy(archive + archive_size, data, strlen(data));
    archive_size += (strlen(data) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static void finish(void)
{
    memset(archive + archive_size, 0, 2 * (size_t)TAR_BLOCK);
    archive_size += 2 * (size_t)TAR_BLOCK;
}

static const struct memfs_skip *skip_of(const struct memfs_unpack_report *report, const char *why)
{
    for (size_t i = 0; i < report->skip_kinds; i++) {
        if (strcmp(report->skips[i].why, why) == 0)
            return &report->skips[i];
    }
    fail_msg("not reported: %s", why);
    return NULL;
}

static void unpacks_an_archive(void **state)
{
    (void)state;
    archive_size = 0;
    add('5', "./", "", "");
    add('5', "./t/bin/", "", "");
    add('0', "./t/bin/busybox", "", "applets");
    add('2', "./t/sh", "bin/busybox", "");
    add('1', "./t/bin/ls", "./t/bin/busybox", "");
    add('0', "t/etc/motd", "", "first");
    add('0', "t/etc/motd", "", "welcome");
    finish();
    struct memfs_unpack_report report;
    memset(&report, 0xff, sizeof(report));
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), 0);
    assert_int_equal(report.files, 6);
    assert_int_equal(report.bytes, 7 + 5 + 7);
    assert_int_equal(report.skipped, 0);
    assert_int_equal(report.skip_kinds, 0);
    assert_null(report.error);
    assert_holds("/t/sh", "applets");
    assert_ptr_equal(find("/t/bin/ls"), find("/t/bin/busybox"));
    assert_holds("/t/etc/motd", "welcome");
    assert_int_equal(find("/t/bin")->mode, 0640);
    assert_int_equal(find("/t/etc")->mode, 0755);
}

static void reports_what_it_skipped(void **state)
{
    (void)state;
    archive_size = 0;
    add('0', "u/file", "", "x");
    add('5', "u/dir", "", "");
    size_t missing = archive_size;
    add('1', "u/l1", "u/none", "");
    add('1', "u/l2", "u/none2", "");
    add('1', "u/l3", "u/dir", "");
    add('0', "u/dir", "", "y");
    add('0', "u/file/below", "", "z");
    add('2', "u/loop", "loop", "");
    add('0', "u/loop/x", "", "z");
    add('3', "u/device", "", "");
    add('0', "../escape", "", "z");
    add('0', "u/after", "", "still unpacked");
    finish();
    struct memfs_unpack_report report;
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), 0);
    assert_int_equal(report.files, 4);
    assert_int_equal(report.skipped, 8);
    assert_int_equal(report.skip_kinds, 7);
    assert_null(report.error);
    const struct memfs_skip *skip = skip_of(&report, "hard link to a missing file");
    assert_int_equal(skip->count, 2);
    assert_int_equal(skip->offset, missing);
    assert_string_equal(skip->name, "u/l1");
    assert_string_equal(skip_of(&report, "hard link to a directory")->name, "u/l3");
    assert_string_equal(skip_of(&report, "a directory is in its place")->name, "u/dir");
    skip_of(&report, "a part of its path is not a directory");
    skip_of(&report, "too many symbolic links in its path");
    skip_of(&report, "not a file, a link or a directory");
    assert_string_equal(skip_of(&report, "name leaves the root")->name, "");
    assert_holds("u/after", "still unpacked");
    assert_int_equal(lookup("escape"), -ENOENT);
}

static void damaged_archives(void **state)
{
    (void)state;
    struct memfs_unpack_report report;
    assert_int_equal(memfs_unpack_tar(NULL, 0, &report), -EINVAL);
    assert_string_equal(report.error, "empty archive");
    archive_size = 0;
    finish();
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -EINVAL);
    assert_string_equal(report.error, "empty archive");

    archive_size = 0;
    add('0', "v/whole", "", "abc");
    size_t damaged = archive_size;
    add('0', "v/damaged", "", "def");
    finish();
    archive[damaged + 3] ^= 1;
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -EINVAL);
    assert_string_equal(report.error, "bad checksum");
    assert_int_equal(report.error_offset, damaged);
    assert_int_equal(report.files, 1);
    assert_holds("v/whole", "abc"); /* what could be read is there */
    archive[damaged + 3] ^= 1;
    for (size_t size = 1; size < archive_size; size++) { /* cut anywhere, in memory of its own */
        unsigned char *cut = malloc(size);
        memcpy(cut, archive, size);
        int error = memfs_unpack_tar(cut, size, &report);
        if (size < archive_size - 2 * (size_t)TAR_BLOCK)
            assert_int_equal(error, -EINVAL);
        assert_true(report.error == NULL || report.error_offset <= size);
        free(cut);
    }
}

static void out_of_memory_ends_it(void **state)
{
    (void)state;
    archive_size = 0;
    add('0', "o/one", "", "1");
    size_t second = archive_size;
    add('0', "o/two/three", "", "2");
    finish();
    struct memfs_unpack_report report;
    fail_after = 0;
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -ENOMEM);
    assert_int_equal(report.files, 0);
    fail_after = 1 + 6 + 4; /* the cursor; o/one with its directory; a part of the second */
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -ENOMEM);
    fail_after = -1;
    assert_string_equal(report.error, "out of memory");
    assert_int_equal(report.error_offset, second);
    assert_int_equal(report.files, 1);
    assert_holds("o/one", "1");
    assert_int_equal(lookup("o/two"), -ENOENT);
}

/* Bytes of a good archive changed at random: whatever comes of it, no memory is lost or misused. */
static void random_damage(void **state)
{
    (void)state;
    struct memfs_unpack_report report;
    srand(3);
    for (int round = 0; round < 3000; round++) {
        archive_size = 0;
        add('5', "z/d", "", "");
        add('0', "z/f", "", "contents");
        add('2', "z/s", "f", "");
        add('1', "z/h", "z/f", "");
        finish();
        for (int i = rand() % 4; i >= 0; i--)
            archive[(size_t)rand() % archive_size] = (unsigned char)rand();
        memfs_unpack_tar(archive, archive_size, &report);
        assert_true(report.files + report.skipped <= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root),
        cmocka_unit_test(files_and_parents),
        cmocka_unit_test(the_last_wins),
        cmocka_unit_test(hard_links),
        cmocka_unit_test(symbolic_links),
        cmocka_unit_test(symbolic_links_end),
        cmocka_unit_test(names_too_long),
        cmocka_unit_test(reading),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(many_names),
        cmocka_unit_test(unpacks_an_archive),
        cmocka_unit_test(reports_what_it_skipped),
        cmocka_unit_test(damaged_archives),
        cmocka_unit_test(out_of_memory_ends_it),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
