// SPDX-License-Identifier: MIT
/* links: src/fs/pipe.c src/fs/file.c tests/host/fake/memory.c */
/* links: tests/host/fake/threads.c tests/host/fake/user.c tests/host/fake/panic.c */
/* links: src/lib/wall_clock.c */
/*
 * Pipes, with one thread: where the other side would run, fake_sleep does what it would do.
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
#include "fs/file.h"
#include "fs/memfs.h"
#include "fs/pipe.h"
#include "hostile.h"
#include "lib/errno.h"

static struct file *ends[2];
static unsigned char *sent, *got; /* two pages and more, page aligned */
enum { BUFFER = 32 * 4096 };

void memfs_node_put(struct memfs_node *node)
{
    assert_null(node);
}

void memfs_node_stat(const struct memfs_node *node, struct file_stat *stat)
{
    (void)node, (void)stat;
    fail();
}

static int open_pipe(void **state)
{
    (void)state;
    sent = aligned_alloc(4096, BUFFER);
    got = aligned_alloc(4096, BUFFER);
    for (size_t i = 0; i < BUFFER; i++)
        sent[i] = (unsigned char)(i * 7 + i / 4096 * 13);
    fake_sleep = NULL;
    fake_sleeps = 0;
    fake_bad_page = 0;
    return pipe_create(0, ends);
}

static int close_pipe(void **state)
{
    (void)state;
    file_put(ends[0]);
    file_put(ends[1]);
    free(sent);
    free(got);
    fake_fail_after = -1;
    return fake_live != 0 || fake_locks != 0;
}

static long put(size_t at, size_t size)
{
    return file_write(ends[1], user(sent + at), size);
}

static long get(size_t at, size_t size)
{
    return file_read(ends[0], user(got + at), size);
}

static void close_end(int end)
{
    file_put(ends[end]);
    ends[end] = NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void in_order(void **state)
{
    (void)state;
    assert_int_equal(put(0, 10), 10);
    assert_int_equal(put(10, 5000), 5000);
    assert_int_equal(get(0, 7), 7);
    assert_int_equal(get(7, 10000), 5003); /* what is there, not what was asked for */
    assert_memory_equal(got, sent, 5010);
    assert_int_equal(put(0, 0), 0);
    assert_int_equal(get(0, 0), 0); /* does not wait */
    assert_int_equal(fake_sleeps, 0);
}

/* Pieces of all lengths, many times around the ring. */
static void around_the_ring(void **state)
{
    (void)state;
    uint64_t random = 3;
    size_t in = 0, out = 0;
    for (int round = 0; round < 20000; round++) {
        size_t at = in % 251, size = 1 + random_below(&random, 20000);
        if (in - out + size <= PIPE_BYTES) {
            for (size_t i = 0; i < size; i++)
                sent[at + i] = (unsigned char)((in + i) * 31 + (in + i) / 256);
            assert_int_equal(put(at, size), size);
            in += size;
        } else {
            at = out % 509;
            long length = get(at, size);
            assert_true(length > 0 && (size_t)length <= size && (size_t)length <= in - out);
            for (size_t i = 0; i < (size_t)length; i++, out++)
                assert_int_equal(got[at + i], (unsigned char)(out * 31 + out / 256));
        }
    }
    assert_true(in > 100 * (size_t)PIPE_BYTES);
    assert_int_equal(fake_live, 1 + 2 + 16); /* the pipe, its ends, its frames */
}

static void bad_pages(void **state)
{
    (void)state;
    fake_bad_page = user(sent + 4096);
    assert_int_equal(put(4096, 10), -EFAULT);
    assert_int_equal(put(4096 - 10, 100), 10); /* what lies before the bad page */
    assert_int_equal(put(4096 + 5, 100), -EFAULT);
    assert_int_equal(put(4096 - 300, 8192), 300);
    fake_bad_page = user(got + 4096);
    assert_int_equal(get(4096, 100), -EFAULT); /* and nothing is lost */
    assert_int_equal(get(4096 - 40, 100), 40);
    fake_bad_page = 0;
    assert_int_equal(get(5000, 1000), 270);
    assert_memory_equal(got + 4096 - 40, sent + 4096 - 10, 10);
    assert_memory_equal(got + 4096 - 30, sent + 4096 - 300, 30);
    assert_memory_equal(got + 5000, sent + 4096 - 270, 270);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void write_some(void)
{
    assert_int_equal(put(0, 3), 3);
}

static void read_some(void)
{
    assert_int_equal(get(0, 4096), 4096);
}

static void close_writer(void)
{
    close_end(1);
}

static void close_reader(void)
{
    close_end(0);
}

static void the_reader_waits(void **state)
{
    (void)state;
    fake_sleep = write_some;
    assert_int_equal(get(0, 100), 3);
    assert_int_equal(fake_sleeps, 1);
    fake_sleep = close_writer;
    assert_int_equal(get(0, 100), 0);
    assert_int_equal(get(0, 100), 0);
    assert_int_equal(fake_sleeps, 2);
}

static void the_writer_waits(void **state)
{
    (void)state;
    assert_int_equal(put(0, PIPE_BYTES), PIPE_BYTES);
    fake_sleep = read_some;
    assert_int_equal(put(0, 4096), 4096);
    assert_int_equal(fake_sleeps, 1);
    assert_int_equal(put(0, 9000), 9000); /* in pieces as there is room */
    assert_int_equal(fake_sleeps, 4);
    fake_sleep = close_reader;
    assert_int_equal(put(0, PIPE_BYTES), 4096 * 4 - 4096 - 9000); /* a part, and the error later */
    assert_int_equal(put(0, 1), -EPIPE);
    assert_int_equal(put(0, PIPE_BYTES), -EPIPE);
    assert_int_equal(put(0, 0), 0);
}

static void without_waiting(void **state)
{
    (void)state;
    file_set_flags(ends[0], O_NONBLOCK);
    file_set_flags(ends[1], O_NONBLOCK);
    assert_int_equal(get(0, 10), -EAGAIN);
    assert_int_equal(put(0, PIPE_BYTES + 1), PIPE_BYTES);
    assert_int_equal(put(0, 1), -EAGAIN);
    assert_int_equal(get(0, 4095), 4095);
    assert_int_equal(put(0, 4096), -EAGAIN); /* whole or not at all */
    assert_int_equal(put(0, 4095), 4095);
    assert_int_equal(get(0, 4095), 4095);
    assert_int_equal(put(0, 4097), 4095); /* longer ones come in pieces */
    assert_int_equal(get(0, BUFFER), PIPE_BYTES);
    close_end(1);
    assert_int_equal(get(0, 10), 0);
    assert_int_equal(fake_sleeps, 0);
}

static void the_end_comes_after_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(put(0, 5), 5);
    close_end(1);
    assert_int_equal(get(0, 3), 3);
    assert_int_equal(get(0, 3), 2);
    assert_int_equal(get(0, 3), 0);
}

static void ends_are_counted(void **state)
{
    (void)state;
    (void)file_get(ends[1]); /* a second descriptor, after dup or exec */
    file_put(ends[1]);
    assert_int_equal(put(0, 5), 5);
    (void)file_get(ends[0]);
    file_put(ends[0]);
    assert_int_equal(put(0, 5), 5);
    assert_int_equal(get(0, 100), 10);
    close_end(0);
    assert_int_equal(put(0, 5), -EPIPE);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void wrong_ends(void **state)
{
    (void)state;
    char c;
    assert_int_equal(file_read(ends[1], user(&c), 1), -EBADF);
    assert_int_equal(file_write(ends[0], user(&c), 1), -EBADF);
    assert_int_equal(file_pread(ends[0], user(&c), 1, 0), -ESPIPE);
    assert_int_equal(file_seek(ends[0], 0, SEEK_FROM_START), -ESPIPE);
    assert_int_equal(file_truncate(ends[1], 0), -EINVAL);
    struct file_stat stat, other;
    assert_int_equal(file_get_stat(ends[0], &stat), 0);
    assert_int_equal(file_get_stat(ends[1], &other), 0);
    assert_int_equal(stat.mode, S_IFIFO | 0600);
    assert_int_equal(stat.ino, other.ino);
}

static void without_memory(void **state)
{
    (void)state;
    struct file *none[2];
    long before = fake_live;
    for (long n = 0; n < 3; n++) {
        fake_fail_after = n;
        assert_int_equal(pipe_create(0, none), -ENOMEM);
        fake_fail_after = -1;
        assert_int_equal(fake_live, before);
    }
    fake_fail_after = 0;
    assert_int_equal(put(0, 100), -ENOMEM);
    fake_fail_after = 1;
    assert_int_equal(put(0, 4000), 4000);
    assert_int_equal(put(4000, 4096), -ENOMEM); /* it would need a second frame */
    assert_int_equal(put(4000, 96), 96);
    fake_fail_after = -1;
    assert_int_equal(get(0, BUFFER), 4096);
    assert_memory_equal(got, sent, 4096);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_order),
        TEST(around_the_ring),
        TEST(bad_pages),
        TEST(the_reader_waits),
        TEST(the_writer_waits),
        TEST(without_waiting),
        TEST(the_end_comes_after_the_bytes),
        TEST(ends_are_counted),
        TEST(wrong_ends),
        TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
