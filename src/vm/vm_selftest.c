// SPDX-License-Identifier: MIT
/*
 * Address spaces from inside: the test's own thread moves into a space and touches it by user
 * copies, which fault as a program would. After each test there are as many free frames as before.
 */
#include "lib/errno.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "mm/page.h"
#include "sched/thread.h"
#include "vm/space.h"
#include "vm/user_copy.h"

#define PLACE ((uintptr_t)0x10000000)
#define STACK_END ((uintptr_t)0x7fff00000000)
#define HUGE ((size_t)1 << 40)
#define PAGES(n) ((size_t)(n)*PAGE_SIZE)

enum {
    MANY = 4000,
    LARGE_PAGES = 600,
    DIRTY_FRAMES = 8,
    WORD = 0x5eed,
    RESERVE_SHARE = 64, /* docs/memory.md, "The reserve" */
    RESERVE_MAX = 1024,
};

static bool expect(const char *what, long seen, long wanted)
{
    return selftest_expect(seen == wanted, "%s: %ld expected, %ld seen", what, wanted, seen);
}

static long put_word(uintptr_t va, uint64_t word)
{
    return copy_to_user(va, &word, sizeof(word));
}

/* The word at `va`, or the error. */
static long get_word(uintptr_t va)
{
    uint64_t word;
    int error = copy_from_user(&word, va, sizeof(word));
    return error != 0 ? error : (long)word;
}

/* Run test(space) in a fresh space, and look that it leaves nothing behind. The heap keeps a slab
 * of each size that it was asked for, so the first time is not counted. */
static void in_fresh_space(void (*test)(struct space *space))
{
    uint64_t before = 0;
    for (int round = 0; round < 2; round++) {
        before = page_count_free();
        struct space *space = space_create();
        if (space == NULL) {
            selftest_expect(false, "no memory for a space");
            return;
        }
        thread_use_space(&space->tlb);
        test(space);
        thread_use_space(&tlb_kernel);
        space_put(space);
    }
    expect("free frames afterwards", (long)page_count_free(), (long)before);
}

/* ---- pages that come when they are touched --------------------------------------------------- */

static void touch_pages(struct space *space)
{
    long at = space_mmap(space, 0, PAGES(100), PROT_W, 0);
    expect("mmap of 100 pages", at, (long)(ARCH_USER_END - PAGES(100)));
    expect("frames of an untouched region", (long)space_pages(space), 0);
    expect("a word nobody wrote", get_word((uintptr_t)at + PAGES(7) + 8), 0);
    expect("a write", put_word((uintptr_t)at + PAGES(99), WORD), 0);
    expect("what was written", get_word((uintptr_t)at + PAGES(99)), WORD);
    expect("a copy over a border", put_word((uintptr_t)at + PAGES(50) - 4, WORD), 0);
    expect("frames of four touched pages", (long)space_pages(space), 4);
    expect("beyond the region", put_word((uintptr_t)at - 8, WORD), -EFAULT);
    expect("over its end", get_word((uintptr_t)at - 4), -EFAULT);

    expect("munmap", space_munmap(space, (uintptr_t)at + PAGES(7), PAGES(43)), 0);
    expect("an unmapped page", get_word((uintptr_t)at + PAGES(7) + 8), -EFAULT);
    expect("the page behind", get_word((uintptr_t)at + PAGES(50)), 0);
    expect("frames left", (long)space_pages(space), 2);
}

static void test_demand_zero(void)
{
    in_fresh_space(touch_pages);
}
SELFTEST("vm-demand-zero", test_demand_zero);

static void protect_pages(struct space *space)
{
    expect("mmap", space_mmap(space, PLACE, PAGES(8), PROT_W, SPACE_FIXED), (long)PLACE);
    expect("a write", put_word(PLACE + PAGES(2), WORD), 0);
    expect("read-only", space_mprotect(space, PLACE, PAGES(8), PROT_R), 0);
    expect("a write to it", put_word(PLACE + PAGES(2), 0), -EFAULT);
    expect("a write to an untouched page", put_word(PLACE + PAGES(3), 0), -EFAULT);
    expect("a read of it", get_word(PLACE + PAGES(2)), WORD);
    expect("no access", space_mprotect(space, PLACE, PAGES(4), PROT_NO_ACCESS), 0);
    expect("a read of it", get_word(PLACE + PAGES(2)), -EFAULT);
    expect("a read behind", get_word(PLACE + PAGES(4)), 0);
    expect("writable", space_mprotect(space, PLACE, PAGES(8), PROT_W), 0);
    expect("what was there", get_word(PLACE + PAGES(2)), WORD);
    expect("a write", put_word(PLACE + PAGES(2), 1), 0);
    expect("regions, joined again", (long)space->regions.count, 1);

    expect("W and X", space_mprotect(space, PLACE, PAGES(8), PROT_W | PROT_X), -EACCES);
    expect("a hole at the end", space_mprotect(space, PLACE, PAGES(9), PROT_R), -ENOMEM);
    expect("nothing was changed", put_word(PLACE, 2), 0);
    expect("no page's address", space_mprotect(space, PLACE + 1, 1, PROT_R), -EINVAL);
    expect("no bytes", space_mprotect(space, PLACE, 0, PROT_R), 0);
}

static void test_protect(void)
{
    in_fresh_space(protect_pages);
}
SELFTEST("vm-mprotect", test_protect);

/* ---- what is refused ------------------------------------------------------------------------- */

static void map_with_flags(struct space *space)
{
    long top = space_mmap(space, PLACE, PAGES(2), PROT_W, 0);
    expect("a hint that is free", top, (long)PLACE);
    top = space_mmap(space, PLACE + PAGES(1), PAGES(2), PROT_W, 0);
    expect("a hint that is taken", top, (long)(ARCH_USER_END - PAGES(2)));
    expect("a write", put_word(PLACE, WORD), 0);
    expect("NO_REPLACE where something is",
           space_mmap(space, PLACE - PAGES(1), PAGES(2), PROT_W, SPACE_NO_REPLACE), -EEXIST);
    expect("which is still there", get_word(PLACE), WORD);
    expect("NO_REPLACE beside it",
           space_mmap(space, PLACE - PAGES(1), PAGES(1), PROT_W, SPACE_NO_REPLACE),
           (long)(PLACE - PAGES(1)));
    expect("FIXED over it", space_mmap(space, PLACE, PAGES(1), PROT_W, SPACE_FIXED), (long)PLACE);
    expect("which is gone", get_word(PLACE), 0);

    expect("no bytes", space_mmap(space, 0, 0, PROT_W, 0), -EINVAL);
    expect("no page's address", space_mmap(space, PLACE + 1, 1, PROT_W, SPACE_FIXED), -EINVAL);
    expect("W and X", space_mmap(space, 0, 1, PROT_W | PROT_X, 0), -EACCES);
    expect("the null page", space_mmap(space, 0, 1, PROT_W, SPACE_FIXED), -EPERM);
    expect("the kernel's half", space_mmap(space, ARCH_USER_END, 1, PROT_W, SPACE_FIXED), -ENOMEM);
    expect("all addresses", space_mmap(space, 0, SIZE_MAX, PROT_NO_ACCESS, 0), -ENOMEM);
    expect("more than all memory", space_mmap(space, 0, HUGE, PROT_W, 0), -ENOMEM);
    long huge = space_mmap(space, 0, HUGE, PROT_NO_ACCESS, 0);
    selftest_expect(huge > 0, "as much without access: %ld seen", huge);
    expect("which becomes writable", space_mprotect(space, (uintptr_t)huge, HUGE, PROT_W), -ENOMEM);
    expect("and goes", space_munmap(space, (uintptr_t)huge, HUGE), 0);

    expect("munmap of no bytes", space_munmap(space, PLACE, 0), -EINVAL);
    expect("munmap beyond the end", space_munmap(space, PLACE, SIZE_MAX), -EINVAL);
    expect("munmap of a hole", space_munmap(space, PLACE + PAGES(100), PAGES(5)), 0);
}

static void test_flags(void)
{
    in_fresh_space(map_with_flags);
}
SELFTEST("vm-mmap", test_flags);

static void use_stack(struct space *space)
{
    uintptr_t low = STACK_END - PAGES(16), guard = low - SPACE_GUARD_BYTES;
    expect("a stack", space_map_stack(space, STACK_END, PAGES(16)), 0);
    expect("its lowest word", put_word(low, WORD), 0);
    expect("one below", put_word(low - 8, WORD), -EFAULT);
    expect("the door's word for it", (long)vm_page_fault(low - 8, PROT_W), VM_FAULT_GUARD);
    long at = space_mmap(space, 0, PAGES(1), PROT_W, 0);
    expect("the highest place for mmap", at, (long)(guard - PAGES(1)));
    at = space_mmap(space, low - PAGES(1), PAGES(1), PROT_W, 0);
    expect("a hint into the guard", at, (long)(guard - PAGES(2)));
    expect("FIXED into it", space_mmap(space, guard, PAGES(1), PROT_W, SPACE_FIXED), -ENOMEM);
    expect("munmap of it", space_munmap(space, guard - PAGES(1), PAGES(2)), -EINVAL);
    expect("mprotect of it", space_mprotect(space, low - PAGES(1), PAGES(2), PROT_W), -ENOMEM);
    expect("a second stack there", space_map_stack(space, STACK_END, PAGES(1)), -EINVAL);
}

static void test_stack(void)
{
    in_fresh_space(use_stack);
}
SELFTEST("vm-stack", test_stack);

static void move_brk(struct space *space)
{
    uintptr_t start = PLACE + PAGES(1);
    expect("no heap yet", (long)space_brk(space, PLACE), 0);
    space_set_brk_start(space, PLACE + 8);
    expect("where it begins", (long)space_brk(space, 0), (long)start);
    expect("a little", (long)space_brk(space, start + 100), (long)(start + 100));
    expect("a write", put_word(start + 8, WORD), 0);
    expect("to the end of the page", (long)space_brk(space, start + PAGES(1)),
           (long)(start + PAGES(1)));
    expect("far", (long)space_brk(space, start + PAGES(300)), (long)(start + PAGES(300)));
    expect("its last word", put_word(start + PAGES(300) - 8, WORD), 0);
    expect("below its start", (long)space_brk(space, start - 1), (long)(start + PAGES(300)));
    expect("too far", (long)space_brk(space, start + HUGE), (long)(start + PAGES(300)));
    expect("beyond the end", (long)space_brk(space, SIZE_MAX), (long)(start + PAGES(300)));
    expect("a page behind", space_mmap(space, start + PAGES(301), 1, PROT_W, SPACE_FIXED),
           (long)(start + PAGES(301)));
    expect("against it", (long)space_brk(space, start + PAGES(302)), (long)(start + PAGES(300)));
    expect("back", (long)space_brk(space, start + 100), (long)(start + 100));
    expect("what is left", get_word(start + 8), WORD);
    expect("what has gone", get_word(start + PAGES(300) - 8), -EFAULT);
    expect("and again", (long)space_brk(space, start + PAGES(300)), (long)(start + PAGES(300)));
    expect("cleared", get_word(start + PAGES(300) - 8), 0);
}

static void test_brk(void)
{
    in_fresh_space(move_brk);
}
SELFTEST("vm-brk", test_brk);

/* ---- much of it ------------------------------------------------------------------------------ */

static void map_many(struct space *space)
{
    for (size_t i = 0; i < MANY; i++) { /* no two neighbours are alike, nor do any touch */
        uintptr_t va = PLACE + PAGES(2 * i);
        if (space_mmap(space, va, 1, i % 2 == 0 ? PROT_W : PROT_R, SPACE_FIXED) != (long)va)
            selftest_expect(false, "mmap %zu of %d failed", i, MANY);
    }
    expect("regions", (long)space->regions.count, MANY);
    expect("a write to one", put_word(PLACE + PAGES(2 * (MANY - 2)), WORD), 0);
    expect("and to a read-only one", put_word(PLACE + PAGES(2 * (MANY - 1)), WORD), -EFAULT);
    expect("a word of a third", get_word(PLACE + PAGES(MANY)), 0);
    expect("munmap of all", space_munmap(space, PLACE, PAGES(2 * MANY)), 0);
    expect("regions left", (long)space->regions.count, 0);
    for (size_t i = 0; i < MANY; i++) /* these touch, and are one */
        (void)space_mmap(space, 0, PAGES(3), PROT_W, 0);
    expect("regions of equal neighbours", (long)space->regions.count, 1);
}

static void test_many(void)
{
    in_fresh_space(map_many);
}
SELFTEST("vm-many", test_many);

/* Pages that are far from each other, at both ends of what a program may have and of tables of each
 * level, some with their neighbours and one without access: the end of the space frees them all. */
static void touch_corners(struct space *space)
{
    const uintptr_t corners[] = {
        ARCH_USER_START,
        PAGES(512) - PAGES(1),
        PAGES(512),
        PLACE + PAGES(3),
        PLACE + PAGES(4),
        PLACE + PAGES(12),
        ((uintptr_t)1 << 30) - PAGES(1),
        ((uintptr_t)1 << 39) - PAGES(1),
        (uintptr_t)1 << 39,
        ARCH_USER_END - PAGES(1),
    };
    const size_t count = sizeof(corners) / sizeof(corners[0]);
    for (size_t i = 0; i < count; i++) {
        expect("mmap", space_mmap(space, corners[i], 1, PROT_W, SPACE_NO_REPLACE),
               (long)corners[i]);
        expect("a write", put_word(corners[i], i), 0);
    }
    expect("no access", space_mprotect(space, corners[1], 1, PROT_NO_ACCESS), 0);
    expect("frames", (long)space_pages(space), (long)count);
}

static void test_corners(void)
{
    in_fresh_space(touch_corners);
}
SELFTEST("vm-corners", test_corners);

/* More frames than go in one turn, freed by munmap and by the end of the space. */
static void touch_many(struct space *space)
{
    expect("mmap", space_mmap(space, PLACE, PAGES(2 * LARGE_PAGES), PROT_W, SPACE_FIXED),
           (long)PLACE);
    for (size_t i = 0; i < LARGE_PAGES; i++)
        (void)put_word(PLACE + PAGES(2 * i), i);
    expect("frames", (long)space_pages(space), LARGE_PAGES);
    uint64_t before = page_count_free();
    expect("munmap", space_munmap(space, PLACE + PAGES(2), PAGES(LARGE_PAGES)), 0);
    expect("frames left", (long)space_pages(space), LARGE_PAGES / 2);
    expect("frames that came back", (long)(page_count_free() - before), LARGE_PAGES / 2);
    expect("the page before", get_word(PLACE), 0);
    expect("the first that is left", get_word(PLACE + PAGES(LARGE_PAGES + 2)), LARGE_PAGES / 2 + 1);
}

static void test_large(void)
{
    in_fresh_space(touch_many);
}
SELFTEST("vm-large", test_large);

static void eat_all(struct space *space)
{
    uint64_t left;
    uintptr_t va = PLACE;
    expect("mmap of all memory",
           space_mmap(space, PLACE, PAGES(page_count_total()), PROT_W, SPACE_FIXED), (long)PLACE);
    for (left = page_count_total(); left > 0 && put_word(va, WORD) == 0; left--)
        va += PAGE_SIZE;
    selftest_expect(left > 0, "all memory could be written to");
    expect("a page that has a frame", put_word(PLACE, WORD), 0);
    expect("the door's word for the next", (long)vm_page_fault(va, PROT_W), VM_FAULT_NO_MEMORY);
    uint64_t reserve = page_count_total() / RESERVE_SHARE;
    if (reserve > RESERVE_MAX)
        reserve = RESERVE_MAX;
    selftest_expect(page_count_free() >= reserve, "of a reserve of %llu frames, %llu are left",
                    (unsigned long long)reserve, (unsigned long long)page_count_free());
}

static void test_exhaustion(void)
{
    in_fresh_space(eat_all);
}
SELFTEST("vm-exhaustion", test_exhaustion);

/* ---- from outside ---------------------------------------------------------------------------- */

/* Leave something in the frames that come next. */
static void dirty_frames(void)
{
    void *frames[DIRTY_FRAMES];
    for (size_t i = 0; i < DIRTY_FRAMES; i++) {
        frames[i] = page_alloc_one(ALLOC_USER);
        if (frames[i] != NULL)
            memset(frames[i], 0xa5, PAGE_SIZE);
    }
    for (size_t i = 0; i < DIRTY_FRAMES; i++)
        page_free_one(frames[i]);
}

static void read_and_write(struct space *space)
{
    char text[PAGE_SIZE + 16] = "over a border", seen[sizeof(text)];
    struct space *mine = space_create();
    if (mine == NULL) {
        selftest_expect(false, "no memory");
        return;
    }
    expect("a read-only image", space_map(mine, PLACE + 100, PAGES(3), PROT_X), 0);
    expect("of so many pages", (long)(mine->regions.list[0].end - PLACE), (long)PAGES(4));
    dirty_frames();
    expect("a write", space_write(mine, PLACE + PAGES(1) - 8, text, sizeof(text)), 0);
    expect("a read", space_read(mine, PLACE + PAGES(1) - 8, seen, sizeof(seen)), 0);
    for (size_t i = 0; i < sizeof(text); i++) {
        if (!selftest_expect(seen[i] == text[i], "byte %zu differs", i))
            break;
    }
    expect("a read before it", space_read(mine, PLACE + PAGES(1) - 9, seen, 1), 0);
    expect("a read behind it", space_read(mine, PLACE + PAGES(2) + 8, seen + 1, 1), 0);
    expect("which is zero, as is what was before", seen[0] | seen[1], 0);
    expect("frames", (long)space_pages(mine), 3);
    expect("a read of no frame", space_read(mine, PLACE + PAGES(3), seen, 1), 0);
    expect("which is zero", seen[0], 0);
    expect("a read of no region", space_read(mine, PLACE + PAGES(4) - 1, seen, 2), -EFAULT);
    expect("the same part again", space_map(mine, PLACE + PAGES(3), PAGES(2), PROT_X), 0);
    expect("regions", (long)mine->regions.count, 1);
    expect("another protection", space_map(mine, PLACE + PAGES(4), PAGES(2), PROT_W), -EINVAL);
    expect("not in my own space", get_word(PLACE), -EFAULT);
    space_put(space_get(mine));
    expect("which has kept its frames", (long)space_pages(mine), 3);
    space_put(mine);
    expect("frames of the other space", (long)space_pages(space), 0);
}

static void test_from_outside(void)
{
    in_fresh_space(read_and_write);
}
SELFTEST("vm-from-outside", test_from_outside);
