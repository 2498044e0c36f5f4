// SPDX-License-Identifier: MIT
/*
 * The range check comes first: it is what keeps kernel addresses out, since the copy itself runs
 * with the kernel's rights.
 */
#include "vm/user_copy.h"

#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/text.h"

/* At the head of each copy. */
#define CHECK_CONTEXT()                                                                            \
    do {                                                                                           \
        if (DEBUG_KERNEL)                                                                          \
            context_check_user_copy(__func__, (uintptr_t)__builtin_return_address(0));             \
    } while (0)

bool user_range_ok(uintptr_t address, size_t bytes)
{
    return address < ARCH_USER_END && bytes <= ARCH_USER_END - address;
}

size_t copy_from_user_partly(void *dst, uintptr_t src, size_t bytes)
{
    CHECK_CONTEXT();
    if (!user_range_ok(src, bytes))
        return 0;
    return bytes - arch_copy_user(dst, (const void *)src, bytes);
}

int copy_from_user(void *dst, uintptr_t src, size_t bytes)
{
    CHECK_CONTEXT();
    return copy_from_user_partly(dst, src, bytes) == bytes ? 0 : -EFAULT;
}

int copy_to_user(uintptr_t dst, const void *src, size_t bytes)
{
    CHECK_CONTEXT();
    if (!user_range_ok(dst, bytes) || arch_copy_user((void *)dst, src, bytes) != 0)
        return -EFAULT;
    return 0;
}

/* In pieces that end with a page: what is behind the string's end need not be there. */
long copy_string_from_user(char *dst, uintptr_t src, size_t size)
{
    CHECK_CONTEXT();
    size_t done = 0;
    while (done < size) {
        size_t piece = PAGE_SIZE - (src + done) % PAGE_SIZE;
        if (piece > size - done)
            piece = size - done;
        size_t got = copy_from_user_partly(dst + done, src + done, piece);
        size_t length = strnlen(dst + done, got);
        if (length < got)
            return (long)(done + length);
        if (got < piece)
            return -EFAULT;
        done += got;
    }
    return -ENAMETOOLONG;
}
