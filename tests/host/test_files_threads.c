// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/memfs_node.c src/fs/memfs_dir.c src/fs/memfs_walk.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/memfs_file.c src/fs/contents.c src/fs/device.c src/fs/file.c src/fs/fd.c */
/* links: src/fs/pipe.c src/lib/text.c tests/host/fake/panic.c */
/* links: tests/host/fake/memory.c tests/host/fake/pthreads.c tests/host/fake/user.c */
/* links: src/lib/wall_clock.c */
/* flags: -fsanitize=thread */
/*
 * Files, pipes and descriptors used by several threads, under the thread sanitizer: it sees each
 * access that no lock orders, whether or not harm comes of it in this run. What they share is
 * small, so that they meet often.
 */
#include <pthread.h>

#include "fs/fd.h"
#include "fs/pipe.h"
#include "hostile.h"
#include "memfs_words.h"

enum { THREADS = 3, TURNS = 3000, RECORD = 16, TRANSFER = 1 << 20, BLOCK = 64 };

static struct file *shared, *ends[2];
static struct fd_table *table;
static _Atomic long made, wrong;
static pthread_barrier_t all_there; /* each waits there before its turns, so that they meet */

static void expect(bool ok)
{
    wrong += ok ? 0 : 1;
}

static void run(void *(*fn)(void *), int count, void *(*other)(void *))
{
    pthread_t threads[THREADS + 1];
    pthread_barrier_init(&all_there, NULL, (unsigned)count + (other != NULL));
    for (intptr_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, (void *)(i + 1)), 0);
    if (other != NULL)
        assert_int_equal(pthread_create(&threads[count++], NULL, other, (void *)99), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all_there);
    assert_int_equal(wrong, 0);
}

static int set_up(void **state)
{
    (void)state;
    made = 0;
    return memfs_init();
}

static int leave_nothing(void **state)
{
    (void)state;
    return fake_live != 1;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void one_name(uint64_t *random)
{
    char name[8], other[8], buf[256];
    struct file *file;
    struct file_stat stat;
    snprintf(name, sizeof(name), "%u", random_below(random, 6));
    snprintf(other, sizeof(other), "%u", random_below(random, 6));
    switch (random_below(random, 9)) {
    case 0:
    case 1:
        if (memfs_open(NULL, name, O_RDWR | O_CREAT | O_EXCL, 0600, &file) == 0) {
            made++;
            file_put(file);
        }
        break;
    case 2:
        made += memfs_mkdir(NULL, name, 0700) == 0;
        break;
    case 3:
        made -= memfs_rmdir(NULL, name) == 0;
        break;
    case 4:
        made -= memfs_unlink(NULL, name) == 0;
        break;
    case 5:
        (void)memfs_rename(NULL, name, NULL, other, true);
        break;
    case 6:
        made += memfs_link(NULL, name, false, NULL, other) == 0;
        break;
    case 7:
        (void)memfs_stat(NULL, name, true, &stat);
        (void)memfs_chmod(NULL, name, 0644);
        break;
    default:
        if (memfs_open(NULL, "/", O_RDONLY, 0, &file) == 0) {
            expect(file_getdents(file, user(buf), sizeof(buf)) > 0);
            file_put(file);
        }
        break;
    }
}

static void *work_on_names(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS; i++)
        one_name(&random);
    return NULL;
}

static void names(void **state)
{
    (void)state;
    run(work_on_names, THREADS, NULL);
    for (int i = 0; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof(name), "%d", i);
        made -= memfs_unlink(NULL, name) == 0 || memfs_rmdir(NULL, name) == 0;
    }
    assert_int_equal(made, 0);
    assert_int_equal(stat_of("/").links, 2);
}

/* ---- a file ---------------------------------------------------------------------------------- */

static void *append(void *arg)
{
    struct file *file = open_file("f", O_WRONLY | O_APPEND);
    char record[RECORD];
    memset(record, (char)(uintptr_t)arg, sizeof(record));
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS / 3; i++)
        expect(file_write(file, user(record), RECORD) == RECORD);
    file_put(file);
    return NULL;
}

static void *read_shared(void *arg)
{
    char record[RECORD], whole[RECORD];
    (void)arg;
    pthread_barrier_wait(&all_there);
    while (file_read(shared, user(record), RECORD) == RECORD) {
        memset(whole, record[0], RECORD);
        expect(memcmp(record, whole, RECORD) == 0);
        made++;
    }
    return NULL;
}

/* What is there at any time are whole records. */
static void *look(void *arg)
{
    static char bytes[TURNS * RECORD], whole[RECORD];
    (void)arg;
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS / 3; i++) {
        long size = file_pread(shared, user(bytes), sizeof(bytes), 0);
        expect(size >= 0 && size % RECORD == 0);
        if (size < RECORD)
            continue;
        memset(whole, bytes[size - RECORD], RECORD);
        expect(memcmp(whole, bytes + size - RECORD, RECORD) == 0);
    }
    return NULL;
}

/* Cut, extend and look at a file while others use it. */
static void *cut(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    char buf[RECORD];
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS / 3; i++) {
        expect(file_truncate(shared, random_below(&random, 20000)) == 0);
        expect(file_pwrite(shared, user(buf), 0, 5) == 0);
        expect(file_pread(shared, user(buf), RECORD, random_below(&random, 20000)) >= 0);
        struct file_stat stat;
        expect(file_get_stat(shared, &stat) == 0 && stat.size <= 30000 + 1000 * RECORD);
        file_set_flags(shared, random_below(&random, 2) ? O_APPEND : 0);
    }
    return NULL;
}

static void one_file(void **state)
{
    (void)state;
    shared = open_file("f", O_RDWR | O_CREAT);
    run(append, THREADS, look);
    run(read_shared, THREADS, NULL);
    assert_int_equal(made, THREADS * (TURNS / 3));
    run(append, 1, cut);
    file_put(shared);
    assert_int_equal(memfs_unlink(NULL, "f"), 0);
}

/* ---- pipes ----------------------------------------------------------------------------------- */

static void *write_blocks(void *arg)
{
    char block[BLOCK];
    memset(block, (char)(uintptr_t)arg, sizeof(block));
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TRANSFER / BLOCK / THREADS; i++)
        expect(file_write(ends[1], user(block), BLOCK) == BLOCK);
    file_put(ends[1]);
    return NULL;
}

static void *read_blocks(void *arg)
{
    char block[BLOCK], whole[BLOCK];
    long size, total = 0;
    (void)arg;
    pthread_barrier_wait(&all_there);
    while ((size = file_read(ends[0], user(block), BLOCK)) > 0) {
        memset(whole, block[0], BLOCK);
        expect(size == BLOCK && memcmp(block, whole, BLOCK) == 0);
        total += size;
    }
    expect(size == 0 && total == TRANSFER / BLOCK / THREADS * THREADS * (long)BLOCK);
    file_put(ends[0]);
    return NULL;
}

static void a_pipe(void **state)
{
    (void)state;
    assert_int_equal(pipe_create(0, ends), 0);
    for (int i = 1; i < THREADS; i++)
        (void)file_get(ends[1]);
    run(write_blocks, THREADS, read_blocks);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void count_release(struct file *file)
{
    (void)file;
    made--;
}

static const struct file_ops counted = {.release = count_release};

static void *work_on_table(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < TURNS; i++) {
        int a = (int)random_below(&random, 8), b = (int)random_below(&random, 8);
        struct file *file = file_create(&counted, NULL, O_RDWR);
        made++;
        expect(fd_install(table, file, i % 2 == 0) >= 0);
        (void)fd_dup2(table, a, b);
        (void)fd_set_cloexec(table, a, true);
        if (fd_get(table, b, &file) == 0)
            file_put(file);
        if (i % 64 == 0)
            fd_table_put(fd_table_copy(table, FD_MAX));
        if (i % 32 == 0)
            fd_close_on_exec(table);
        for (int k = 0; k < 3; k++)
            (void)fd_close(table, (int)random_below(&random, 40));
        if (i % 128 == 0)
            fd_close_all(table);
    }
    return NULL;
}

static void descriptors(void **state)
{
    (void)state;
    table = fd_table_create();
    run(work_on_table, THREADS, NULL);
    fd_table_put(table);
    assert_int_equal(made, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, leave_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(names), TEST(one_file), TEST(a_pipe),
                                       TEST(descriptors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
