// SPDX-License-Identifier: MIT
/*
 * Checking an ELF program before anything of it is mapped: after elf_check the loader may trust
 * every number in struct elf_image.
 *
 * The file is hostile until proven otherwise: headers are copied out (it may lie at any address),
 * every sum is checked for overflow, and each refusal says in words what is wrong.
 * Source: System V ABI, "Object Files" and "Program Loading and Dynamic Linking", and its AMD64
 * supplement
 */
#include "proc/elf.h"

#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/text.h"

enum {
    IDENT_BYTES = 16,
    IDENT_CLASS = 4,
    CLASS_64 = 2,
    IDENT_DATA = 5,
    DATA_LITTLE_ENDIAN = 1,
    IDENT_VERSION = 6,
    VERSION_CURRENT = 1,

    TYPE_EXEC = 2,
    TYPE_DYN = 3,
    MACHINE_X86_64 = 62,

    PHDR_BYTES = 56,
    PHDRS_MAX = 64,
    PHDR_LOAD = 1,
    PHDR_INTERP = 3,
    PHDR_FLAG_X = 1 << 0,
    PHDR_FLAG_W = 1 << 1,
};

struct file_header {
    uint8_t ident[IDENT_BYTES];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t phoff;
    uint64_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
};

_Static_assert(sizeof(struct file_header) == 64, "the ELF64 file header");

struct program_header {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
};

_Static_assert(sizeof(struct program_header) == PHDR_BYTES, "an ELF64 program header");

/* What is wrong with the identification, or NULL. */
static const char *judge_ident(const uint8_t *ident)
{
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(ident, magic, sizeof(magic)) != 0)
        return "not an ELF file";
    if (ident[IDENT_CLASS] != CLASS_64)
        return "not a 64-bit program";
    if (ident[IDENT_DATA] != DATA_LITTLE_ENDIAN)
        return "not a little-endian program";
    if (ident[IDENT_VERSION] != VERSION_CURRENT)
        return "unknown ELF version";
    return NULL;
}

/* What is wrong with the file header, or NULL. */
static const char *judge_header(const struct file_header *header, size_t head_bytes, uint64_t size)
{
    const char *why = judge_ident(header->ident);

    if (why != NULL)
        return why;
    if (header->machine != MACHINE_X86_64)
        return "not an x86-64 program";
    if (header->type == TYPE_DYN)
        return "position-independent or shared: link it with -static and -no-pie";
    if (header->type != TYPE_EXEC)
        return "not an executable (object file or core dump?)";
    if (header->version != VERSION_CURRENT)
        return "unknown ELF version";
    if (header->ehsize != sizeof(*header) || header->phentsize != PHDR_BYTES)
        return "headers of unknown size";
    if (header->phnum == 0 || header->phnum > PHDRS_MAX)
        return "no or too many program headers";
    if (header->phoff > size || size - header->phoff < (size_t)header->phnum * PHDR_BYTES)
        return "program headers reach past the end of the file";
    if (header->phoff > head_bytes ||
        head_bytes - header->phoff < (size_t)header->phnum * PHDR_BYTES)
        return "program headers are not at the beginning of the file";
    return NULL;
}

/* What is wrong with a loadable segment by itself, or NULL. */
static const char *judge_segment(const struct program_header *phdr, uint64_t size)
{
    if (phdr->filesz > phdr->memsz)
        return "is larger in the file than in memory";
    if (phdr->offset > size || size - phdr->offset < phdr->filesz)
        return "reaches past the end of the file";
    if (phdr->vaddr < ELF_VADDR_MIN)
        return "lies below the lowest address of programs";
    if (phdr->vaddr > ELF_VADDR_END || ELF_VADDR_END - phdr->vaddr < phdr->memsz)
        return "lies above the highest address of programs";
    if (((phdr->vaddr ^ phdr->offset) & (PAGE_SIZE - 1)) != 0)
        return "differs in address and file offset within the page";
    if ((phdr->flags & PHDR_FLAG_W) != 0 && (phdr->flags & PHDR_FLAG_X) != 0)
        return "is writable and executable";
    return NULL;
}

/* What is wrong with two segments together, or NULL. */
static const char *judge_pair(const struct elf_segment *a, const struct elf_segment *b)
{
    const uint64_t in_page = PAGE_SIZE - 1;
    uint64_t a_end = a->vaddr + a->memsz;
    uint64_t b_end = b->vaddr + b->memsz;
    bool same = a->writable == b->writable && a->executable == b->executable;

    if (a->vaddr < b_end && b->vaddr < a_end)
        return "overlaps another one";
    /* The last pages are compared by their last bytes' addresses, so that nothing is rounded up. */
    if (!same && (a->vaddr & ~in_page) <= ((b_end - 1) | in_page) &&
        (b->vaddr & ~in_page) <= ((a_end - 1) | in_page))
        return "shares a page with one of another protection";
    return NULL;
}

/* Add a loadable segment to the image; returns what is wrong with it, or NULL. */
static const char *add_segment(struct elf_image *out, const struct program_header *phdr,
                               uint64_t size)
{
    const char *why = judge_segment(phdr, size);

    if (why != NULL || phdr->memsz == 0)
        return why;
    if (out->segment_count == ELF_SEGMENTS_MAX)
        return "is one too many";

    struct elf_segment *segment = &out->segments[out->segment_count];
    *segment = (struct elf_segment){
        .vaddr = phdr->vaddr,
        .memsz = phdr->memsz,
        .offset = phdr->offset,
        .filesz = phdr->filesz,
        .writable = (phdr->flags & PHDR_FLAG_W) != 0,
        .executable = (phdr->flags & PHDR_FLAG_X) != 0,
    };
    for (size_t i = 0; i < out->segment_count; i++) {
        why = judge_pair(&out->segments[i], segment);
        if (why != NULL)
            return why;
    }
    out->segment_count++;
    return NULL;
}

/* Where the program headers, at `phoff` in the file, come to lie in memory; 0 if nowhere. */
static uint64_t find_phdrs(const struct elf_image *out, uint64_t phoff, uint64_t bytes)
{
    for (size_t i = 0; i < out->segment_count; i++) {
        const struct elf_segment *segment = &out->segments[i];
        if (phoff < segment->offset || phoff - segment->offset > segment->filesz)
            continue;
        uint64_t skip = phoff - segment->offset;
        if (segment->filesz - skip >= bytes)
            return segment->vaddr + skip;
    }
    return 0;
}

/* What is wrong with the segments as a whole, or NULL. */
static const char *judge_image(const struct elf_image *out)
{
    uint64_t total = 0; /* 16 numbers below 2^47 */
    bool entry_ok = false;

    if (out->segment_count == 0)
        return "nothing to load";
    for (size_t i = 0; i < out->segment_count; i++) {
        const struct elf_segment *segment = &out->segments[i];
        total += segment->memsz;
        if (segment->executable && out->entry >= segment->vaddr &&
            out->entry - segment->vaddr < segment->memsz)
            entry_ok = true;
    }
    if (total > ELF_TOTAL_MAX)
        return "needs more than 1 GiB of memory";
    if (!entry_ok)
        return "its entry point is not in an executable segment";
    return NULL;
}

static int refuse(struct elf_image *out, const char **why, const char *text)
{
    text_copy(out->why, text, sizeof(out->why));
    *why = out->why;
    return -ENOEXEC;
}

static int refuse_segment(struct elf_image *out, const char **why, unsigned index, const char *text)
{
    snprintf(out->why, sizeof(out->why), "segment %u %s", index, text);
    *why = out->why;
    return -ENOEXEC;
}

int elf_check(const void *head, size_t head_bytes, uint64_t size, struct elf_image *out,
              const char **why)
{
    struct file_header header;
    struct program_header phdr;
    const char *wrong;

    memset(out, 0, sizeof(*out));
    if (head_bytes < sizeof(header))
        return refuse(out, why, "shorter than an ELF header");
    memcpy(&header, head, sizeof(header));
    wrong = judge_header(&header, head_bytes, size);
    if (wrong != NULL)
        return refuse(out, why, wrong);

    for (unsigned i = 0; i < header.phnum; i++) {
        memcpy(&phdr, (const uint8_t *)head + header.phoff + i * PHDR_BYTES, sizeof(phdr));
        if (phdr.type == PHDR_INTERP)
            return refuse(out, why, "needs a dynamic linker: link it with -static");
        wrong = phdr.type == PHDR_LOAD ? add_segment(out, &phdr, size) : NULL;
        if (wrong != NULL)
            return refuse_segment(out, why, i, wrong);
    }
    out->entry = header.entry;
    wrong = judge_image(out);
    if (wrong != NULL)
        return refuse(out, why, wrong);
    out->phdr_count = header.phnum;
    out->phdr_entsize = header.phentsize;
    out->phdr_vaddr = find_phdrs(out, header.phoff, (uint64_t)header.phnum * PHDR_BYTES);
    return 0;
}
