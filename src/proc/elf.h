// SPDX-License-Identifier: MIT
/*
 * Is this file a program that we can run, and what goes where? Static x86-64 ELF executables at a
 * fixed address (ET_EXEC), nothing else. A pure function: it maps nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_SEGMENTS_MAX = 16, /* loadable segments with memory */
    ELF_WHY_MAX = 80,
    ELF_HEAD_BYTES = 16 << 10,
};

#define ELF_VADDR_MIN UINT64_C(0x10000)
#define ELF_VADDR_END UINT64_C(0x7ffffffff000) /* the page below 2^47 is never mapped */
#define ELF_TOTAL_MAX (UINT64_C(1) << 30)      /* bytes of memory of all segments together */

/*
 * The file's bytes [offset, offset + filesz) go to vaddr; zeros follow up to vaddr + memsz.
 * vaddr and offset are equal modulo the page size; filesz <= memsz; memsz > 0.
 */
struct elf_segment {
    uint64_t vaddr;
    uint64_t memsz;
    uint64_t offset;
    uint64_t filesz;
    bool writable;
    bool executable; /* never both */
};

struct elf_image {
    uint64_t entry;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* in the file's order */
    size_t segment_count;
    uint64_t phdr_vaddr;   /* where the program headers are once loaded (AT_PHDR); 0: nowhere */
    uint16_t phdr_count;   /* AT_PHNUM */
    uint16_t phdr_entsize; /* AT_PHENT */
    char why[ELF_WHY_MAX]; /* the text of a refusal */
};

/*
 * Check a file of `size` bytes, of which `head` holds the first head_bytes (any alignment; the
 * program headers must be among them: ELF_HEAD_BYTES suffice for what linkers make), and fill *out.
 * Segments share no byte, and share a page only if their protection is the same. Returns: 0, or
 * -ENOEXEC; then *why is a text for the user without a line end, such as "segment 2 reaches past
 * the end of the file" (segments are counted from 0, as readelf -l lists them), valid as long as
 * *out. Context: any. Sleeps: no. Locks: none. Source: System V ABI, "Object Files" and "Program
 * Loading and Dynamic Linking", and its AMD64 supplement
 */
int elf_check(const void *head, size_t head_bytes, uint64_t size, struct elf_image *out,
              const char **why);
