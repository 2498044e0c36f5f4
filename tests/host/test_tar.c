// SPDX-License-Identifier: MIT
/* links: src/fs/tar.c */
/* Tar archives: what tar writes in its formats, cut at every length, and what it never writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/tar.h"
#include "hostile.h"
#include "lib/errno.h"

/* ---- building archives ----------------------------------------------------------------------- */

static uint8_t archive[65536];
static size_t used;
static struct tar_cursor cursor;
static struct tar_entry entry;

static void seal(size_t header)
{
    unsigned sum = 0;
    memset(archive + header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += archive[header + i];
    snprintf((char *)archive + header + 148, 8, "%06o", sum);
}

static void begin(void)
{
    memset(archive, 0, sizeof(archive));
    used = 0;
}

/* A header; the fields behind `type` are set by the caller, who seals it again. */
static size_t put_header(const char *name, char type, size_t size)
{
    size_t header = used;
    char *h = (char *)archive + header;
    memcpy(h, name, strnlen(name, 100));
    strcpy(h + 100, "0000644");
    strcpy(h + 108, "0000000");
    strcpy(h + 116, "0000000");
    snprintf(h + 124, 12, "%011zo", size);
    strcpy(h + 136, "00000000000");
    h[156] = type;
    memcpy(h + 257, "ustar\00000", 8);
    used += 512;
    seal(header);
    return header;
}

static size_t put_file(const char *name, char type, const void *data, size_t size)
{
    size_t header = put_header(name, type, size);
    memcpy(archive + used, data, size);
    used += (size + 511) / 512 * 512;
    return header;
}

static size_t put_link(const char *name, char type, const char *target)
{
    size_t header = put_header(name, type, 0);
    memcpy(archive + header + 157, target, strnlen(target, 100));
    seal(header);
    return header;
}

static void finish(void)
{
    used += 1024; /* two blocks of zeros */
}

static void build_sample(void)
{
    char record[600], path[300];

    begin();
    put_header("./", '5', 0);
    put_header("./bin/", '5', 0);
    put_file("./bin/demo", '0', "machine code", 12);
    put_link("bin/sh", '2', "../bin/busybox");
    put_link("bin/again", '1', "./bin/demo");
    put_header("dev/console", '3', 0);
    put_file("empty", '0', "", 0);

    size_t header = put_file("name", '0', "prefixed", 8);
    strcpy((char *)archive + header + 345, "a/long/prefix");
    seal(header);

    memset(path, 'L', 299);
    path[299] = '\0';
    put_file("././@LongLink", 'L', path, 300);
    put_file("././@LongLink", 'K', "long target", 12);
    put_link("short", '2', "short target");

    memset(path, 'P', 200);
    path[200] = '\0';
    int length =
        snprintf(record, sizeof(record),
                 "19 comment=ignored\n210 path=%s\n20 linkpath=ignored\n10 size=5\n", path);
    put_file("PaxHeaders/x", 'x', record, (size_t)length);
    header = put_file("short", '0', "hello", 5);
    snprintf((char *)archive + header + 124, 12, "%011o", 0); /* the record has the size */
    seal(header);
    put_file("pax_global_header", 'g', "14 comment=abc\n", 15);
    put_file("last", '\0', "end", 3);
    finish();
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint8_t *copy;

static void open_copy(size_t length)
{
    free(copy);
    copy = exact_copy(archive, length);
    memset(&cursor, 0xa5, sizeof(cursor));
    tar_open(&cursor, copy, length);
}

static void close_copy(void)
{
    free(copy);
    copy = NULL;
}

static void assert_sane_entry(void)
{
    size_t length = strlen(entry.name);
    assert_in_range(length, 1, TAR_NAME_MAX - 1);
    assert_true(entry.name[0] != '/' && entry.name[length - 1] != '/');
    assert_null(strstr(entry.name, "//"));
    char padded[TAR_NAME_MAX + 2];
    snprintf(padded, sizeof(padded), "/%s/", entry.name);
    assert_null(strstr(padded, "/../"));
    assert_null(strstr(padded, "/./"));
    bool link = entry.type == TAR_HARD_LINK || entry.type == TAR_SYMLINK;
    assert_int_equal(link, entry.link[0] != '\0');
    assert_true(strlen(entry.link) < TAR_NAME_MAX);
    assert_true(entry.mode <= 07777);
    assert_true(entry.type == TAR_FILE || entry.size == 0);
    touch(entry.data, entry.size);
}

/* Read to the end. Returns: the last result; *entries and *errors count the others. */
static int read_all(int *entries, int *errors)
{
    int result;

    *entries = *errors = 0;
    while ((result = tar_next(&cursor, &entry)) != 0) {
        if (result > 0) {
            assert_int_equal(result, 1);
            assert_sane_entry();
            (*entries)++;
            continue;
        }
        assert_non_null(cursor.error);
        assert_true(cursor.error_offset <= cursor.size);
        assert_true(cursor.offset <= cursor.size);
        assert_int_equal(cursor.ended, result == -EINVAL);
        if (cursor.ended)
            break;
        (*errors)++;
    }
    /* the end stays the end */
    assert_int_equal(tar_next(&cursor, &entry), result);
    assert_int_equal(tar_next(&cursor, &entry), result);
    return result;
}

static void expect(enum tar_type type, const char *name, const char *link, const char *data)
{
    assert_int_equal(tar_next(&cursor, &entry), 1);
    assert_sane_entry();
    assert_int_equal(entry.type, type);
    assert_string_equal(entry.name, name);
    assert_string_equal(entry.link, link);
    assert_int_equal(entry.size, strlen(data));
    assert_memory_equal(entry.data, data, strlen(data));
}

static void expect_error(int error, const char *text, size_t offset)
{
    assert_int_equal(tar_next(&cursor, &entry), error);
    assert_string_equal(cursor.error, text);
    assert_int_equal(cursor.error_offset, offset);
}

static void test_sample(void **state)
{
    char path[300];

    (void)state;
    build_sample();
    open_copy(used);
    expect(TAR_DIRECTORY, "bin", "", "");
    expect(TAR_FILE, "bin/demo", "", "machine code");
    assert_int_equal(entry.mode, 0644);
    assert_int_equal(entry.offset, 1024);
    expect(TAR_SYMLINK, "bin/sh", "../bin/busybox", "");
    expect(TAR_HARD_LINK, "bin/again", "bin/demo", "");
    expect(TAR_OTHER, "dev/console", "", "");
    assert_int_equal(entry.type_flag, '3');
    expect(TAR_FILE, "empty", "", "");
    expect(TAR_FILE, "a/long/prefix/name", "", "prefixed");
    memset(path, 'L', 299);
    path[299] = '\0';
    expect(TAR_SYMLINK, path, "long target", "");
    memset(path, 'P', 200);
    path[200] = '\0';
    expect(TAR_FILE, path, "", "hello");
    expect(TAR_FILE, "last", "", "end"); /* the long names were for one entry each */
    assert_int_equal(tar_next(&cursor, &entry), 0);
    assert_false(tar_is_empty(&cursor));
    assert_null(cursor.error);
    close_copy();
}

static void test_full_fields(void **state)
{
    char name[101], prefix[156], both[300];

    (void)state;
    memset(name, 'n', 100);
    memset(prefix, 'p', 155);
    name[100] = prefix[155] = '\0';
    begin();
    size_t header = put_link(name, '2', name);
    memcpy(archive + header + 345, prefix, 155);
    seal(header);
    finish();
    open_copy(used);
    snprintf(both, sizeof(both), "%s/%s", prefix, name);
    expect(TAR_SYMLINK, both, name, "");

    /* GNU's magic: the prefix field holds other things; and an archive without any magic */
    memcpy(archive + 257, "ustar  ", 8);
    seal(0);
    open_copy(used);
    expect(TAR_SYMLINK, name, name, "");
    memset(archive + 257, 0, 8);
    seal(0);
    open_copy(used);
    expect(TAR_SYMLINK, name, name, "");
    close_copy();
}

static void test_ends(void **state)
{
    (void)state;
    tar_open(&cursor, NULL, 0);
    assert_int_equal(tar_next(&cursor, &entry), 0);
    assert_true(tar_is_empty(&cursor));

    begin();
    static const size_t empty[] = {512, 513, 1000, 1023, 1024, 10240};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        open_copy(empty[i]);
        assert_int_equal(tar_next(&cursor, &entry), 0);
        assert_true(tar_is_empty(&cursor));
    }
    open_copy(511);
    expect_error(-EINVAL, "cut short", 0);

    put_file("f", '0', "x", 1);
    open_copy(used);
    expect(TAR_FILE, "f", "", "x");
    expect_error(-EINVAL, "cut short", 1024);
    assert_false(tar_is_empty(&cursor));
    open_copy(used + 512); /* one block of zeros at the very end */
    expect(TAR_FILE, "f", "", "x");
    assert_int_equal(tar_next(&cursor, &entry), 0);
    used += 512;
    put_file("g", '0', "x", 1);
    finish();
    open_copy(used);
    expect(TAR_FILE, "f", "", "x");
    expect_error(-EINVAL, "lone block of zeros", 1024);

    /* what comes behind two blocks of zeros is not read */
    begin();
    finish();
    memset(archive + used, 0xff, 700);
    open_copy(used + 700);
    assert_int_equal(tar_next(&cursor, &entry), 0);
    close_copy();
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *result;
    } names[] = {
        {"/etc/passwd", "etc/passwd"},
        {"./././x", "x"},
        {"//a//b///c//", "a/b/c"},
        {"a/./b", "a/b"},
        {"..a/b..", "..a/b.."},
        {".../x", ".../x"},
        {"..", "name leaves the root"},
        {"../x", "name leaves the root"},
        {"a/../b", "name leaves the root"},
        {"a/..", "name leaves the root"},
        {"/..", "name leaves the root"},
        {"/", ""},
        {"./", ""},
        {".", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool error = strchr(names[i].result, ' ') != NULL;
        bool root = names[i].result[0] == '\0';
        begin();
        put_header(names[i].name, '5', 0);
        size_t second = put_header(root ? names[i].name : "x", root ? '6' : '5', 0);
        size_t third = put_link("hard", '1', names[i].name);
        put_file("after", '0', "x", 1);
        finish();
        open_copy(used);
        if (error)
            expect_error(-EPERM, names[i].result, 0);
        else if (!root)
            expect(TAR_DIRECTORY, names[i].result, "", "");
        if (root)
            expect_error(-ENOENT, "empty name", second); /* no directory: not the root's entry */
        else
            expect(TAR_DIRECTORY, "x", "", "");
        if (error)
            expect_error(-EPERM, names[i].result, third);
        else if (root)
            expect_error(-ENOENT, "empty name", third);
        else
            expect(TAR_HARD_LINK, "hard", names[i].result, "");
        expect(TAR_FILE, "after", "", "x");
        assert_int_equal(tar_next(&cursor, &entry), 0);
    }

    /* what was said about the root, which is passed over, is not said about the next entry */
    begin();
    put_file("L", 'L', "./", 3);
    put_header("x", '5', 0);
    put_file("f", '0', "x", 1);
    finish();
    open_copy(used);
    expect(TAR_FILE, "f", "", "x");

    begin();
    put_link("link", '2', "/../..//x/"); /* a symbolic link's target stays as it is */
    put_link("nowhere", '2', "");
    put_header("old/style/", '\0', 0);
    finish();
    open_copy(used);
    expect(TAR_SYMLINK, "link", "/../..//x/", "");
    expect_error(-ENOENT, "empty name", 512);
    expect(TAR_DIRECTORY, "old/style", "", "");
    close_copy();
}

static void test_long_names(void **state)
{
    static char name[TAR_NAME_MAX + 1], record[TAR_NAME_MAX + 100];

    (void)state;
    for (size_t length = TAR_NAME_MAX - 2; length <= TAR_NAME_MAX; length++) {
        memset(name, 'n', length);
        name[length] = '\0';
        begin();
        put_file("L", 'L', name, length + 1);
        put_file("n", '0', "x", 1);
        put_file("L", 'L', name, length); /* without its terminator */
        put_file("n", '0', "x", 1);
        put_file("K", 'K', name, length + 1);
        put_link("n", '2', "x");
        int size = snprintf(record, sizeof(record), "%zu path=%s\n", length + 11, name);
        put_file("x", 'x', record, (size_t)size);
        put_file("n", '0', "x", 1);
        put_file("after", '0', "x", 1);
        finish();
        open_copy(used);
        for (int i = 0; i < 4; i++) {
            if (length < TAR_NAME_MAX) {
                assert_int_equal(tar_next(&cursor, &entry), 1);
                assert_int_equal(strlen(i == 2 ? entry.link : entry.name), length);
            } else {
                assert_int_equal(tar_next(&cursor, &entry), -ENAMETOOLONG);
                assert_string_equal(cursor.error, "name too long");
            }
        }
        expect(TAR_FILE, "after", "", "x");
    }
    close_copy();
}

static void test_pax_records(void **state)
{
    static const struct {
        const char *records, *name;
    } cases[] = {
        {"", "short"},
        {"11 path=abc\n", NULL}, /* one too few */
        {"12 path=abc\n", "abc"},
        {"13 path=abc\n", NULL},
        {"12 path=abc\n12 path=xyz\n", "xyz"},
        {"12 path=abc\n8 path=\n", "short"}, /* an empty value takes the record back */
        {"8 size=\n", "short"},
        {"12 path=a=b\n", "a=b"},
        {"9 pathabc\n", NULL},
        {"x path=abc\n", NULL},
        {"path=abc\n", NULL},
        {" path=abc\n", NULL},
        {"0 path=abc\n", NULL},
        {"12 path=abc\n0 x=y\n", NULL},
        {"-12 path=abc\n", NULL},
        {"99999999999999999999999999 path=abc\n", NULL},
        {"18446744073709551615 path=abc\n", NULL},
        {"12 path=abc", NULL},
        {"12 path=abc\n1", NULL},
        {"10 size=x\n", NULL},
        {"11 size=-1\n", NULL},
        {"30 size=99999999999999999999\n", NULL},
        {"4 =\n", "short"},
        {"3 \n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        put_file("x", 'x', cases[i].records, strlen(cases[i].records));
        put_file("short", '0', "", 0);
        finish();
        open_copy(used);
        if (cases[i].name != NULL)
            expect(TAR_FILE, cases[i].name, "", "");
        else
            expect_error(-EINVAL, "bad extended header", 0);
    }

    begin();
    put_file("x", 'x', "12 path=a\0c\n", 12);
    put_file("short", '0', "", 0);
    finish();
    open_copy(used);
    expect_error(-EINVAL, "bad extended header", 0);
    close_copy();
}

/* The bytes of a 12-byte size field, and what comes of them with 1 KiB of contents there. */
static void test_sizes(void **state)
{
    static const struct {
        char field[13];
        const char *error; /* NULL: fine */
        size_t size;
    } cases[] = {
        {"00000000010", NULL, 8},
        {"        10 ", NULL, 8},
        {"10", NULL, 8},
        {"000000000010", NULL, 8}, /* all twelve bytes, no terminator */
        {"", NULL, 0},
        {"10 garbage", NULL, 8},
        {"0000000001x", "bad number", 0},
        {"00000000018", "bad number", 0},
        {"-1", "bad number", 0},
        {"\x80\0\0\0\0\0\0\0\0\0\0\x0a", NULL, 10},
        {"\x80\0\0\0\0\0\0\0\0\0\x04\0", NULL, 1024},
        {"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "cut short", 0},
        {"\x80\0\0\x01\0\0\0\0\0\0\0\0", "bad number", 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "bad number", 0},
        {"77777777777", "cut short", 0},
        {"777777777777", "cut short", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        put_header("f", '0', 0);
        memcpy(archive + 124, cases[i].field, 12);
        seal(0);
        memset(archive + used, 'd', cases[i].size);
        used += (cases[i].size + 511) / 512 * 512;
        finish();
        open_copy(used);
        if (cases[i].error != NULL) {
            expect_error(-EINVAL, cases[i].error, 0);
            continue;
        }
        assert_int_equal(tar_next(&cursor, &entry), 1);
        assert_int_equal(entry.size, cases[i].size);
        touch(entry.data, entry.size);
        assert_int_equal(tar_next(&cursor, &entry), 0);
    }

    /* a size where there are no contents means nothing; a wild mode does */
    begin();
    size_t header = put_link("l", '2', "x");
    memcpy(archive + header + 124, "77777777777", 12);
    seal(header);
    header = put_header("m", '0', 0);
    memcpy(archive + header + 100, "x000644", 8);
    seal(header);
    finish();
    open_copy(used);
    expect(TAR_SYMLINK, "l", "x", "");
    expect_error(-EINVAL, "bad number", 512);
    close_copy();
}

static void test_checksums(void **state)
{
    (void)state;
    begin();
    put_header("f\xff\xfe", '0', 0);
    finish();
    open_copy(used);
    expect(TAR_FILE, "f\xff\xfe", "", "");

    /* the sum of signed bytes, as some old writers took it */
    int sum = 0;
    memset(archive + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (int8_t)archive[i];
    snprintf((char *)archive + 148, 8, "%06o", (unsigned)sum);
    open_copy(used);
    expect(TAR_FILE, "f\xff\xfe", "", "");

    for (size_t i = 0; i < 512; i++) {
        begin();
        put_header("f", '0', 0);
        archive[i] ^= 0x15;
        finish();
        open_copy(used);
        if (i >= 154 && i < 156) /* the end of the checksum's own field */
            continue;
        expect_error(-EINVAL, "bad checksum", 0);
    }
    close_copy();
}

static void test_every_length(void **state)
{
    int entries, errors;

    (void)state;
    build_sample();
    open_copy(used);
    assert_int_equal(read_all(&entries, &errors), 0);
    assert_int_equal(entries, 10);
    int before = 0;
    for (size_t length = 1; length < used; length++) {
        open_copy(length);
        int result = read_all(&entries, &errors);
        assert_int_equal(errors, 0);
        assert_true(entries >= before);
        before = entries;
        if (length < used - 512)
            assert_int_equal(result, -EINVAL);
        else
            assert_int_equal(result, 0);
        if (result != 0)
            assert_string_equal(cursor.error, "cut short");
    }
    assert_int_equal(before, 10);
    close_copy();
}

static void test_random_damage(void **state)
{
    static uint8_t sample[sizeof(archive)];
    uint64_t seed = 7;
    int entries, errors;

    (void)state;
    build_sample();
    memcpy(sample, archive, sizeof(sample));
    for (int round = 0; round < 30000; round++) {
        memcpy(archive, sample, used);
        size_t at = random_below(&seed, (uint32_t)(used / 512)) * 512;
        damage(archive + at, round % 2 == 0 ? 300 : 512, &seed);
        /* with right checksums the damage reaches further */
        if (round % 4 != 0 && archive[at + 257] == 'u')
            seal(at);
        open_copy(round % 5 == 0 ? random_below(&seed, (uint32_t)used) : used);
        read_all(&entries, &errors);
        assert_true(entries + errors < 64);
    }
    close_copy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),       cmocka_unit_test(test_full_fields),
        cmocka_unit_test(test_ends),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),   cmocka_unit_test(test_pax_records),
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_every_length), cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
