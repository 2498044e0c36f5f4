// SPDX-License-Identifier: MIT
/*
 * Loading: check the headers, map each segment, copy its bytes frame by frame, build the stack.
 */
#include "proc/loader.h"

#include "fs/file.h"
#include "fs/memfs.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "proc/elf.h"

enum {
    STACK_BYTES = 256 << 10,
    STACK_ARGUMENT_BYTES = 128 << 10, /* of which strings and pointers may take so much */
    MODE_EXECUTE = 0111,
    ARGS_MAX = 256,

    AT_NULL = 0, /* System V ABI, AMD64 supplement, "Auxiliary Vector" */
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_ENTRY = 9,
    AUXV_WORDS = 12,
};
#define STACK_TOP (ARCH_USER_END - (64 << 10)) /* an unmapped gap stays above it */

/* Is it a program that may be executed? */
static int check_kind(const char *path, struct file *file, struct file_stat *stat)
{
    int error = file_get_stat(file, stat);
    if (error != 0)
        return error;
    if ((stat->mode & S_IFMT) == S_IFDIR) {
        log_err("%s: is a directory, not a program", path);
        return -EISDIR;
    }
    error = file_check_execute(file);
    if (error != 0)
        log_err("%s: its mode %o does not allow to execute it", path, stat->mode & S_MODE_MASK);
    return error;
}

static int open_program(const char *path, struct file **file)
{
    int error = memfs_open(NULL, path, O_RDONLY, 0, file);
    if (error != 0)
        log_err("%s: %s", path,
                error == -ENOENT    ? "no such file"
                : error == -ENOTDIR ? "a part of the path is not a directory"
                : error == -ELOOP   ? "too many symbolic links"
                : error == -ENOMEM  ? "no memory to open it"
                                    : "not a valid path");
    return error;
}

/* Read the headers and let elf_check() judge them; it looks at nothing behind them. */
static int check_headers(const char *path, struct file *file, uint64_t size,
                         struct elf_image *image)
{
    size_t bytes = size < ELF_HEAD_BYTES ? (size_t)size : ELF_HEAD_BYTES;
    void *headers = heap_alloc(bytes == 0 ? 1 : bytes, ALLOC_USER);
    if (headers == NULL) {
        log_err("%s: no memory to read its headers", path);
        return -ENOMEM;
    }
    const char *why = "not an ELF file";
    int error = -ENOEXEC;
    if (file_read_kernel(file, 0, headers, bytes) == (long)bytes)
        error = elf_check(headers, bytes, size, image, &why);
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
        uintptr_t va = segment->vaddr + done;
        uint64_t piece = PAGE_SIZE - va % PAGE_SIZE;
        if (piece > segment->filesz - done)
            piece = segment->filesz - done;
        void *at;
        error = space_at(space, va, &at);
        if (error == 0 &&
            file_read_kernel(file, segment->offset + done, at, piece) != (long)piece)
            error = -ENOEXEC;
        done += piece;
    }
    return error;
}

/* ---- the stack ------------------------------------------------------------------------------- */

struct stack_builder {
    struct space *space;
    uintptr_t strings; /* grows down */
    int error;
};

/* Put a string below the others. Returns: its address in the program. */
static uintptr_t push_string(struct stack_builder *stack, const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (stack->error != 0 || bytes > stack->strings - (STACK_TOP - STACK_ARGUMENT_BYTES)) {
        stack->error = -E2BIG;
        return 0;
    }
    stack->strings -= bytes;
    stack->error = space_write(stack->space, stack->strings, text, bytes);
    return stack->strings;
}

static size_t put_auxv(uint64_t *words, const struct elf_image *image)
{
    const uint64_t auxv[AUXV_WORDS] = {
        AT_PHDR,   image->phdr_vaddr, AT_PHENT, image->phdr_entsize, AT_PHNUM, image->phdr_count,
        AT_PAGESZ, PAGE_SIZE,         AT_ENTRY, image->entry,        AT_NULL,  0,
    };
    memcpy(words, auxv, sizeof(auxv));
    return AUXV_WORDS;
}

static int build_stack(struct space *space, const struct elf_image *image, const char *path,
                       const char *const *args, size_t argc, uintptr_t *stack_pointer)
{
    static uint64_t words[ARGS_MAX + AUXV_WORDS + 4]; /* one program is loaded at a time */
    if (argc + 1 > ARGS_MAX)
        return -E2BIG;
    int error = space_map_stack(space, STACK_TOP, STACK_BYTES);
    if (error != 0)
        return error;
    struct stack_builder stack = {.space = space, .strings = STACK_TOP, .error = 0};
    size_t count = 0;
    words[count++] = argc + 1;
    words[count++] = push_string(&stack, path);
    for (size_t i = 0; i < argc; i++)
        words[count++] = push_string(&stack, args[i]);
    words[count++] = 0; /* end of argv */
    words[count++] = 0; /* end of the environment, which is empty */
    count += put_auxv(&words[count], image);
    if (stack.error != 0)
        return stack.error;
    *stack_pointer = (stack.strings - count * sizeof(words[0])) & ~(uintptr_t)15;
    return space_write(space, *stack_pointer, words, count * sizeof(words[0]));
}

static int load_file(const char *path, struct file *file, const char *const *args, size_t argc,
                     struct space *space, struct loaded_program *program)
{
    struct file_stat stat;
    struct elf_image image;
    int error = check_kind(path, file, &stat);
    if (error == 0)
        error = check_headers(path, file, stat.size, &image);
    if (error != 0)
        return error;
    for (size_t i = 0; i < image.segment_count && error == 0; i++)
        error = load_segment(file, &image.segments[i], space);
    if (error == 0)
        error = build_stack(space, &image, path, args, argc, &program->stack);
    if (error != 0)
        log_err("%s: %s", path,
                error == -ENOMEM  ? "not enough memory to load it"
                : error == -E2BIG ? "its arguments are too long"
                                  : "its segments cannot be mapped");
    program->entry = image.entry;
    return error;
}

int program_load(const char *path, const char *const *args, size_t argc, struct space *space,
                 struct loaded_program *program)
{
    struct file *file;
    int error = open_program(path, &file);
    if (error != 0)
        return error;
    error = load_file(path, file, args, argc, space, program);
    file_put(file);
    return error;
}
