// SPDX-License-Identifier: MIT
/* links: src/fs/memfs_unpack.c src/fs/tar.c src/fs/memfs.c src/fs/memfs_node.c */
/* links: src/fs/memfs_dir.c src/fs/memfs_walk.c src/fs/memfs_file.c src/fs/contents.c */
/* links: src/fs/procfs.c src/fs/procfs_tree.c */
/* links: src/fs/device.c src/fs/file.c src/lib/text.c tests/host/fake/panic.c */
/* links: tests/host/fake/memory.c tests/host/fake/threads.c tests/host/fake/user.c */
/* links: src/lib/wall_clock.c */
/*
 * Unpacking archives into the memory file system: what a path makes on its way, what an entry
 * replaces, what a damaged archive leaves.
 */
#include "fs/tar.h"
#include "memfs_words.h"

static int set_up(void **state)
{
    (void)state;
    return memfs_init();
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
    assert_int_equal(ino_of("/t/bin/ls"), ino_of("/t/bin/busybox"));
    assert_holds("/t/etc/motd", "welcome");
    assert_int_equal(stat_of("/t/bin").mode, S_IFDIR | 0640);
    assert_int_equal(stat_of("/t/etc").mode, S_IFDIR | 0755);
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
    assert_int_equal(look_for("escape"), -ENOENT);
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
    fake_fail_after = 0;
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -ENOMEM);
    assert_int_equal(report.files, 0);
    fake_fail_after = 1 + 5 + 4; /* the cursor; o/one with its directory; a part of the second */
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), -ENOMEM);
    fake_fail_after = -1;
    assert_string_equal(report.error, "out of memory");
    assert_int_equal(report.error_offset, second);
    assert_int_equal(report.files, 1);
    assert_holds("o/one", "1");
    assert_int_equal(look_for("o/two"), -ENOENT);
}

/* An entry of each type fails at each of its allocations: what its path made is taken back. */
static void failures_leave_nothing(void **state)
{
    (void)state;
    static const char types[] = {'0', '1', '2', '5'};
    struct memfs_unpack_report report;
    put_file("existing", "x");
    for (size_t i = 0; i < sizeof(types); i++) {
        char path[64];
        snprintf(path, sizeof(path), "new%zu/a/b/last", i);
        archive_size = 0;
        add(types[i], path, "existing", types[i] == '0' ? "text" : "");
        finish();
        snprintf(path, sizeof(path), "new%zu", i);
        long before = fake_live;
        int n = 0;
        for (int error = -ENOMEM; error != 0; n++) {
            fake_fail_after = n;
            error = memfs_unpack_tar(archive, archive_size, &report);
            fake_fail_after = -1;
            if (error == 0)
                break;
            assert_int_equal(error, -ENOMEM);
            assert_int_equal(fake_live, before);
            assert_int_equal(look_for(path), -ENOENT);
            assert_int_equal(stat_of("existing").links, 1 + (i > 1));
        }
        assert_true(n >= 1 + 6 + 1);
        assert_int_equal(look_for(path), 0);
    }
}

/* Through links and beside what is there: as unpacking on a disc would do. */
static void the_last_wins(void **state)
{
    (void)state;
    struct memfs_unpack_report report;
    archive_size = 0;
    add('5', "l/usr/bin", "", "");
    add('2', "l/bin", "usr/bin", "");
    add('0', "l/bin/sh", "", "through the link");
    add('2', "l/usr/x", "nowhere", "");
    add('0', "l/usr/x", "", "the link itself is replaced");
    add('0', "l/usr/y", "", "first");
    add('1', "l/usr/z", "l/usr/y", "");
    add('0', "l/usr/y", "", "second");
    add('0', "l/usr/d", "", "a file");
    add('5', "l/usr/d", "", "");
    add('0', "l/usr/d/in", "", "inside");
    add('2', "l/later", "not/yet", "");
    add('0', "l/later/file", "", "made where the link points");
    finish();
    assert_int_equal(memfs_unpack_tar(archive, archive_size, &report), 0);
    assert_int_equal(report.skipped, 0);
    assert_holds("l/usr/bin/sh", "through the link");
    assert_holds("l/usr/x", "the link itself is replaced");
    assert_int_equal(look_for("l/usr/nowhere"), -ENOENT);
    assert_holds("l/usr/y", "second");
    assert_holds("l/usr/z", "first");
    assert_int_equal(stat_of("l/usr/z").links, 1);
    assert_holds("l/usr/d/in", "inside");
    assert_holds("l/not/yet/file", "made where the link points");
    assert_int_equal(stat_of("l/usr").links, 2 + 2);
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
        cmocka_unit_test(unpacks_an_archive),     cmocka_unit_test(reports_what_it_skipped),
        cmocka_unit_test(damaged_archives),       cmocka_unit_test(out_of_memory_ends_it),
        cmocka_unit_test(failures_leave_nothing), cmocka_unit_test(the_last_wins),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
