// SPDX-License-Identifier: MIT
/* See fake_user.h. */
#include <string.h>

#include "arch/arch.h"
#include "fake_user.h"
#include "lib/errno.h"
#include "vm/user_copy.h"

#define USER_END UINT64_C(0x00007ffffffff000)

uintptr_t fake_bad_page;

bool user_range_ok(uintptr_t address, size_t bytes)
{
    return address < USER_END && bytes <= USER_END - address;
}

/* How many bytes at `address` are moved; *good: all of them. */
static size_t moved(uintptr_t address, size_t bytes, bool *good)
{
    *good = user_range_ok(address, bytes);
    if (!*good || fake_bad_page == 0 || address + bytes <= fake_bad_page ||
        address >= fake_bad_page + PAGE_SIZE)
        return *good ? bytes : 0;
    *good = false;
    size_t before = address < fake_bad_page ? fake_bad_page - address : 0;
    return before + (bytes - before) / 2;
}

size_t copy_from_user_partly(void *dst, uintptr_t src, size_t bytes)
{
    bool good;
    size_t part = moved(src, bytes, &good);
    memcpy(dst, (const void *)src, part);
    return part;
}

int copy_from_user(void *dst, uintptr_t src, size_t bytes)
{
    return copy_from_user_partly(dst, src, bytes) == bytes ? 0 : -EFAULT;
}

int copy_to_user(uintptr_t dst, const void *src, size_t bytes)
{
    bool good;
    memcpy((void *)dst, src, moved(dst, bytes, &good));
    return good ? 0 : -EFAULT;
}
