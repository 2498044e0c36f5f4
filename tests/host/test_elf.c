// SPDX-License-Identifier: MIT
/* links: src/proc/elf.c src/lib/text.c */
/* ELF programs: one that is right, and every way in which one can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <elf.h>

#include <cmocka.h>

#include "hostile.h"
#include "lib/errno.h"
#include "proc/elf.h"

enum {
    FILE_BYTES = 0x2200,
    TEXT = 0, /* the program headers' indices */
    DATA = 1,
    STACK = 2,
};

/* A file as a linker lays it out; the tests spoil a field and look at the answer. */
static struct sample {
    Elf64_Ehdr header;
    Elf64_Phdr phdr[3];
    uint8_t rest[FILE_BYTES - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
} sample;

static struct elf_image image;
static const char *why;

static void build_sample(void)
{
    memset(&sample, 0x90, sizeof(sample));
    sample.header = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_GNU},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = 0x400100,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 3,
    };
    sample.phdr[TEXT] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_X,
                                     .p_offset = 0,
                                     .p_vaddr = 0x400000,
                                     .p_filesz = 0x1234,
                                     .p_memsz = 0x1234,
                                     .p_align = 0x1000};
    sample.phdr[DATA] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_W,
                                     .p_offset = 0x2000,
                                     .p_vaddr = 0x403000,
                                     .p_filesz = 0x200,
                                     .p_memsz = 0x5000,
                                     .p_align = 0x1000};
    sample.phdr[STACK] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
}

static int check_bytes(const void *bytes, size_t length, size_t skew)
{
    uint8_t *copy = malloc(length + skew);
    memcpy(copy + skew, bytes, length);
    why = NULL;
    memset(&image, 0xa5, sizeof(image));
    int result = elf_check(copy + skew, length, length, &image, &why);
    free(copy);
    return result;
}

static int check(void)
{
    return check_bytes(&sample, sizeof(sample), 0);
}

static void expect_refusal(const char *text)
{
    assert_int_equal(check(), -ENOEXEC);
    assert_string_equal(why, text);
}

static void test_sample(void **state)
{
    (void)state;
    build_sample();
    for (size_t skew = 0; skew < 8; skew++) {
        assert_int_equal(check_bytes(&sample, sizeof(sample), skew), 0);
        assert_int_equal(image.entry, 0x400100);
        assert_int_equal(image.segment_count, 2);
        assert_int_equal(image.segments[0].vaddr, 0x400000);
        assert_int_equal(image.segments[0].filesz, 0x1234);
        assert_true(image.segments[0].executable);
        assert_false(image.segments[0].writable);
        assert_int_equal(image.segments[1].offset, 0x2000);
        assert_int_equal(image.segments[1].memsz, 0x5000);
        assert_true(image.segments[1].writable);
        assert_false(image.segments[1].executable);
        assert_int_equal(image.phdr_vaddr, 0x400040);
        assert_int_equal(image.phdr_count, 3);
        assert_int_equal(image.phdr_entsize, 56);
    }
}

static void test_phdrs_not_loaded(void **state)
{
    (void)state;
    build_sample();
    sample.phdr[TEXT].p_offset = 0x1000;
    sample.phdr[TEXT].p_filesz = 0x1000;
    assert_int_equal(check(), 0);
    assert_int_equal(image.phdr_vaddr, 0);
    build_sample();
    sample.phdr[TEXT].p_filesz = 0x40 + 3 * 56 - 1; /* all but the last byte */
    assert_int_equal(check(), 0);
    assert_int_equal(image.phdr_vaddr, 0);
    sample.phdr[TEXT].p_filesz++;
    assert_int_equal(check(), 0);
    assert_int_equal(image.phdr_vaddr, 0x400040);
}

/* Set a field to a bad value, expect the text. */
#define REFUSED(field, value, text)                                                                \
    do {                                                                                           \
        build_sample();                                                                            \
        sample.field = (value);                                                                    \
        expect_refusal(text);                                                                      \
    } while (0)

static void test_headers(void **state)
{
    (void)state;
    REFUSED(header.e_ident[0], 0x7e, "not an ELF file");
    REFUSED(header.e_ident[3], 'f', "not an ELF file");
    REFUSED(header.e_ident[EI_CLASS], ELFCLASS32, "not a 64-bit program");
    REFUSED(header.e_ident[EI_DATA], ELFDATA2MSB, "not a little-endian program");
    REFUSED(header.e_ident[EI_VERSION], 0, "unknown ELF version");
    REFUSED(header.e_version, 2, "unknown ELF version");
    REFUSED(header.e_machine, EM_386, "not an x86-64 program");
    REFUSED(header.e_type, ET_DYN,
            "position-independent or shared: link it with -static and -no-pie");
    REFUSED(header.e_type, ET_REL, "not an executable (object file or core dump?)");
    REFUSED(header.e_type, ET_CORE, "not an executable (object file or core dump?)");
    REFUSED(header.e_ehsize, 63, "headers of unknown size");
    REFUSED(header.e_phentsize, 55, "headers of unknown size");
    REFUSED(header.e_phentsize, 0, "headers of unknown size");
    REFUSED(header.e_phnum, 0, "no or too many program headers");
    REFUSED(header.e_phnum, 65, "no or too many program headers");
    REFUSED(header.e_phnum, 0xffff, "no or too many program headers");
    REFUSED(header.e_phoff, FILE_BYTES - 3 * 56 + 1,
            "program headers reach past the end of the file");
    REFUSED(header.e_phoff, FILE_BYTES, "program headers reach past the end of the file");
    REFUSED(header.e_phoff, UINT64_MAX - 55, "program headers reach past the end of the file");
    REFUSED(header.e_phoff, UINT64_MAX, "program headers reach past the end of the file");
}

static void test_segments(void **state)
{
    (void)state;
    REFUSED(phdr[STACK].p_type, PT_INTERP, "needs a dynamic linker: link it with -static");
    REFUSED(phdr[DATA].p_filesz, 0x5001, "segment 1 is larger in the file than in memory");
    REFUSED(phdr[DATA].p_filesz, 0x201, "segment 1 reaches past the end of the file");
    REFUSED(phdr[DATA].p_offset, 0x3000, "segment 1 reaches past the end of the file");
    REFUSED(phdr[DATA].p_offset, UINT64_MAX - 0xfff, "segment 1 reaches past the end of the file");
    REFUSED(phdr[DATA].p_vaddr, 0xf000, "segment 1 lies below the lowest address of programs");
    REFUSED(phdr[DATA].p_vaddr, 0, "segment 1 lies below the lowest address of programs");
    REFUSED(phdr[DATA].p_vaddr, 0x7fffffffb000,
            "segment 1 lies above the highest address of programs");
    REFUSED(phdr[DATA].p_vaddr, 0x7ffffffff000,
            "segment 1 lies above the highest address of programs");
    REFUSED(phdr[DATA].p_vaddr, 0xffffffff80000000,
            "segment 1 lies above the highest address of programs");
    REFUSED(phdr[DATA].p_memsz, UINT64_MAX, "segment 1 lies above the highest address of programs");
    REFUSED(phdr[DATA].p_memsz, UINT64_MAX - 0x403000 + 1,
            "segment 1 lies above the highest address of programs");
    REFUSED(phdr[DATA].p_vaddr, 0x403001,
            "segment 1 differs in address and file offset within the page");
    REFUSED(phdr[TEXT].p_flags, PF_R | PF_W | PF_X, "segment 0 is writable and executable");
    REFUSED(phdr[DATA].p_vaddr, 0x400000, "segment 1 overlaps another one");
    REFUSED(phdr[DATA].p_vaddr, 0x3ff000, "segment 1 overlaps another one");
    REFUSED(phdr[DATA].p_memsz, UINT64_C(0x40000001), "needs more than 1 GiB of memory");
    REFUSED(header.e_entry, 0x400000 - 1, "its entry point is not in an executable segment");
    REFUSED(header.e_entry, 0x401234, "its entry point is not in an executable segment");
    REFUSED(header.e_entry, 0x403000, "its entry point is not in an executable segment");
    REFUSED(header.e_entry, 0, "its entry point is not in an executable segment");

    build_sample();
    sample.phdr[TEXT].p_type = sample.phdr[DATA].p_type = PT_NOTE;
    expect_refusal("nothing to load");
    build_sample();
    sample.phdr[TEXT].p_memsz = sample.phdr[TEXT].p_filesz = 0;
    expect_refusal("its entry point is not in an executable segment");
}

static void test_limits_that_fit(void **state)
{
    (void)state;
    build_sample();
    sample.phdr[DATA].p_vaddr = 0x7fffffffa000; /* ends where the last page begins */
    assert_int_equal(check(), 0);
    build_sample();
    sample.phdr[DATA].p_vaddr = 0x10000;
    assert_int_equal(check(), 0);
    build_sample();
    sample.phdr[DATA].p_memsz = (UINT64_C(1) << 30) - 0x1234;
    assert_int_equal(check(), 0);
    sample.phdr[DATA].p_memsz++;
    expect_refusal("needs more than 1 GiB of memory");
    build_sample();
    sample.header.e_entry = 0x401233;
    assert_int_equal(check(), 0);
}

/* Page 0x401000 has the end of the text; others may use its rest only with equal protection. */
static void test_shared_pages(void **state)
{
    (void)state;
    build_sample();
    sample.phdr[DATA].p_offset = 0x1800;
    sample.phdr[DATA].p_vaddr = 0x401800;
    sample.phdr[DATA].p_memsz = 0x200;
    expect_refusal("segment 1 shares a page with one of another protection");
    sample.phdr[DATA].p_flags = PF_R | PF_X;
    assert_int_equal(check(), 0);
    sample.phdr[DATA].p_flags = PF_R;
    expect_refusal("segment 1 shares a page with one of another protection");
    sample.phdr[DATA].p_offset = 0x2000;
    sample.phdr[DATA].p_vaddr = 0x402000;
    assert_int_equal(check(), 0);

    /* and in the other order, below */
    build_sample();
    sample.phdr[TEXT].p_offset = 0x800;
    sample.phdr[TEXT].p_vaddr = 0x400800;
    sample.header.e_entry = 0x400800;
    sample.phdr[DATA].p_vaddr = 0x3fb000;
    assert_int_equal(check(), 0);
    sample.phdr[DATA].p_memsz = 0x5001;
    expect_refusal("segment 1 shares a page with one of another protection");
    sample.phdr[DATA].p_memsz = 0x5801;
    expect_refusal("segment 1 overlaps another one");
}

static void test_segment_count(void **state)
{
    Elf64_Phdr phdrs[64];

    (void)state;
    for (int count = 1; count <= 20; count++) {
        build_sample();
        for (int i = 0; i < 64; i++) {
            phdrs[i] = sample.phdr[TEXT];
            phdrs[i].p_vaddr += (uint64_t)i * 0x10000;
            if (i >= count)
                phdrs[i].p_type = PT_NULL;
        }
        phdrs[63].p_type = PT_LOAD; /* without memory: not one too many */
        phdrs[63].p_memsz = phdrs[63].p_filesz = 0;
        memcpy(sample.phdr, phdrs, sizeof(phdrs));
        sample.header.e_phnum = 64;
        if (count <= ELF_SEGMENTS_MAX) {
            assert_int_equal(check(), 0);
            assert_int_equal(image.segment_count, count);
        } else {
            expect_refusal("segment 16 is one too many");
        }
    }
}

/* Only the beginning of a file is at hand: it suffices exactly if the headers are in it. */
static void test_head_of_a_file(void **state)
{
    (void)state;
    build_sample();
    size_t headers = sample.header.e_phoff + sample.header.e_phnum * sizeof(Elf64_Phdr);
    for (size_t head = 0; head <= headers + 1; head++) {
        uint8_t *copy = malloc(head + 1);
        memcpy(copy, &sample, head);
        int result = elf_check(copy, head, sizeof(sample), &image, &why);
        free(copy);
        assert_int_equal(result, head >= headers ? 0 : -ENOEXEC);
        if (head < headers && head >= sizeof(Elf64_Ehdr))
            assert_string_equal(why, "program headers are not at the beginning of the file");
    }
}

static void test_every_length(void **state)
{
    (void)state;
    build_sample();
    for (size_t length = 0; length < sizeof(sample); length++) {
        assert_int_equal(check_bytes(&sample, length, length % 3), -ENOEXEC);
        assert_string_equal(why, length < 64            ? "shorter than an ELF header"
                                 : length < 64 + 3 * 56 ? "program headers reach past the end of "
                                                          "the file"
                                 : length < 0x1234 ? "segment 0 reaches past the end of the file"
                                                   : "segment 1 reaches past the end of the file");
    }
}

/* What elf_check promises of an image that it accepts, written a second time. */
static void assert_promises(size_t size)
{
    bool entry_ok = false;
    uint64_t total = 0;

    assert_in_range(image.segment_count, 1, ELF_SEGMENTS_MAX);
    for (size_t i = 0; i < image.segment_count; i++) {
        const struct elf_segment *s = &image.segments[i];
        assert_true(s->filesz <= s->memsz && s->memsz > 0);
        assert_true(s->offset <= size && s->filesz <= size - s->offset);
        assert_true(s->vaddr >= 0x10000 && s->memsz <= 0x7ffffffff000);
        assert_true(s->vaddr + s->memsz <= 0x7ffffffff000);
        assert_int_equal(s->vaddr % 4096, s->offset % 4096);
        assert_false(s->writable && s->executable);
        total += s->memsz;
        if (s->executable && image.entry >= s->vaddr && image.entry < s->vaddr + s->memsz)
            entry_ok = true;
        for (size_t k = 0; k < i; k++) {
            const struct elf_segment *t = &image.segments[k];
            bool same = s->writable == t->writable && s->executable == t->executable;
            uint64_t grain = same ? 1 : 4096;
            assert_true(s->vaddr / grain > (t->vaddr + t->memsz - 1) / grain ||
                        t->vaddr / grain > (s->vaddr + s->memsz - 1) / grain);
        }
    }
    assert_true(total <= UINT64_C(1) << 30);
    assert_true(entry_ok);
}

static void test_random_damage(void **state)
{
    uint64_t seed = 8;
    int accepted = 0;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        build_sample();
        size_t from = round % 2 == 0 ? 16 : sizeof(Elf64_Ehdr);
        damage((uint8_t *)&sample + from, sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) - from,
               &seed);
        int result = check();
        if (result == 0) {
            accepted++;
            assert_promises(sizeof(sample));
        } else {
            assert_int_equal(result, -ENOEXEC);
            assert_in_range(strlen(why), 1, ELF_WHY_MAX - 2);
        }
    }
    assert_in_range(accepted, 100, 39900); /* both sides were tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),          cmocka_unit_test(test_phdrs_not_loaded),
        cmocka_unit_test(test_headers),         cmocka_unit_test(test_segments),
        cmocka_unit_test(test_limits_that_fit), cmocka_unit_test(test_shared_pages),
        cmocka_unit_test(test_head_of_a_file),  cmocka_unit_test(test_segment_count),
        cmocka_unit_test(test_every_length),    cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
