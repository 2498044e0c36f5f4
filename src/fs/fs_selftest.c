// SPDX-License-Identifier: MIT
/*
 * Files, pipes and descriptors under several cores at once. Threads work in one directory, on one
 * file, through one pipe, with one table; each counts what it did, and in the end what is there has
 * to be the sum of it. All memory comes back.
 */
#include <stdatomic.h>

#include "fs/device.h"
#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "fs/pipe.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "vm/space.h"
#include "vm/user_copy.h"

enum {
    WORKERS = 3,
    BUFFER = 4 * PAGE_SIZE,
    NAMES = 12,
    NAME_TURNS = 6000,
    RECORDS = 400, /* that each worker appends */
    RECORD = 100,  /* bytes */
    PIPE_TRANSFER = 1 << 20,
    BLOCKS = 300, /* that each worker writes in one piece */
    END_ROUNDS = 200,
    FD_TURNS = 4000,
    FILL_FRAMES_MAX = (512 << 20) / PAGE_SIZE,
    LOSS_ROUNDS = 4,
    KEPT_FRAMES = 64, /* slabs and the like that stay when all is given back */
};
#define USER_BUFFER UINT64_C(0x400000)

static _Atomic int64_t entries, directories, errors, closed_files;
static _Atomic unsigned ready;
static unsigned expected_ready; /* I: before the workers start */
static struct file *shared_file;
static struct file *ends[2];
static struct fd_table *table;

/* ---- workers: kernel threads with a program's memory ----------------------------------------- */

/* One thread's own: a program's buffer at USER_BUFFER and the kernel's copy of it. */
struct worker {
    unsigned id;
    uint32_t random;
    struct space *space;
    unsigned char *bytes; /* BUFFER of them */
    void (*work)(struct worker *worker);
    struct thread *thread;
};

static void note_error(void)
{
    atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
}

static uint32_t random_below(struct worker *worker, uint32_t limit)
{
    worker->random = worker->random * 1664525 + 1013904223; /* Numerical Recipes, 7.1 */
    return (worker->random >> 8) % limit;
}

/* Bring the program's buffer in: what the kernel's copy holds, or the other way about. */
static void to_user(struct worker *worker, size_t bytes)
{
    if (copy_to_user(USER_BUFFER, worker->bytes, bytes) != 0)
        note_error();
}

static void from_user(struct worker *worker, size_t bytes)
{
    if (copy_from_user(worker->bytes, USER_BUFFER, bytes) != 0)
        note_error();
}

/* All begin together. */
static void wait_for_all(void)
{
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < expected_ready)
        thread_yield();
}

static void enter_work(void *arg)
{
    struct worker *worker = arg;
    wait_for_all();
    thread_use_space(&worker->space->tlb);
    worker->work(worker);
    thread_use_space(&tlb_kernel);
}

static bool worker_start(struct worker *worker, unsigned id, void (*work)(struct worker *worker))
{
    *worker = (struct worker){.id = id, .random = id + 1, .work = work};
    worker->bytes = heap_alloc(BUFFER, ALLOC_USER);
    worker->space = space_create();
    if (worker->bytes == NULL || worker->space == NULL)
        return selftest_expect(false, "no memory for worker %u", id);
    if (selftest_expect(space_map(worker->space, USER_BUFFER, BUFFER, PROT_W) == 0,
                        "no pages for worker %u", id))
        worker->thread = thread_create("fs worker", enter_work, worker, NULL);
    return selftest_expect(worker->thread != NULL, "no thread for worker %u", id);
}

static void worker_end(struct worker *worker)
{
    if (worker->thread != NULL)
        thread_join(worker->thread);
    space_put(worker->space);
    heap_free(worker->bytes);
}

/* Run some functions at once, each in a worker of its own, and wait for them. */
static void run_at_once(void (*const *work)(struct worker *worker), unsigned count)
{
    static struct worker workers[WORKERS + 1];
    atomic_store(&errors, 0);
    atomic_store(&ready, 0);
    expected_ready = count;
    unsigned started = 0;
    while (started < count && worker_start(&workers[started], started, work[started]))
        started++;
    atomic_fetch_add(&ready, count - started); /* nobody waits for those that could not be made */
    for (unsigned i = 0; i < started; i++)
        worker_end(&workers[i]);
    selftest_expect(started == count && atomic_load(&errors) == 0,
                    "%u workers of %u ran, %lld mistakes seen", started, count,
                    (long long)atomic_load(&errors));
}

static void run_all(void (*work)(struct worker *worker))
{
    void (*const all[WORKERS])(struct worker *) = {work, work, work};
    run_at_once(all, WORKERS);
}

static struct file *open_file(const char *path, unsigned flags)
{
    struct file *file = NULL;
    int error = memfs_open(NULL, path, flags, 0644, &file);
    selftest_expect(error == 0, "%s: error %d", path, -error);
    return file;
}

static void begin(void)
{
    selftest_expect(memfs_init() == 0, "no file system");
    atomic_store(&entries, 0);
    atomic_store(&directories, 0);
    atomic_store(&closed_files, 0);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void count(_Atomic int64_t *number, int64_t change)
{
    atomic_fetch_add_explicit(number, change, memory_order_relaxed);
}

/* Was it one of the results that others at work may cause? */
static bool expected(int error)
{
    if (error != 0 && error != -ENOENT && error != -EEXIST && error != -EISDIR && error != -ENOTDIR)
        note_error();
    return error == 0;
}

static void one_name(struct worker *worker)
{
    char name[32], other[32];
    struct file *file;
    (void)snprintf(name, sizeof(name), "/crowd/%u", random_below(worker, NAMES));
    (void)snprintf(other, sizeof(other), "/crowd/%u", random_below(worker, NAMES));
    switch (random_below(worker, 6)) {
    case 0:
        if (expected(memfs_open(NULL, name, O_RDWR | O_CREAT | O_EXCL, 0600, &file))) {
            count(&entries, 1);
            file_put(file);
        }
        break;
    case 1:
        if (expected(memfs_mkdir(NULL, name, 0700))) {
            count(&entries, 1);
            count(&directories, 1);
        }
        break;
    case 2:
        if (expected(memfs_rmdir(NULL, name))) {
            count(&entries, -1);
            count(&directories, -1);
        }
        break;
    case 3:
        (void)expected(memfs_rename(NULL, name, NULL, other, true));
        break;
    default:
        if (expected(memfs_unlink(NULL, name)))
            count(&entries, -1);
        break;
    }
}

static void work_on_names(struct worker *worker)
{
    for (int i = 0; i < NAME_TURNS; i++) {
        one_name(worker);
        if (i % 16 == 0)
            thread_yield();
    }
}

/* How many names there are, and remove them. */
static int64_t remove_names(void)
{
    int64_t found = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "/crowd/%u", i);
        found += memfs_unlink(NULL, name) == 0 || memfs_rmdir(NULL, name) == 0 ? 1 : 0;
    }
    return found;
}

static void test_names(void)
{
    struct file_stat stat = {0};
    begin();
    selftest_expect(memfs_mkdir(NULL, "/crowd", 0755) == 0, "no directory");
    run_all(work_on_names);
    (void)memfs_stat(NULL, "/crowd", true, &stat);
    selftest_expect(stat.links == 2 + (uint64_t)atomic_load(&directories),
                    "%lld directories made and left, %u links",
                    (long long)atomic_load(&directories), stat.links);
    int64_t found = remove_names();
    selftest_expect(found == atomic_load(&entries), "%lld names made and left, %lld found",
                    (long long)atomic_load(&entries), (long long)found);
    int error = memfs_rmdir(NULL, "/crowd");
    selftest_expect(error == 0, "the empty directory: error %d", -error);
}
SELFTEST("fs-names", test_names);

/* ---- one file -------------------------------------------------------------------------------- */

/* A record tells who wrote it and as what number, in each of its bytes. */
static void fill_record(unsigned char *bytes, unsigned id, unsigned number)
{
    bytes[0] = (unsigned char)id;
    bytes[1] = (unsigned char)number;
    bytes[2] = (unsigned char)(number >> 8);
    for (unsigned i = 3; i < RECORD; i++)
        bytes[i] = (unsigned char)(id * 31 + number * 7 + i);
}

static bool record_is_whole(const unsigned char *bytes)
{
    unsigned char whole[RECORD];
    fill_record(whole, bytes[0], bytes[1] | (unsigned)bytes[2] << 8);
    return memcmp(bytes, whole, RECORD) == 0;
}

static void append_records(struct worker *worker)
{
    struct file *file;
    if (memfs_open(NULL, "/records", O_WRONLY | O_APPEND, 0, &file) != 0) {
        note_error();
        return;
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        fill_record(worker->bytes, worker->id, i);
        to_user(worker, RECORD);
        if (file_write(file, USER_BUFFER, RECORD) != RECORD)
            note_error();
        if (i % 8 == 0)
            thread_yield();
    }
    file_put(file);
}

/* All workers share one open file: together they get each record once. */
static void read_records(struct worker *worker)
{
    long size;
    while ((size = file_read(shared_file, USER_BUFFER, RECORD)) == RECORD) {
        from_user(worker, RECORD);
        if (!record_is_whole(worker->bytes))
            note_error();
        count(&entries, 1);
        thread_yield();
    }
    if (size != 0)
        note_error();
}

static void test_one_file(void)
{
    begin();
    shared_file = open_file("/records", O_RDWR | O_CREAT | O_EXCL);
    if (shared_file == NULL)
        return;
    run_all(append_records);
    run_all(read_records);
    selftest_expect(atomic_load(&entries) == (int64_t)WORKERS * RECORDS,
                    "%d records written, %lld read", WORKERS * RECORDS,
                    (long long)atomic_load(&entries));
    (void)memfs_unlink(NULL, "/records");
    file_put(shared_file);
}
SELFTEST("fs-one-file", test_one_file);

/* Fill the memory with one file: -ENOSPC and no worse, and all of it comes back. */
static void fill_memory(struct worker *worker)
{
    long size;
    (void)worker;
    while ((size = file_write(shared_file, USER_BUFFER, BUFFER)) > 0)
        count(&entries, size);
    if (size != -ENOSPC)
        note_error();
    if (file_truncate(shared_file, atomic_load(&entries) / 2) != 0)
        note_error();
    if (file_write(shared_file, USER_BUFFER, BUFFER) != BUFFER) /* there is room again */
        note_error();
}

static void test_fill(void)
{
    void (*const one[])(struct worker *) = {fill_memory};
    begin();
    uint64_t before = page_count_free();
    if (before > FILL_FRAMES_MAX) {
        selftest_skip("there is more memory than a test should fill");
        return;
    }
    shared_file = open_file("/all", O_RDWR | O_CREAT | O_APPEND);
    if (shared_file == NULL)
        return;
    run_at_once(one, 1);
    uint64_t written = (uint64_t)atomic_load(&entries) / PAGE_SIZE;
    selftest_expect(written > before / 2, "of %llu free frames only %llu could be written",
                    (unsigned long long)before, (unsigned long long)written);
    (void)memfs_unlink(NULL, "/all");
    file_put(shared_file);
    uint64_t after = page_count_free();
    selftest_expect(after + KEPT_FRAMES >= before, "%llu frames free before, %llu after",
                    (unsigned long long)before, (unsigned long long)after);
}
SELFTEST("fs-fill", test_fill);

/* ---- pipes ----------------------------------------------------------------------------------- */

static bool open_pipe(void)
{
    return selftest_expect(pipe_create(0, ends) == 0, "no pipe");
}

static void close_end(int i)
{
    file_put(ends[i]);
    ends[i] = NULL;
}

static uint64_t sums[2]; /* FNV-1a of what was written, and of what was read */

static void add_to_sum(uint64_t *sum, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *sum = (*sum ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void write_stream(struct worker *worker)
{
    size_t done = 0;
    while (done < PIPE_TRANSFER) {
        size_t size = 1 + random_below(worker, BUFFER);
        size = size < PIPE_TRANSFER - done ? size : PIPE_TRANSFER - done;
        for (size_t i = 0; i < size; i++)
            worker->bytes[i] = (unsigned char)((done + i) * 7 + (done + i) / 256);
        to_user(worker, size);
        add_to_sum(&sums[0], worker->bytes, size);
        if (file_write(ends[1], USER_BUFFER, size) != (long)size)
            note_error();
        done += size;
    }
    close_end(1);
}

static void read_stream(struct worker *worker)
{
    long size;
    while ((size = file_read(ends[0], USER_BUFFER, 1 + random_below(worker, BUFFER))) > 0) {
        from_user(worker, (size_t)size);
        add_to_sum(&sums[1], worker->bytes, (size_t)size);
        count(&entries, size);
    }
    if (size != 0)
        note_error();
    close_end(0);
}

static void test_pipe_stream(void)
{
    void (*const both[])(struct worker *) = {write_stream, read_stream};
    begin();
    if (!open_pipe())
        return;
    sums[0] = sums[1] = UINT64_C(0xcbf29ce484222325);
    run_at_once(both, 2);
    selftest_expect(atomic_load(&entries) == PIPE_TRANSFER && sums[0] == sums[1],
                    "%lld bytes read, sum %llx; written %d, sum %llx",
                    (long long)atomic_load(&entries), (unsigned long long)sums[1], PIPE_TRANSFER,
                    (unsigned long long)sums[0]);
}
SELFTEST("pipe-stream", test_pipe_stream);

/* Each block is of one length and one letter, and the letter says how long. */
static size_t block_length(unsigned char letter)
{
    return (size_t)letter * 16 + 1; /* up to 4081 */
}

static void write_blocks(struct worker *worker)
{
    for (int i = 0; i < BLOCKS; i++) {
        unsigned char letter = (unsigned char)(1 + random_below(worker, 255));
        memset(worker->bytes, letter, block_length(letter));
        to_user(worker, block_length(letter));
        if (file_write(ends[1], USER_BUFFER, block_length(letter)) != (long)block_length(letter))
            note_error();
    }
    if (atomic_fetch_add(&directories, 1) + 1 == WORKERS) /* the last one of them */
        close_end(1);
}

/* Read exactly so many bytes. Returns: false at the end. */
static bool read_exactly(struct worker *worker, size_t size)
{
    for (size_t done = 0; done < size;) {
        long part = file_read(ends[0], USER_BUFFER + done, size - done);
        if (part <= 0)
            return false;
        done += (size_t)part;
    }
    from_user(worker, size);
    return true;
}

static void read_blocks(struct worker *worker)
{
    while (read_exactly(worker, 1)) {
        unsigned char letter = worker->bytes[0];
        size_t rest = block_length(letter) - 1;
        if (letter == 0 || (rest > 0 && !read_exactly(worker, rest))) {
            note_error();
            break;
        }
        for (size_t i = 0; i < rest; i++) {
            if (worker->bytes[i] != letter) {
                note_error();
                break;
            }
        }
        count(&entries, 1);
    }
    close_end(0);
}

static void test_pipe_blocks(void)
{
    void (*const all[WORKERS + 1])(struct worker *) = {write_blocks, write_blocks, write_blocks,
                                                       read_blocks};
    begin();
    if (!open_pipe())
        return;
    run_at_once(all, WORKERS + 1);
    selftest_expect(atomic_load(&entries) == (int64_t)WORKERS * BLOCKS,
                    "%d blocks written, %lld read whole", WORKERS * BLOCKS,
                    (long long)atomic_load(&entries));
}
SELFTEST("pipe-blocks", test_pipe_blocks);

/* One waits at the empty or full pipe, the other one closes its end: whoever comes first, the one
 * that waits hears of it. */
static void wait_for_the_end(struct worker *worker)
{
    (void)worker;
    if (file_read(ends[0], USER_BUFFER, BUFFER) != 0)
        note_error();
}

static void wait_for_the_break(struct worker *worker)
{
    long size = 1;
    (void)worker;
    while (size > 0)
        size = file_write(ends[1], USER_BUFFER, BUFFER);
    if (size != -EPIPE)
        note_error();
}

static void close_writer(struct worker *worker)
{
    (void)worker;
    file_put(file_get(ends[1])); /* not the last one yet */
    close_end(1);
}

static void close_reader(struct worker *worker)
{
    (void)worker;
    if (random_below(worker, 2) == 0)
        thread_yield();
    close_end(0);
}

static void test_pipe_ends(void)
{
    void (*const at_end[])(struct worker *) = {wait_for_the_end, close_writer};
    void (*const broken[])(struct worker *) = {close_reader, wait_for_the_break};
    begin();
    for (int i = 0; i < END_ROUNDS; i++) {
        if (!open_pipe())
            return;
        run_at_once(i % 2 == 0 ? at_end : broken, 2);
        close_end(i % 2);
    }
}
SELFTEST("pipe-ends", test_pipe_ends);

/* ---- descriptors ----------------------------------------------------------------------------- */

static void count_closed(struct file *file)
{
    (void)file;
    count(&closed_files, 1);
}

static const struct file_ops counted_ops = {.release = count_closed};

static void work_on_table(struct worker *worker)
{
    for (int i = 0; i < FD_TURNS; i++) {
        int from = (int)random_below(worker, NAMES), to = (int)random_below(worker, NAMES);
        struct file *file = file_create(&counted_ops, NULL, O_RDWR);
        if (file == NULL) {
            note_error();
            continue;
        }
        count(&entries, 1);
        int fd = fd_install(table, file, false);
        if (fd < 0)
            note_error();
        (void)fd_dup2(table, from, to);
        (void)fd_dup(table, from, 0, false);
        if (fd_get(table, to, &file) == 0)
            file_put(file);
        for (int k = 0; k < 3; k++)
            (void)fd_close(table, (int)random_below(worker, 2 * NAMES));
        if (i % 16 == 0)
            fd_close_all(table);
    }
}

static void test_descriptors(void)
{
    begin();
    table = fd_table_create();
    if (!selftest_expect(table != NULL, "no table"))
        return;
    run_all(work_on_table);
    fd_table_put(table);
    selftest_expect(atomic_load(&closed_files) == atomic_load(&entries),
                    "%lld files opened, %lld closed", (long long)atomic_load(&entries),
                    (long long)atomic_load(&closed_files));
}
SELFTEST("fd-table", test_descriptors);

/* ---- memory ---------------------------------------------------------------------------------- */

/* Most of the above some times more, and nothing is lost. Slabs and stacks that are kept are there
 * now. */
static void test_nothing_is_lost(void)
{
    uint64_t before = page_count_free();
    for (int i = 0; i < LOSS_ROUNDS; i++) { /* what one round loses may hide among the slabs */
        test_names();
        test_one_file();
        test_pipe_stream();
        test_descriptors();
    }
    uint64_t after = page_count_free();
    selftest_expect(after + KEPT_FRAMES >= before, "%llu frames free before, %llu after",
                    (unsigned long long)before, (unsigned long long)after);
}
SELFTEST("fs-nothing-lost", test_nothing_is_lost);
