// SPDX-License-Identifier: MIT
/* links: src/fs/memfs.c src/fs/memfs_node.c src/fs/memfs_dir.c src/fs/memfs_walk.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/memfs_file.c src/fs/contents.c src/fs/device.c src/fs/file.c */
/* links: tests/host/fake/memory.c tests/host/fake/threads.c tests/host/fake/user.c */
/* links: src/lib/text.c src/lib/wall_clock.c tests/host/fake/panic.c */
/*
 * /proc: texts that change while they are read, and directories for numbers that come and go, also
 * while a path goes through them and while no memory is left. ASan sees what was freed too early.
 */
#include "fs/procfs.h"
#include "memfs_words.h"

enum { NUMBERS = 300 };

static uint64_t marks[NUMBERS]; /* what stands behind each number; 0: nothing */
static unsigned shown;          /* how often a text was made */
static int show_error;
static char taken[64]; /* what was written */
static int write_error;
static char link_target[64] = "answer";
static long live_before;

static void fill(struct procfs_text *text, size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        procfs_printf(text, "%u: line %6zu\n", shown, i);
}

static int show_long(struct procfs_text *text, void *data)
{
    shown++;
    fill(text, (size_t)(uintptr_t)data);
    return show_error;
}

static int take(void *data, const char *text, size_t len)
{
    (void)data;
    memcpy(taken, text, len + 1 < sizeof(taken) ? len + 1 : sizeof(taken));
    return write_error;
}

static uint64_t mark_while_shown; /* not 0: the number becomes another one's in the midst of it */

static int show_number(struct procfs_text *text, void *data)
{
    procfs_printf(text, "%u\n", procfs_number(data));
    if (mark_while_shown != 0)
        marks[procfs_number(data)] = mark_while_shown;
    mark_while_shown = 0;
    return 0;
}

static void target(void *data, char *buf, size_t size)
{
    (void)data;
    snprintf(buf, size, "%s", link_target);
}

static uint64_t mark_of(uint32_t number)
{
    return number < NUMBERS ? marks[number] : 0;
}

static unsigned asked; /* how often it was */

static uint32_t next_number(uint32_t from)
{
    asked++;
    while (from < NUMBERS && marks[from] == 0)
        from++;
    return from < NUMBERS ? from : PROCFS_NO_NUMBER;
}

static const struct procfs_ops long_ops = {.show = show_long};
static const struct procfs_ops both_ops = {.show = show_long, .write = take};
static const struct procfs_ops write_ops = {.write = take};
static const struct procfs_ops number_ops = {.show = show_number};
static const struct procfs_entry entries[] = {
    {.name = "number", .ops = &number_ops}, {.name = "back", .target = target}, {0}};
static const struct procfs_numbers numbers = {
    .mark = mark_of, .next = next_number, .entries = entries};

static int set_up(void **state)
{
    (void)state;
    int error = memfs_init();
    if (error == 0)
        error = procfs_create("early", &long_ops, NULL) != -ENOENT;
    if (error == 0) /* the archive may have brought this */
        error = memfs_symlink("/", NULL, "/proc");
    if (error == 0)
        error = procfs_init() != -ENOTDIR;
    if (error == 0)
        error = memfs_unlink(NULL, "/proc");
    if (error == 0)
        error = procfs_init();
    if (error == 0)
        error = procfs_create("answer", &both_ops, (void *)(uintptr_t)1);
    if (error == 0)
        error = procfs_create("long", &long_ops, (void *)(uintptr_t)3000);
    if (error == 0)
        error = procfs_create("a/b/deaf", &write_ops, NULL);
    if (error == 0)
        error = procfs_create_link("me", target, NULL);
    if (error == 0)
        error = procfs_create_numbers("", &numbers);
    live_before = fake_live;
    return error;
}

/* Each test leaves no number. */
static int leave_nothing(void **state)
{
    (void)state;
    memset(marks, 0, sizeof(marks));
    fake_fail_after = -1;
    fake_bad_page = 0;
    char buf[512];
    struct file *dir = open_file("/proc", O_RDONLY);
    while (file_getdents(dir, user(buf), sizeof(buf)) > 0)
        continue;
    file_put(dir);
    if (fake_live != live_before)
        fprintf(stderr, "%ld allocations in use\n", fake_live - live_before);
    return fake_live != live_before || fake_locks != 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void a_text_stays_until_the_start(void **state)
{
    (void)state;
    char a[20], b[20], again[20];
    struct file *file = open_file("/proc/long", O_RDONLY);
    unsigned before = shown;
    assert_int_equal(file_read(file, user(a), sizeof(a)), sizeof(a));
    assert_int_equal(file_read(file, user(b), sizeof(b)), sizeof(b));
    assert_int_equal(file_pread(file, user(again), sizeof(again), 20), sizeof(again));
    assert_memory_equal(b, again, sizeof(b));
    assert_int_equal(shown, before + 1);
    assert_int_equal(file_read(file, user(b), 0), 0);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_START), 0);
    assert_int_equal(shown, before + 1);
    assert_int_equal(file_read(file, user(b), sizeof(b)), sizeof(b));
    assert_int_equal(shown, before + 2);
    file_put(file);
}

static void a_long_text(void **state)
{
    (void)state;
    char line[64], expected[64];
    struct file *file = open_file("/proc/long", O_RDONLY);
    int length = snprintf(expected, sizeof(expected), "%u: line %6d\n", shown + 1, 0);
    for (int i = 0; i < 3000; i++) {
        snprintf(expected, sizeof(expected), "%u: line %6d\n", shown + (i == 0), i);
        assert_int_equal(file_read(file, user(line), (size_t)length), length);
        assert_memory_equal(line, expected, (size_t)length);
    }
    assert_int_equal(file_read(file, user(line), sizeof(line)), 0);
    assert_int_equal(file_seek(file, 0, SEEK_FROM_END), -EINVAL);
    assert_int_equal(file_seek(file, -1, SEEK_FROM_START), -EINVAL);
    assert_int_equal(file_seek(file, INT64_MAX, SEEK_FROM_START), INT64_MAX);
    assert_int_equal(file_read(file, user(line), 0), 0);
    file_put(file);
    assert_int_equal(stat_of("/proc/long").size, 0);
    assert_int_equal(stat_of("/proc/long").mode, S_IFREG | 0444);
}

static void texts_that_fail(void **state)
{
    (void)state;
    char buf[64];
    struct file *file = open_file("/proc/long", O_RDONLY);
    show_error = -ESRCH;
    assert_int_equal(file_read(file, user(buf), sizeof(buf)), -ESRCH);
    show_error = 0;
    for (long n = 0; n < 10; n++) {
        fake_fail_after = n;
        assert_int_equal(file_read(file, user(buf), sizeof(buf)), -ENOMEM);
        fake_fail_after = -1;
    }
    assert_int_equal(file_pread(file, user(buf), sizeof(buf), 5), sizeof(buf));
    file_put(file);
    assert_int_equal(try_open("/proc/long", O_RDONLY), 0);
    for (long n = 0; n < 3; n++) {
        fake_fail_after = n;
        assert_int_equal(try_open("/proc/long", O_RDONLY), -ENOMEM);
        fake_fail_after = -1;
    }
}

static void writing(void **state)
{
    (void)state;
    static char text[PROCFS_WRITE_MAX + 1];
    struct file *file = open_file("/proc/answer", O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
    assert_int_equal(file_write(file, user("42\n"), 3), 3);
    assert_string_equal(taken, "42\n");
    write_error = -EINVAL;
    assert_int_equal(file_write(file, user("no"), 2), -EINVAL);
    write_error = 0;
    assert_int_equal(file_write(file, user(text), PROCFS_WRITE_MAX), PROCFS_WRITE_MAX);
    assert_int_equal(file_write(file, user(text), PROCFS_WRITE_MAX + 1), -EINVAL);
    assert_int_equal(file_truncate(file, 7), 0);
    file_put(file);
    file = open_file("/proc/long", O_RDWR);
    assert_int_equal(file_write(file, user("1"), 1), -EIO);
    file_put(file);
    file = open_file("/proc/a/b/deaf", O_RDWR);
    assert_int_equal(file_read(file, user(text), 1), -EIO);
    file_put(file);
    assert_int_equal(memfs_truncate(NULL, "/proc/long", 3), 0);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void nobody_changes_names(void **state)
{
    (void)state;
    put_file("/outside", "x");
    marks[7] = 1;
    static const char *const fresh[] = {"/proc/new", "/proc/a/new", "/proc/7/new"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(memfs_mkdir(NULL, fresh[i], 0755), -ENOENT);
        assert_int_equal(memfs_symlink("x", NULL, fresh[i]), -ENOENT);
        assert_int_equal(try_open(fresh[i], O_WRONLY | O_CREAT), -ENOENT);
        assert_int_equal(memfs_link(NULL, "/outside", false, NULL, fresh[i]), -ENOENT);
        assert_int_equal(memfs_rename(NULL, "/outside", NULL, fresh[i], false), -EXDEV);
        assert_int_equal(memfs_rename(NULL, "/proc/long", NULL, fresh[i], false), -ENOENT);
    }
    assert_int_equal(memfs_mkdir(NULL, "/proc/7", 0755), -EEXIST);
    assert_int_equal(memfs_unlink(NULL, "/proc/long"), -EPERM);
    assert_int_equal(memfs_unlink(NULL, "/proc/me"), -EPERM);
    assert_int_equal(memfs_unlink(NULL, "/proc/7/number"), -EPERM);
    assert_int_equal(memfs_rmdir(NULL, "/proc/a"), -EPERM);
    assert_int_equal(memfs_rmdir(NULL, "/proc/7"), -EPERM);
    assert_int_equal(memfs_rmdir(NULL, "/proc/me"), -ENOTDIR);
    assert_int_equal(memfs_rmdir(NULL, "/proc"), -EBUSY);
    assert_int_equal(memfs_rename(NULL, "/proc", NULL, "/corp", false), -EBUSY);
    assert_int_equal(memfs_rename(NULL, "/proc/long", NULL, "/long", false), -EXDEV);
    assert_int_equal(memfs_rename(NULL, "/proc/long", NULL, "/proc/answer", false), -EPERM);
    assert_int_equal(memfs_link(NULL, "/proc/long", false, NULL, "/long"), -EXDEV);
    assert_int_equal(memfs_unlink(NULL, "/outside"), 0);
    assert_int_equal(procfs_create("long", &long_ops, NULL), -EEXIST);
    assert_int_equal(procfs_create("long/x", &long_ops, NULL), -ENOTDIR);
    assert_int_equal(procfs_create_numbers("", &numbers), -EEXIST);
}

static void links_follow_the_time(void **state)
{
    (void)state;
    char buf[64];
    assert_int_equal(memfs_readlink(NULL, "/proc/me", buf, sizeof(buf)), 6);
    uint64_t ino = ino_of("/proc/answer");
    assert_int_equal(ino_of("/proc/me"), ino);
    snprintf(link_target, sizeof(link_target), "long");
    assert_int_equal(ino_of("/proc/me"), ino_of("/proc/long"));
    for (long n = 0; n < 5; n++) {
        snprintf(link_target, sizeof(link_target), "a%ld", n);
        fake_fail_after = n;
        int error = look_for("/proc/me");
        fake_fail_after = -1;
        assert_int_equal(error, n < 3 ? -ENOMEM : -ENOENT); /* node, text, what it is in /proc */
    }
    snprintf(link_target, sizeof(link_target), "answer");
    assert_int_equal(ino_of("/proc/me"), ino);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void numbers_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(look_for("/proc/12"), -ENOENT);
    marks[12] = 1;
    assert_holds("/proc/12/number", "12\n");
    uint64_t ino = ino_of("/proc/12");
    assert_int_equal(ino_of("/proc/12/../12/."), ino);
    assert_int_equal(stat_of("/proc/12").mode, S_IFDIR | 0555);
    static const char *const names[] = {"/proc/012",
                                        "/proc/+12",
                                        "/proc/12x",
                                        "/proc/0x12",
                                        "/proc/4294967308",
                                        "/proc/4294967295",
                                        "/proc/"
                                        "18446744073709551628"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(look_for(names[i]), -ENOENT);
    marks[12] = 0;
    assert_int_equal(look_for("/proc/12/number"), -ENOENT);
    marks[12] = 2;
    assert_holds("/proc/12/number", "12\n");
}

static void what_ends_while_it_is_shown_is_not(void **state)
{
    (void)state;
    char buf[16];
    marks[5] = 1;
    struct file *file = open_file("/proc/5/number", O_RDONLY);
    mark_while_shown = 2;
    assert_int_equal(file_read(file, user(buf), sizeof(buf)), -ESRCH);
    file_put(file);
}

static void what_was_opened_does_not_become_the_next(void **state)
{
    (void)state;
    char buf[16];
    marks[5] = 1;
    struct memfs_node *inside = dir_node("/proc/5");
    struct file *file = open_file("/proc/5/number", O_RDONLY);
    assert_int_equal(file_read(file, user(buf), 1), 1);
    marks[5] = 2; /* used again; nobody has looked yet */
    assert_int_equal(file_read(file, user(buf), sizeof(buf)), 1);
    assert_int_equal(file_pread(file, user(buf), sizeof(buf), 0), -ESRCH);
    assert_holds("/proc/5/number", "5\n");
    assert_int_equal(file_pread(file, user(buf), sizeof(buf), 0), -ESRCH);
    struct file_stat stat;
    assert_int_equal(memfs_stat(inside, "number", true, &stat), -ENOENT);
    assert_int_equal(memfs_stat(inside, "../5/number", true, &stat), 0);
    assert_int_equal(memfs_get_path(inside, buf, sizeof(buf)), -ENOENT);
    file_put(file);
    memfs_node_put(inside);
}

/* The walk stands in /proc/9 when it takes /proc/9 away: through the link in it, whose text is
 * still to be read, and through "..". */
static uint64_t marks_of_a_walk(uint32_t number)
{
    return number == 9 && marks[9] != 0 ? marks[9]++ : mark_of(number);
}

static void a_walk_outlives_what_it_takes_away(void **state)
{
    (void)state;
    static const struct procfs_numbers fleeting = {
        .mark = marks_of_a_walk, .next = next_number, .entries = entries};
    static bool made;
    if (!made)
        assert_int_equal(procfs_create_numbers("fleeting", &fleeting), 0);
    made = true;
    marks[9] = 1;
    snprintf(link_target, sizeof(link_target), "../9/../9/../../answer");
    assert_int_equal(look_for("/proc/fleeting/9/back"), 0);
    assert_int_equal(look_for("/proc/fleeting/9/../9/../9/back"), 0);
    /* the look for the new name takes the entry of the old one away */
    assert_int_equal(memfs_rename(NULL, "/proc/fleeting/9", NULL, "/proc/fleeting/9", false),
                     -EPERM);
    assert_int_equal(memfs_rename(NULL, "/proc/fleeting/9", NULL, "/proc/fleeting/8", false),
                     -ENOENT);
    snprintf(link_target, sizeof(link_target), "answer");
    marks[9] = 0;
    assert_int_equal(look_for("/proc/fleeting/9"), -ENOENT);
    live_before = fake_live; /* the directory "fleeting" stays */
}

static void ended_ones_stay_few(void **state)
{
    (void)state;
    char path[32];
    long most = 0;
    for (unsigned i = 0; i < 10 * NUMBERS; i++) {
        marks[i % NUMBERS] = i + 1;
        snprintf(path, sizeof(path), "/proc/%u/number", i % NUMBERS);
        assert_int_equal(look_for(path), 0);
        marks[i % NUMBERS] = 0;
        most = fake_live - live_before > most ? fake_live - live_before : most;
    }
    /* 64 of them: a directory, a file, a link with its text, with a name and a record each */
    assert_in_range(most, 1, 64 * 10 + 10);
}

static unsigned count_numbers(void)
{
    _Alignas(8) char buf[256];
    unsigned count = 0;
    long bytes;
    struct file *dir = open_file("/proc", O_RDONLY);
    while ((bytes = file_getdents(dir, user(buf), sizeof(buf))) > 0) {
        for (long at = 0; at < bytes; at += *(uint16_t *)(buf + at + 16))
            count += buf[at + 19] >= '0' && buf[at + 19] <= '9';
    }
    assert_int_equal(bytes, 0);
    file_put(dir);
    return count;
}

static void listings(void **state)
{
    (void)state;
    assert_int_equal(count_numbers(), 0);
    for (unsigned i = 0; i < NUMBERS; i += 3)
        marks[i] = 1;
    asked = 0;
    assert_int_equal(count_numbers(), NUMBERS / 3);
    assert_int_equal(asked, NUMBERS / 3 + 1); /* once, though the listing comes in many pieces */
    assert_int_equal(stat_of("/proc").links, 2 + 2 + NUMBERS / 3); /* a and fleeting */
    for (unsigned i = 0; i < NUMBERS; i += 6)
        marks[i] = 0;
    assert_int_equal(count_numbers(), NUMBERS / 6);
}

static void without_memory(void **state)
{
    (void)state;
    marks[3] = marks[4] = 1;
    assert_int_equal(look_for("/proc/4"), 0);
    int error;
    long n = 0;
    do {
        fake_fail_after = n++;
        error = look_for("/proc/3/number");
        fake_fail_after = -1;
        assert_true(error == 0 || error == -ENOMEM);
    } while (error != 0);
    assert_in_range(n, 8, 30);
    assert_int_equal(count_numbers(), 2);
}

#define TEST(name) cmocka_unit_test_teardown(name, leave_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_stays_until_the_start),
        TEST(a_long_text),
        TEST(texts_that_fail),
        TEST(writing),
        TEST(nobody_changes_names),
        TEST(links_follow_the_time),
        TEST(numbers_come_and_go),
        TEST(what_ends_while_it_is_shown_is_not),
        TEST(what_was_opened_does_not_become_the_next),
        TEST(a_walk_outlives_what_it_takes_away),
        TEST(ended_ones_stay_few),
        TEST(listings),
        TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
