// SPDX-License-Identifier: MIT
/*
 * Loading: check the headers, map each segment, copy its bytes frame by frame, build the stack.
 */
#include "proc/loader.h"

#include "arch/arch.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/random.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "proc/elf.h"
#include "vm/space.h"

enum {
    MODE_EXECUTE = 0111,
    STACK_BYTES = 8 << 20, /* of address space: frames come as they are touched */
    RANDOM_BYTES = 16,
    TICKS_PER_S = 100, /* the unit of times(2), fixed for programs */

    /* System V ABI, AMD64 supplement, "Auxiliary Vector"; Linux, getauxval(3) */
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_EXECFN = 31,
    AUXV_WORDS = 34,
};
#define STACK_TOP (ARCH_USER_END - (64 << 10)) /* an unmapped gap stays above it */

/* A regular file with an x bit? */
static int check_kind(struct file *file, const char *path, uint64_t *size)
{
    struct file_stat stat;
    int error = file_get_stat(file, &stat);
    if (error != 0)
        return error;
    *size = stat.size;
    if ((stat.mode & S_IFMT) == S_IFDIR) {
        log_err("%s: is a directory, not a program", path);
        return -EISDIR;
    }
    if ((stat.mode & S_IFMT) == S_IFREG && (stat.mode & MODE_EXECUTE) != 0)
        return 0;
    log_err("%s: its mode %o does not allow to execute it", path, stat.mode & S_MODE_MASK);
    return -EACCES;
}

/* Read the headers and let elf_check() judge them; it looks at nothing behind them. */
int program_check(struct file *file, const char *path, struct elf_image *image)
{
    uint64_t size;
    int error = check_kind(file, path, &size);
    if (error != 0)
        return error;
    size_t bytes = size < ELF_HEAD_BYTES ? (size_t)size : ELF_HEAD_BYTES;
    void *headers = heap_alloc(bytes == 0 ? 1 : bytes, ALLOC_USER);
    if (headers == NULL) {
        log_err("%s: no memory to read its headers", path);
        return -ENOMEM;
    }
    const char *why = "it cannot be read";
    error = -ENOEXEC;
    long got = file_read_kernel(file, 0, headers, bytes);
    if (got >= 0) /* the file may have been cut meanwhile */
        error = elf_check(headers, (size_t)got, size, image, &why);
    if (error != 0)
        log_err("%s: not a program for this machine: %s", path, why);
    heap_free(headers);
    return error;
}

/* Copy the file's part of a segment, page by page, to where it is mapped. */
static int load_segment(struct file *file, const struct elf_segment *segment, struct space *space)
{
    unsigned prot = (segment->writable ? PROT_W : 0) | (segment->executable ? PROT_X : 0);
    int error = space_map(space, segment->vaddr, segment->memsz, prot);
    for (uint64_t done = 0; done < segment->filesz && error == 0;) {
        void *to;
        uintptr_t va = segment->vaddr + done;
        uint64_t piece = PAGE_SIZE - va % PAGE_SIZE;
        if (piece > segment->filesz - done)
            piece = segment->filesz - done;
        error = space_at(space, va, piece, &to);
        if (error == 0 && file_read_kernel(file, segment->offset + done, to, piece) != (long)piece)
            error = -ENOEXEC; /* cut since its headers were checked */
        done += piece;
    }
    return error;
}

static int load_segments(struct file *file, const struct elf_image *image, struct space *space)
{
    uint64_t end = 0;
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        int error = load_segment(file, segment, space);
        if (error != 0)
            return error;
        if (segment->vaddr + segment->memsz > end)
            end = segment->vaddr + segment->memsz;
    }
    space_set_brk_start(space, end);
    return 0;
}

/* ---- the stack ------------------------------------------------------------------------------- */

/* From the top: path, random bytes, the strings; below them the words that point to them. */
struct stack {
    uintptr_t path, random, strings;
};

static size_t put_auxv(uint64_t *words, const struct elf_image *image, const struct stack *stack)
{
    const uint64_t auxv[AUXV_WORDS] = {
        AT_PHDR,   image->phdr_vaddr,
        AT_PHENT,  image->phdr_entsize,
        AT_PHNUM,  image->phdr_count,
        AT_PAGESZ, PAGE_SIZE,
        AT_BASE,   0,
        AT_FLAGS,  0,
        AT_ENTRY,  image->entry,
        AT_UID,    0,
        AT_EUID,   0,
        AT_GID,    0,
        AT_EGID,   0,
        AT_SECURE, 0,
        AT_HWCAP,  arch_user_hwcap(),
        AT_CLKTCK, TICKS_PER_S,
        AT_RANDOM, stack->random,
        AT_EXECFN, stack->path,
        AT_NULL,   0,
    };
    memcpy(words, auxv, sizeof(auxv));
    return AUXV_WORDS;
}

/* The addresses of `count` strings from *at on, and a 0. Returns: how many words. */
static size_t put_pointers(uint64_t *words, const struct arguments *arguments, size_t *at,
                           size_t count, uintptr_t strings)
{
    for (size_t i = 0; i < count; i++) {
        words[i] = strings + *at;
        *at += strlen(arguments->text + *at) + 1;
    }
    words[count] = 0;
    return count + 1;
}

static int put_words(const struct arguments *arguments, const struct elf_image *image,
                     const struct stack *stack, struct program *program)
{
    size_t most = 1 + arguments->argc + 1 + arguments->envc + 1 + AUXV_WORDS;
    uint64_t *words = heap_alloc(most * sizeof(words[0]), ALLOC_USER);
    if (words == NULL)
        return -ENOMEM;
    size_t count = 0, at = 0;
    words[count++] = arguments->argc;
    count += put_pointers(&words[count], arguments, &at, arguments->argc, stack->strings);
    program->arguments = stack->strings;
    program->argument_bytes = at;
    program->environment = stack->strings + at;
    count += put_pointers(&words[count], arguments, &at, arguments->envc, stack->strings);
    program->environment_bytes = stack->strings + at - program->environment;
    count += put_auxv(&words[count], image, stack);
    program->stack = (stack->strings - count * sizeof(words[0])) & ~(uintptr_t)15;
    int error = space_write(program->space, program->stack, words, count * sizeof(words[0]));
    heap_free(words);
    return error;
}

static int build_stack(const char *path, const struct arguments *arguments,
                       const struct elf_image *image, struct program *program)
{
    uint8_t random[RANDOM_BYTES];
    struct stack stack = {.path = STACK_TOP - (strlen(path) + 1)};
    stack.random = stack.path - sizeof(random);
    stack.strings = stack.random - arguments->bytes;
    random_bytes(random, sizeof(random));
    int error = space_map_stack(program->space, STACK_TOP, STACK_BYTES);
    if (error == 0)
        error = space_write(program->space, stack.path, path, strlen(path) + 1);
    if (error == 0)
        error = space_write(program->space, stack.random, random, sizeof(random));
    if (error == 0 && arguments->bytes > 0)
        error = space_write(program->space, stack.strings, arguments->text, arguments->bytes);
    return error == 0 ? put_words(arguments, image, &stack, program) : error;
}

int program_load(struct file *file, const char *path, const struct elf_image *image,
                 const struct arguments *arguments, struct program *program)
{
    int error = -ENOMEM;
    program->entry = image->entry;
    program->space = space_create();
    if (program->space != NULL)
        error = load_segments(file, image, program->space);
    if (error == 0)
        error = build_stack(path, arguments, image, program);
    if (error == 0)
        return 0;
    space_put(program->space);
    log_err("%s: %s", path,
            error == -ENOMEM ? "not enough memory to load it" : "its segments cannot be mapped");
    return error == -ENOMEM ? -ENOMEM : -ENOEXEC;
}
