// SPDX-License-Identifier: MIT
/*
 * Page frames under exhaustion: the reserve holds, and all comes back.
 */
#include "lib/selftest.h"
#include "mm/heap.h"
#include "mm/page.h"

enum { OBJECT_BYTES = 100 };

static void test_exhaustion(void)
{
    heap_free(heap_alloc(OBJECT_BYTES, ALLOC_KERNEL)); /* its class keeps one slab from now on */
    uint64_t before = page_count_free();
    void **list = NULL; /* each frame's first word leads to the one taken before it */
    uint64_t count = 0;
    for (void **page = page_alloc_one(ALLOC_USER); page != NULL;
         page = page_alloc_one(ALLOC_USER)) {
        *page = list;
        list = page;
        count++;
    }
    selftest_expect(count > 0 && page_count_free() > 0,
                    "a program's asking leaves a reserve: %llu taken, %llu left",
                    (unsigned long long)count, (unsigned long long)page_count_free());
    void *kernel = page_alloc_one(ALLOC_KERNEL);
    selftest_expect(kernel != NULL, "the kernel finds a frame when programs do not");
    void *object = heap_alloc(OBJECT_BYTES, ALLOC_ATOMIC);
    selftest_expect(object != NULL, "an interrupt finds memory when programs do not");
    heap_free(object);
    page_free_one(kernel);
    while (list != NULL) {
        void **page = list;
        list = *page;
        page_free_one(page);
    }
    selftest_expect(page_count_free() == before, "%llu free frames expected, %llu seen",
                    (unsigned long long)before, (unsigned long long)page_count_free());
}
SELFTEST("mm-exhaustion", test_exhaustion);
