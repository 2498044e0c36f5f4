// SPDX-License-Identifier: MIT
/* links: src/fs/fd.c src/fs/file.c tests/host/fake/memory.c */
/* links: tests/host/fake/threads.c tests/host/fake/user.c tests/host/fake/panic.c */
/*
 * Descriptor tables, and what all open files have in common.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "fake_threads.h"
#include "fake_user.h"
#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "hostile.h"
#include "lib/errno.h"

/* ---- files that count ------------------------------------------------------------------------ */

static int closed; /* files whose last reference has gone */

static void count_release(struct file *file)
{
    assert_int_equal(fake_locks, 0); /* a kind may sleep when it is closed */
    closed += file->data != NULL ? 1 : 0;
}

static long see_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)buf;
    if (file->ops->seek != NULL)
        assert_int_equal(fake_locks, 1); /* two sharers may not use the same place */
    else
        assert_int_equal(fake_locks, 0);
    *position += size;
    return (long)size;
}

static int64_t see_seek(struct file *file, uint64_t position, int64_t offset, int whence)
{
    (void)file;
    return whence == SEEK_FROM_HERE ? (int64_t)position + offset : offset;
}

static const struct file_ops stream_ops = {
    .read = see_read, .write = see_read, .release = count_release};
static const struct file_ops bare_ops = {.release = count_release};
static const struct file_ops place_ops = {
    .read = see_read, .write = see_read, .seek = see_seek, .release = count_release};

void memfs_node_put(struct memfs_node *node)
{
    assert_null(node);
}

void memfs_node_stat(const struct memfs_node *node, struct file_stat *stat)
{
    (void)node, (void)stat;
    fail();
}

static struct file *new_file(void)
{
    static int something;
    struct file *file = file_create(&stream_ops, &something, O_RDWR);
    assert_non_null(file);
    return file;
}

static struct fd_table *new_table(void)
{
    struct fd_table *table = fd_table_create();
    assert_non_null(table);
    return table;
}

/* A table whose descriptors 0..count-1 are open. */
static struct fd_table *table_with(int count)
{
    struct fd_table *table = new_table();
    for (int i = 0; i < count; i++)
        assert_int_equal(fd_install(table, new_file(), false), i);
    return table;
}

static bool is_open(struct fd_table *table, int fd)
{
    struct file *file;
    if (fd_get(table, fd, &file) != 0)
        return false;
    file_put(file);
    return true;
}

static bool same_file(struct fd_table *table, int a, int b)
{
    struct file *file_a, *file_b;
    assert_int_equal(fd_get(table, a, &file_a), 0);
    assert_int_equal(fd_get(table, b, &file_b), 0);
    file_put(file_a);
    file_put(file_b);
    return file_a == file_b;
}

static int begin(void **state)
{
    (void)state;
    closed = 0;
    return fake_live != 0;
}

static int all_given_back(void **state)
{
    (void)state;
    return fake_live != 0 || fake_locks != 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void lowest_free(void **state)
{
    (void)state;
    struct fd_table *table = table_with(100);
    assert_int_equal(fd_close(table, 70), 0);
    assert_int_equal(fd_close(table, 3), 0);
    assert_int_equal(closed, 2);
    assert_int_equal(fd_close(table, 3), -EBADF);
    assert_int_equal(fd_install(table, new_file(), false), 3);
    assert_int_equal(fd_install(table, new_file(), false), 70);
    assert_int_equal(fd_install(table, new_file(), false), 100);
    fd_table_put(table);
    assert_int_equal(closed, 103);
}

static void bad_descriptors(void **state)
{
    (void)state;
    struct fd_table *table = table_with(1);
    static const int bad[] = {-1, 1, 31, 32, 63, 64, 1023, 1024, 1 << 20, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct file *file;
        assert_int_equal(fd_get(table, bad[i], &file), -EBADF);
        assert_int_equal(fd_close(table, bad[i]), -EBADF);
        assert_int_equal(fd_dup(table, bad[i], 0, false), -EBADF);
        assert_int_equal(fd_dup2(table, bad[i], 0), -EBADF);
        assert_int_equal(fd_dup2(table, bad[i], bad[i]), -EBADF);
        assert_int_equal(fd_get_cloexec(table, bad[i]), -EBADF);
        assert_int_equal(fd_set_cloexec(table, bad[i], true), -EBADF);
        bool in_range = bad[i] >= 0 && bad[i] < FD_MAX;
        assert_int_equal(fd_dup2(table, 0, bad[i]), in_range ? bad[i] : -EBADF);
        if (in_range)
            assert_int_equal(fd_close(table, bad[i]), 0);
        int lowest = fd_dup(table, 0, bad[i], false);
        assert_int_equal(lowest, in_range ? bad[i] : -EINVAL);
        if (in_range)
            assert_int_equal(fd_close(table, lowest), 0);
    }
    assert_true(is_open(table, 0));
    fd_table_put(table);
    assert_int_equal(closed, 1);
}

static void up_to_the_limit(void **state)
{
    (void)state;
    struct fd_table *table = table_with(FD_MAX);
    struct file *one_more = new_file();
    assert_int_equal(fd_install(table, one_more, false), -EMFILE);
    assert_int_equal(fd_reserve(table, false), -EMFILE);
    assert_int_equal(fd_dup(table, 5, 0, false), -EMFILE);
    assert_int_equal(fd_dup(table, 5, FD_MAX - 1, false), -EMFILE);
    assert_int_equal(fd_dup2(table, 5, 6), 6); /* needs no new number */
    assert_int_equal(closed, 1);
    assert_int_equal(fd_close(table, 500), 0);
    assert_int_equal(fd_install(table, one_more, false), 500);
    fd_table_put(table);
    assert_int_equal(closed, FD_MAX + 1);
}

static void duplicates(void **state)
{
    (void)state;
    struct fd_table *table = table_with(3);
    assert_int_equal(fd_dup(table, 1, 0, false), 3);
    assert_int_equal(fd_dup(table, 1, 10, true), 10);
    assert_true(same_file(table, 1, 3) && same_file(table, 1, 10));
    assert_int_equal(fd_get_cloexec(table, 3), 0);
    assert_int_equal(fd_get_cloexec(table, 10), 1);
    assert_int_equal(fd_dup2(table, 10, 10), 10); /* nothing changes, the mark neither */
    assert_int_equal(fd_get_cloexec(table, 10), 1);
    assert_int_equal(fd_dup3(table, 10, 10, false), -EINVAL);
    assert_int_equal(fd_dup2(table, 10, 2), 2);
    assert_int_equal(closed, 1);
    assert_int_equal(fd_get_cloexec(table, 2), 0);
    assert_int_equal(fd_dup3(table, 2, 40, true), 40);
    assert_int_equal(fd_get_cloexec(table, 40), 1);
    assert_int_equal(fd_dup2(table, 2, 40), 40); /* onto the same file */
    assert_int_equal(fd_get_cloexec(table, 40), 0);
    static const int all[] = {1, 3, 10, 2};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fd_close(table, all[i]), 0);
    assert_int_equal(closed, 1); /* 40 still has it */
    assert_int_equal(fd_close(table, 40), 0);
    assert_int_equal(closed, 2);
    fd_table_put(table);
}

static void reserving(void **state)
{
    (void)state;
    struct fd_table *table = table_with(2);
    assert_int_equal(fd_reserve(table, true), 2);
    assert_int_equal(fd_install(table, new_file(), false), 3);
    assert_false(is_open(table, 2));
    assert_int_equal(fd_close(table, 2), -EBADF);
    assert_int_equal(fd_dup2(table, 0, 2), -EBUSY);
    assert_int_equal(fd_dup2(table, 2, 0), -EBADF);
    fd_close_on_exec(table);
    struct fd_table *copy = fd_table_copy(table, FD_MAX);
    assert_int_equal(fd_install(copy, new_file(), false), 2); /* reserved there, not here */
    fd_table_put(copy);
    fd_fill(table, 2, new_file());
    assert_int_equal(fd_get_cloexec(table, 2), 1);
    assert_int_equal(fd_reserve(table, false), 4);
    fd_unreserve(table, 4);
    assert_int_equal(fd_install(table, new_file(), false), 4);
    fd_table_put(table);
    assert_int_equal(closed, 6);
}

static void close_on_exec(void **state)
{
    (void)state;
    struct fd_table *table = table_with(70);
    for (int fd = 0; fd < 70; fd += 3)
        assert_int_equal(fd_set_cloexec(table, fd, true), 0);
    assert_int_equal(fd_set_cloexec(table, 3, false), 0);
    fd_close_on_exec(table);
    for (int fd = 0; fd < 70; fd++)
        assert_int_equal(is_open(table, fd), fd % 3 != 0 || fd == 3);
    assert_int_equal(fd_install(table, new_file(), false), 0);
    assert_int_equal(fd_get_cloexec(table, 0), 0); /* the mark went with the old one */
    fd_close_all(table);
    assert_int_equal(closed, 71);
    assert_int_equal(fd_install(table, new_file(), false), 0);
    fd_table_put(table);
}

static void copies(void **state)
{
    (void)state;
    struct fd_table *table = table_with(40);
    assert_int_equal(fd_close(table, 1), 0);
    assert_int_equal(fd_set_cloexec(table, 2, true), 0);
    struct fd_table *three = fd_table_copy(table, 3);
    struct fd_table *all = fd_table_copy(table, FD_MAX);
    assert_true(is_open(three, 0) && !is_open(three, 1) && is_open(three, 2) && !is_open(three, 3));
    assert_int_equal(fd_get_cloexec(three, 2), 1);
    assert_true(is_open(all, 39) && !is_open(all, 1));
    fd_table_put(fd_table_get(table)); /* a second owner that goes again */
    assert_true(is_open(table, 39));
    fd_table_put(table);
    assert_int_equal(closed, 1);
    assert_true(is_open(all, 39));
    fd_table_put(all);
    assert_int_equal(closed, 1 + 37);
    fd_table_put(three);
    assert_int_equal(closed, 40);
    struct fd_table *empty = new_table();
    fd_table_put(fd_table_copy(empty, FD_MAX));
    fd_table_put(empty);
    fd_table_put(NULL);
}

static void without_memory(void **state)
{
    (void)state;
    fake_fail_after = 0;
    assert_null(fd_table_create());
    assert_null(file_create(&stream_ops, NULL, 0));
    fake_fail_after = -1;
    struct fd_table *table = table_with(32); /* the next one needs a larger array */
    struct file *file = new_file();
    fake_fail_after = 0;
    assert_int_equal(fd_install(table, file, false), -ENOMEM);
    assert_int_equal(fd_reserve(table, false), -ENOMEM);
    assert_int_equal(fd_dup(table, 0, 0, false), -ENOMEM);
    assert_int_equal(fd_dup2(table, 0, 500), -ENOMEM);
    assert_int_equal(fd_dup2(table, 0, 31), 31);
    assert_int_equal(closed, 1);
    for (int n = 0; n < 2; n++) {
        fake_fail_after = n;
        assert_null(fd_table_copy(table, FD_MAX));
    }
    fake_fail_after = -1;
    assert_int_equal(closed, 1);
    assert_int_equal(fd_install(table, file, false), 32); /* as if nothing had been */
    fd_table_put(table);
    assert_int_equal(closed, 33);
}

/* ---- random calls, and a plain array that says what should come of them ---------------------- */

enum { ROUNDS = 200000, NUMBERS = 80 };

struct model {
    struct file *files[2 * NUMBERS];
    bool marks[2 * NUMBERS];
};

static int model_free(const struct model *model, int lowest)
{
    while (model->files[lowest] != NULL)
        lowest++;
    return lowest;
}

static void random_step(struct model *model, struct fd_table *table, uint64_t *random)
{
    int a = (int)random_below(random, NUMBERS), b = (int)random_below(random, NUMBERS);
    bool mark = random_below(random, 2) == 0;
    int to = model_free(model, 0);
    switch (random_below(random, 8)) {
    case 0:
        if (to >= NUMBERS)
            break;
        model->files[to] = new_file();
        model->marks[to] = mark;
        assert_int_equal(fd_install(table, model->files[to], mark), to);
        break;
    case 1:
        to = model_free(model, b);
        if (to >= NUMBERS)
            break;
        assert_int_equal(fd_dup(table, a, b, mark), model->files[a] != NULL ? to : -EBADF);
        model->files[to] = model->files[a];
        model->marks[to] = mark;
        break;
    case 2:
        assert_int_equal(fd_dup2(table, a, b), model->files[a] != NULL ? b : -EBADF);
        if (model->files[a] != NULL && a != b) {
            model->files[b] = model->files[a];
            model->marks[b] = false;
        }
        break;
    case 3:
        assert_int_equal(fd_set_cloexec(table, a, mark), model->files[a] != NULL ? 0 : -EBADF);
        model->marks[a] = mark;
        break;
    default:
        assert_int_equal(fd_close(table, a), model->files[a] != NULL ? 0 : -EBADF);
        model->files[a] = NULL;
        break;
    }
}

static void like_a_model(void **state)
{
    (void)state;
    static struct model model;
    uint64_t random = 7;
    struct fd_table *table = new_table();
    for (int round = 0; round < ROUNDS; round++) {
        random_step(&model, table, &random);
        int fd = (int)random_below(&random, NUMBERS);
        struct file *file = NULL;
        int expected = model.files[fd] != NULL ? model.marks[fd] : -EBADF;
        assert_int_equal(fd_get_cloexec(table, fd), expected);
        assert_int_equal(fd_get(table, fd, &file), model.files[fd] != NULL ? 0 : -EBADF);
        assert_ptr_equal(file, model.files[fd]);
        file_put(file);
    }
    fd_table_put(table);
}

/* ---- what all files have in common ----------------------------------------------------------- */

static void modes_and_ranges(void **state)
{
    (void)state;
    char buf[8];
    static const struct {
        unsigned flags;
        bool reads, writes;
    } modes[] = {{O_RDONLY, true, false},
                 {O_WRONLY, false, true},
                 {O_RDWR, true, true},
                 {O_ACCMODE, false, false}};
    for (size_t i = 0; i < 4; i++) {
        struct file *file = file_create(&stream_ops, NULL, modes[i].flags);
        assert_int_equal(file_read(file, user(buf), 8), modes[i].reads ? 8 : -EBADF);
        assert_int_equal(file_write(file, user(buf), 8), modes[i].writes ? 8 : -EBADF);
        file_put(file);
    }
    struct file *file = file_create(&stream_ops, NULL, O_RDWR);
    assert_int_equal(file_read(file, UINT64_C(0x7ffffffff000), 1), -EFAULT);
    assert_int_equal(file_read(file, UINT64_C(0x7fffffffeff0), 17), -EFAULT);
    assert_int_equal(file_write(file, UINT64_C(0xffff800000000000), 8), -EFAULT);
    assert_int_equal(file_read(file, user(buf), SIZE_MAX), -EFAULT); /* Linux too */
    assert_int_equal(file_read(file, 4096, (size_t)1 << 40), FILE_IO_MAX);
    assert_int_equal(file_pread(file, user(buf), 8, 0), -ESPIPE);
    assert_int_equal(file_pwrite(file, user(buf), 8, -1), -EINVAL);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_START), -ESPIPE);
    assert_int_equal(file_ioctl(file, 0x5401, 0), -ENOTTY);
    assert_int_equal(file_getdents(file, user(buf), 8), -ENOTDIR);
    assert_int_equal(file_truncate(file, 0), -EINVAL);
    assert_int_equal(file_read_kernel(file, 0, buf, 8), -EINVAL);
    struct file_stat stat;
    assert_int_equal(file_get_stat(file, &stat), 0);
    assert_int_equal(stat.mode & S_IFMT, S_IFCHR);
    file_put(file);
    file = file_create(&bare_ops, NULL, O_RDWR);
    assert_int_equal(file_read(file, user(buf), 8), -EINVAL);
    assert_int_equal(file_write(file, user(buf), 8), -EINVAL);
    file_put(file);
}

static void offsets(void **state)
{
    (void)state;
    char buf[100];
    struct file *file = file_create(&place_ops, NULL, O_RDWR);
    assert_int_equal(file_read(file, user(buf), 30), 30);
    assert_int_equal(file_write(file, user(buf), 12), 12);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_HERE), 42);
    assert_int_equal(file_seek(file, -EINVAL, SEEK_FROM_START), -EINVAL);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_HERE), 42);
    assert_int_equal(file_pread(file, user(buf), 8, -1), -EINVAL);
    file_put(file);
}

static void flags(void **state)
{
    (void)state;
    struct file *file = file_create(&stream_ops, NULL, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    assert_int_equal(file_flags(file), O_WRONLY);
    file_set_flags(file, O_APPEND | O_RDWR | O_EXCL);
    assert_int_equal(file_flags(file), O_WRONLY | O_APPEND);
    file_set_flags(file, O_NONBLOCK);
    assert_int_equal(file_flags(file), O_WRONLY | O_NONBLOCK);
    file_put(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, all_given_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lowest_free),  TEST(bad_descriptors),  TEST(up_to_the_limit), TEST(duplicates),
        TEST(reserving),    TEST(close_on_exec),    TEST(copies),          TEST(without_memory),
        TEST(like_a_model), TEST(modes_and_ranges), TEST(offsets),         TEST(flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
