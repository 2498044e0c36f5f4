// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/memfs_node.c src/fs/memfs_dir.c src/fs/memfs_walk.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/memfs_file.c src/fs/contents.c src/fs/device.c src/fs/file.c */
/* links: tests/host/fake/memory.c tests/host/fake/threads.c tests/host/fake/user.c */
/* links: src/lib/text.c tests/host/fake/panic.c */
/* links: src/lib/wall_clock.c */
/*
 * The memory file system: what is in files, and listings of directories that change meanwhile.
 */
#include "fs/contents.h"
#include "hostile.h"
#include "memfs_words.h"
#include "mm/page.h"

static int set_up(void **state)
{
    (void)state;
    return memfs_init();
}

static int leave_nothing(void **state)
{
    (void)state;
    fake_bad_page = 0;
    return fake_live != 1 || fake_locks != 0;
}

/* ---- the tree of frames ---------------------------------------------------------------------- */

static void frames_far_and_near(void **state)
{
    (void)state;
    static const uint64_t places[] = {
        0, 1, 511, 512, 513, 262143, 262144, UINT64_C(1) << 27, (UINT64_C(1) << 51) - 1};
    enum { PLACES = sizeof(places) / sizeof(places[0]) };
    for (int down = 0; down < 2; down++) {
        struct contents contents = {0};
        long before = fake_live;
        for (size_t i = 0; i < PLACES; i++) {
            uint64_t place = places[down ? PLACES - 1 - i : i];
            assert_null(contents_find(&contents, place));
            char *frame = contents_make(&contents, place);
            assert_non_null(frame);
            for (size_t b = 0; b < PAGE_SIZE; b++)
                assert_int_equal(frame[b], 0);
            memcpy(frame, &place, sizeof(place));
            assert_ptr_equal(contents_make(&contents, place), frame);
        }
        assert_int_equal(contents.frames, PLACES);
        for (size_t i = PLACES; i > 0; i--) {
            for (size_t k = 0; k < PLACES; k++) {
                char *frame = contents_find(&contents, places[k]);
                assert_true((frame != NULL) == (k < i));
                if (frame != NULL)
                    assert_memory_equal(frame, &places[k], sizeof(places[k]));
            }
            assert_null(contents_find(&contents, places[i - 1] + 1000000));
            contents_cut(&contents, places[i - 1]);
        }
        assert_int_equal(contents.frames, 0);
        assert_null(contents.root);
        assert_int_equal(fake_live, before);
    }
}

/* A frame far away needs tables; without memory for one of them there is no change. */
static void frames_without_memory(void **state)
{
    (void)state;
    struct contents contents = {0};
    assert_non_null(contents_make(&contents, 3));
    long before = fake_live;
    for (long n = 0;; n++) {
        fake_fail_after = n;
        char *frame = contents_make(&contents, UINT64_C(1) << 40);
        fake_fail_after = -1;
        if (frame != NULL) {
            assert_int_equal(n,
                             4 + 5); /* tables above the one there, and a way down from the top */
            break;
        }
        assert_int_equal(fake_live, before);
        assert_non_null(contents_find(&contents, 3));
        assert_null(contents_find(&contents, UINT64_C(1) << 40));
    }
    contents_cut(&contents, 0);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void holes(void **state)
{
    (void)state;
    static unsigned char buf[3 * PAGE_SIZE];
    struct file *file = open_file("f", O_RDWR | O_CREAT);
    assert_int_equal(file_pwrite(file, user("far"), 3, (INT64_C(1) << 40) + 5), 3);
    assert_int_equal(stat_of("f").size, (INT64_C(1) << 40) + 8);
    assert_int_equal(stat_of("f").blocks, 8);
    memset(buf, 0xff, sizeof(buf));
    assert_int_equal(file_pread(file, user(buf), sizeof(buf), 1 << 20), sizeof(buf));
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0);
    assert_int_equal(file_pread(file, user(buf), sizeof(buf), INT64_C(1) << 40), 8);
    assert_memory_equal(buf, "\0\0\0\0\0far", 8);
    assert_int_equal(file_pread(file, user(buf), 9, INT64_MAX - 8), -EINVAL);
    assert_int_equal(file_pread(file, user(buf), 9, INT64_MAX - 9), 0);
    assert_int_equal(file_pwrite(file, user(buf), 4, INT64_MAX - 3), -EINVAL);
    assert_int_equal(file_pwrite(file, user("last"), 4, INT64_MAX - 4), 4);
    assert_int_equal(stat_of("f").size, INT64_MAX);
    file_set_flags(file, O_APPEND);
    assert_int_equal(file_pwrite(file, user(buf), 1, 0), -EFBIG);
    assert_int_equal(file_truncate(file, INT64_MAX - 3), 0);
    assert_int_equal(file_pwrite(file, user("abcd"), 4, 0), 3); /* as far as it goes */
    assert_int_equal(file_truncate(file, 0), 0);
    assert_int_equal(stat_of("f").blocks, 0);
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

static void seeking(void **state)
{
    (void)state;
    put_file("f", "0123456789");
    struct file *file = open_file("f", O_RDWR);
    char buf[16];
    assert_int_equal(file_seek(file, 4, SEEK_FROM_START), 4);
    assert_int_equal(file_seek(file, 2, SEEK_FROM_HERE), 6);
    assert_int_equal(file_read(file, user(buf), 2), 2);
    assert_memory_equal(buf, "67", 2);
    assert_int_equal(file_seek(file, -1, SEEK_FROM_END), 9);
    assert_int_equal(file_seek(file, -11, SEEK_FROM_END), -EINVAL);
    assert_int_equal(file_seek(file, INT64_MAX, SEEK_FROM_END), -EINVAL);
    assert_int_equal(file_seek(file, 0, 3), -EINVAL);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_HERE), 9);
    assert_int_equal(file_pread(file, user(buf), 3, 1), 3);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_HERE), 9); /* pread leaves it */
    assert_int_equal(file_seek(file, 20, SEEK_FROM_START), 20);
    assert_int_equal(file_read(file, user(buf), 3), 0);
    assert_int_equal(file_write(file, user("x"), 1), 1);
    assert_int_equal(stat_of("f").size, 21);
    assert_int_equal(file_read_kernel(file, 8, buf, 16), 13);
    assert_memory_equal(buf, "89\0\0\0\0\0\0\0\0\0\0x", 13);
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
    file = open_file("/", O_RDONLY);
    assert_int_equal(file_read(file, user(buf), 1), -EISDIR);
    assert_int_equal(file_read_kernel(file, 0, buf, 1), -EISDIR);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_END), -EINVAL);
    assert_int_equal(file_seek(file, -1, SEEK_FROM_START), -EINVAL);
    assert_int_equal(file_truncate(file, 0), -EINVAL);
    file_put(file);
}

static void appending(void **state)
{
    (void)state;
    struct file *a = open_file("f", O_WRONLY | O_CREAT | O_APPEND);
    struct file *b = open_file("f", O_WRONLY | O_APPEND);
    assert_int_equal(file_write(a, user("one"), 3), 3);
    assert_int_equal(file_write(b, user("two"), 3), 3);
    assert_int_equal(file_pwrite(a, user("three"), 5, 0), 5); /* Linux appends here as well */
    assert_int_equal(file_seek(a, 0, SEEK_FROM_START), 0);
    assert_int_equal(file_write(a, user("four"), 4), 4);
    assert_int_equal(file_seek(a, 0, SEEK_FROM_HERE), 15);
    assert_holds("f", "onetwothreefour");
    file_put(a);
    file_put(b);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

/* What was cut off is gone: it reads as zeros when the file grows again. */
static void truncating(void **state)
{
    (void)state;
    static unsigned char buf[4 * PAGE_SIZE];
    struct file *file = open_file("f", O_RDWR | O_CREAT);
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 12289};
    for (size_t i = 0; i < 8; i++) {
        memset(buf, 0xee, sizeof(buf));
        assert_int_equal(file_pwrite(file, user(buf), sizeof(buf), 0), sizeof(buf));
        assert_int_equal(file_truncate(file, (int64_t)sizes[i]), 0);
        assert_int_equal(stat_of("f").blocks, (sizes[i] + PAGE_SIZE - 1) / PAGE_SIZE * 8);
        assert_int_equal(file_pread(file, user(buf), sizeof(buf), 0), sizes[i]);
        assert_int_equal(memfs_truncate(NULL, "f", sizeof(buf)), 0);
        memset(buf, 0xdd, sizeof(buf));
        assert_int_equal(file_pread(file, user(buf), sizeof(buf), 0), sizeof(buf));
        for (size_t k = 0; k < sizeof(buf); k++)
            assert_int_equal(buf[k], k < sizes[i] ? 0xee : 0);
    }
    assert_int_equal(memfs_truncate(NULL, "f", -1), -EINVAL);
    assert_int_equal(memfs_truncate(NULL, "/", 0), -EISDIR);
    assert_int_equal(memfs_truncate(NULL, "g", 0), -ENOENT);
    assert_int_equal(file_truncate(file, -1), -EINVAL);
    file_put(file);
    file = open_file("f", O_RDONLY);
    assert_int_equal(file_truncate(file, 0), -EINVAL);
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

static void bad_pages(void **state)
{
    (void)state;
    unsigned char *buf = aligned_alloc(PAGE_SIZE, 4 * PAGE_SIZE);
    memset(buf, 'x', 4 * PAGE_SIZE);
    struct file *file = open_file("f", O_RDWR | O_CREAT);
    fake_bad_page = user(buf + 2 * PAGE_SIZE);
    assert_int_equal(file_write(file, user(buf + 2 * PAGE_SIZE), 10), -EFAULT);
    assert_int_equal(stat_of("f").size, 0);
    assert_int_equal(file_write(file, user(buf + PAGE_SIZE + 5), 3 * PAGE_SIZE - 10), 4091);
    assert_int_equal(stat_of("f").size, 4091);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_HERE), 4091); /* what was written counts */
    assert_int_equal(file_write(file, user(buf + 2 * PAGE_SIZE - 2), 10), 2);
    assert_int_equal(file_truncate(file, 3 * PAGE_SIZE), 0);
    assert_int_equal(file_pread(file, user(buf + 2 * PAGE_SIZE), 1, 0), -EFAULT);
    assert_int_equal(file_pread(file, user(buf), 3 * PAGE_SIZE, 0), 2 * PAGE_SIZE);
    for (size_t i = 0; i < 2 * PAGE_SIZE; i++)
        assert_int_equal(buf[i], i < 4093 ? 'x' : 0); /* nothing came behind the bad page */
    assert_int_equal(file_pread(file, user(buf + 2 * PAGE_SIZE), 0, 0), 0);
    assert_int_equal(file_pread(file, user(buf + 2 * PAGE_SIZE), 10, 1 << 20), 0);
    file_put(file);
    free(buf);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

static void no_space(void **state)
{
    (void)state;
    static unsigned char buf[5 * PAGE_SIZE];
    struct file *file = open_file("f", O_RDWR | O_CREAT);
    memset(buf, 'y', sizeof(buf));
    fake_fail_after = 0;
    assert_int_equal(file_write(file, user(buf), 10), -ENOSPC);
    fake_fail_after = 3; /* a frame; one more, and a table */
    assert_int_equal(file_write(file, user(buf), sizeof(buf)), 2 * PAGE_SIZE);
    assert_int_equal(file_write(file, user(buf), sizeof(buf)), -ENOSPC);
    assert_int_equal(file_pwrite(file, user("over"), 4, 100), 4); /* what it has, it can change */
    assert_int_equal(file_truncate(file, INT64_MAX), 0);
    assert_int_equal(file_truncate(file, PAGE_SIZE), 0);
    fake_fail_after = -1;
    assert_int_equal(stat_of("f").size, PAGE_SIZE);
    assert_int_equal(stat_of("f").blocks, 8);
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

/* Each frame of a large file is one allocation, whatever its size: nothing is copied to grow. */
static void growing_is_cheap(void **state)
{
    (void)state;
    enum { FRAMES = 3000 };
    static unsigned char buf[PAGE_SIZE];
    struct file *file = open_file("f", O_RDWR | O_CREAT);
    long before = fake_live;
    for (int i = 0; i < FRAMES; i++) {
        memset(buf, i, sizeof(buf));
        assert_int_equal(file_write(file, user(buf), PAGE_SIZE), PAGE_SIZE);
    }
    assert_int_equal(fake_live, before + FRAMES + 6 + 1); /* six tables of 512, and one above */
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(file_pread(file, user(buf), 1, (int64_t)i * PAGE_SIZE + i), 1);
        assert_int_equal(buf[0], (unsigned char)i);
    }
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

/* ---- listings -------------------------------------------------------------------------------- */

enum { TYPE_DIR = 4, TYPE_FILE = 8, TYPE_LINK = 10 };

struct dirent { /* struct linux_dirent64 */
    uint64_t ino;
    int64_t next;
    uint16_t bytes;
    uint8_t type;
    char name[5];
};

static void records(void **state)
{
    (void)state;
    _Alignas(8) char buf[1024];
    put_file("file", "");
    assert_int_equal(memfs_mkdir(NULL, "directory", 0755), 0);
    assert_int_equal(memfs_symlink("x", NULL, repeat("n", 255)), 0);
    struct file *dir = open_file("/", O_RDONLY);
    static const size_t lengths[] = {1, 2, 4, 9, 255};
    static const uint8_t types[] = {TYPE_DIR, TYPE_DIR, TYPE_FILE, TYPE_DIR, TYPE_LINK};
    memset(buf, 0xff, sizeof(buf));
    long size = file_getdents(dir, user(buf), sizeof(buf));
    size_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct dirent *record = (const struct dirent *)(buf + at);
        assert_int_equal(record->bytes, (19 + lengths[i] + 1 + 7) / 8 * 8);
        assert_int_equal(record->type, types[i]);
        const char *name = buf + at + 19;
        assert_int_equal(strlen(name), lengths[i]);
        assert_int_equal(record->ino, stat_of(name).ino);
        at += record->bytes;
        /* from the place that it names, the listing goes on behind it */
        _Alignas(8) char again[1024];
        assert_int_equal(file_seek(dir, record->next, SEEK_FROM_START), record->next);
        assert_int_equal(file_getdents(dir, user(again), sizeof(again)), size - (long)at);
        assert_memory_equal(again, buf + at, (size_t)size - at);
    }
    assert_int_equal(at, size);
    assert_int_equal(file_getdents(dir, user(buf), sizeof(buf)), 0);
    assert_int_equal(file_seek(dir, 0, SEEK_FROM_START), 0);
    assert_int_equal(file_getdents(dir, user(buf), 23), -EINVAL);
    assert_int_equal(file_getdents(dir, user(buf), 24), 24); /* one record fits exactly */
    assert_int_equal(file_getdents(dir, UINT64_C(0xffff800000000000), 100), -EFAULT);
    file_put(dir);
    struct file *file = open_file("file", O_RDONLY);
    assert_int_equal(file_getdents(file, user(buf), sizeof(buf)), -ENOTDIR);
    file_put(file);
    assert_int_equal(memfs_unlink(NULL, "file"), 0);
    assert_int_equal(memfs_unlink(NULL, repeat("n", 255)), 0);
    assert_int_equal(memfs_rmdir(NULL, "directory"), 0);
}

static void bad_pages_in_a_listing(void **state)
{
    (void)state;
    char *buf = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
    struct file *dir = open_file("/", O_RDONLY);
    fake_bad_page = user(buf + PAGE_SIZE);
    assert_int_equal(file_getdents(dir, user(buf + PAGE_SIZE), 100), -EFAULT);
    assert_int_equal(file_getdents(dir, user(buf + PAGE_SIZE - 30), 100), 24); /* "." */
    assert_int_equal(file_getdents(dir, user(buf), 100), 24);                  /* ".." */
    file_put(dir);
    free(buf);
}

enum { NAMES = 300, STAYING = 100 };

/* Number of a name "nN", or -1 for the dots. */
static int number_of(const char *name)
{
    return name[0] == 'n' ? atoi(name + 1) : -1;
}

/* Change something in the directory: names from STAYING on come, go, and change places. */
static void disturb(uint64_t *random)
{
    char name[32], other[32];
    snprintf(name, sizeof(name), "d/n%u", STAYING + random_below(random, NAMES - STAYING));
    snprintf(other, sizeof(other), "d/n%u", STAYING + random_below(random, NAMES - STAYING));
    switch (random_below(random, 4)) {
    case 0:
        (void)memfs_unlink(NULL, name);
        break;
    case 1:
        (void)memfs_rename(NULL, name, NULL, other, false);
        break;
    case 2: { /* what stays is replaced by another file of the same name */
        snprintf(name, sizeof(name), "d/n%u", random_below(random, STAYING));
        put_file("d/tmp", "");
        assert_int_equal(memfs_rename(NULL, "d/tmp", NULL, name, false), 0);
        break;
    }
    default:
        (void)try_open(name, O_RDWR | O_CREAT);
        break;
    }
}

/* Nothing that stays is told of twice or not at all, however small the pieces of the listing. */
static void listing_under_change(void **state)
{
    (void)state;
    uint64_t random = 11;
    char name[32];
    assert_int_equal(memfs_mkdir(NULL, "d", 0755), 0);
    for (int i = 0; i < STAYING; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        put_file(name, "");
        for (int k = 0; k < 3; k++)
            disturb(&random); /* those that stay lie between such as go */
        for (int k = 0; k <= i; k++) {
            snprintf(name, sizeof(name), "d/n%d", k);
            assert_int_equal(try_open(name, O_RDWR | O_CREAT), 0);
        }
    }
    for (int round = 0; round < 200; round++) {
        _Alignas(8) char buf[512];
        int seen[NAMES] = {0}, dots = 0;
        struct file *dir = open_file("d", O_RDONLY);
        long size;
        while ((size = file_getdents(dir, user(buf), 32 + random_below(&random, 480))) != 0) {
            assert_true(size > 0);
            for (long at = 0; at < size; at += ((struct dirent *)(buf + at))->bytes) {
                int number = number_of(buf + at + 19);
                if (number >= 0)
                    seen[number]++;
                else
                    dots += strcmp(buf + at + 19, "tmp") != 0;
            }
            for (int k = (int)random_below(&random, 6); k > 0; k--)
                disturb(&random);
        }
        file_put(dir);
        assert_int_equal(dots, 2);
        for (int i = 0; i < STAYING; i++)
            assert_int_equal(seen[i], 1);
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        (void)memfs_unlink(NULL, name);
    }
    assert_int_equal(memfs_rmdir(NULL, "d"), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, leave_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_far_and_near),
        TEST(frames_without_memory),
        TEST(holes),
        TEST(seeking),
        TEST(appending),
        TEST(truncating),
        TEST(bad_pages),
        TEST(no_space),
        TEST(growing_is_cheap),
        TEST(records),
        TEST(bad_pages_in_a_listing),
        TEST(listing_under_change),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
