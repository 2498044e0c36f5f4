// SPDX-License-Identifier: MIT
/*
 * The hand-over of RAM: loader's map -> sorted, disjoint ranges -> what nobody occupies -> the
 * early allocator (which serves page tables and frame descriptors) -> mm's page frames.
 *
 * The first MiB is never given to mm: a started core begins there, and firmware is careless with
 * it. Until the final tables are in use only RAM below 4 GiB can be reached.
 */
#include "arch/x86_64/memory.h"

#include "arch/x86_64/entry.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/memmap.h"
#include "mm/page.h"

enum {
    RANGES_MAX = 2 * BOOT_RANGES_MAX,
    LOW_END = 1 << 20,
    LOW_MEMORY_CAREFUL = 64 << 10,
    LOW_MEMORY_END = 0x9f000, /* above it real machines keep their EBDA, whatever the map says */
};

static struct mem_range usable[RANGES_MAX]; /* I: all usable RAM, page aligned */
static size_t usable_count;
static struct mem_range spare[RANGES_MAX]; /* what nobody occupies; shrinks as it is taken */
static size_t spare_count;
static paddr_t reach = BOOT_MAP_END; /* RAM below this can be reached now */

static void spare_subtract(paddr_t start, paddr_t end)
{
    spare_count = memmap_subtract(spare, spare_count, RANGES_MAX, start, end);
}

static paddr_t page_down(paddr_t pa)
{
    return pa & ~(paddr_t)(PAGE_SIZE - 1);
}

static paddr_t page_up(paddr_t pa)
{
    return page_down(pa + PAGE_SIZE - 1);
}

static paddr_t image_phys_end(void)
{
    return image_to_phys(image_end);
}

static size_t keep_usable(struct mem_range *ranges, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].type == MEMMAP_USABLE)
            ranges[kept++] = ranges[i];
    }
    return kept;
}

/* The loader finds a place for both, but not every one looks (QEMU's -initrd). */
static void expect_apart(const struct boot_module *module)
{
    if (module->start < image_phys_end() && image_base < module->end)
        panic("boot: the module at %#llx to %#llx lies on the kernel at %#llx to %#llx: "
              "too little memory",
              (unsigned long long)module->start, (unsigned long long)module->end,
              (unsigned long long)image_base, (unsigned long long)image_phys_end());
}

static void read_map(void)
{
    usable_count = memmap_normalize(boot_info.ranges, boot_info.range_count, usable, RANGES_MAX);
    usable_count = keep_usable(usable, usable_count);
    usable_count = memmap_page_align(usable, usable_count);
    memcpy(spare, usable, sizeof(spare));
    spare_count = usable_count;
    spare_subtract(page_down(image_base), page_up(image_phys_end()));
    for (size_t i = 0; i < boot_info.module_count; i++) {
        expect_apart(&boot_info.modules[i]);
        spare_subtract(page_down(boot_info.modules[i].start), page_up(boot_info.modules[i].end));
    }
}

/* Take `bytes` (whole pages) of spare RAM inside [from, to), lowest first. */
static paddr_t spare_take(uint64_t bytes, paddr_t from, paddr_t to)
{
    for (size_t i = 0; i < spare_count; i++) {
        paddr_t start = spare[i].start > from ? spare[i].start : from;
        paddr_t end = spare[i].end < to ? spare[i].end : to;
        if (start < end && end - start >= bytes) {
            spare_subtract(start, start + bytes);
            return start;
        }
    }
    return PADDR_NONE;
}

void *early_alloc_direct(size_t bytes)
{
    uint64_t whole = page_up(bytes);
    paddr_t pa = spare_take(whole, LOW_END, reach);
    if (pa == PADDR_NONE)
        return NULL;
    memset(arch_direct(pa), 0, whole);
    return arch_direct(pa);
}

paddr_t memory_take_low(size_t pages)
{
    /* firmware is known to scribble on the first 64 KiB in system management mode: last resort */
    paddr_t pa = spare_take(pages * PAGE_SIZE, LOW_MEMORY_CAREFUL, LOW_MEMORY_END);
    return pa != PADDR_NONE ? pa : spare_take(pages * PAGE_SIZE, PAGE_SIZE, LOW_MEMORY_END);
}

uint64_t arch_memory_usable(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < usable_count; i++)
        bytes += usable[i].end - usable[i].start;
    return bytes;
}

/* The index of the smallest of the ranges. */
static size_t smallest(const struct mem_range *ranges, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (ranges[i].end - ranges[i].start < ranges[best].end - ranges[best].start)
            best = i;
    }
    return best;
}

/* Frames from here on are mm's. Beyond PAGE_MAX_RANGES the smallest ranges stay unused. */
static void hand_over(void)
{
    static struct mem_range managed[RANGES_MAX];
    memcpy(managed, usable, sizeof(managed));
    size_t count = memmap_subtract(managed, usable_count, RANGES_MAX, 0, LOW_END);
    count = memmap_subtract(managed, count, RANGES_MAX, page_down(image_base),
                            page_up(image_phys_end()));
    for (; count > PAGE_MAX_RANGES; count--) {
        size_t i = smallest(managed, count);
        log_warn("memory: %llu KiB at %#llx stay unused, the map has too many pieces",
                 (unsigned long long)(managed[i].end - managed[i].start) >> 10,
                 (unsigned long long)managed[i].start);
        memmove(&managed[i], &managed[i + 1], (count - i - 1) * sizeof(managed[0]));
    }
    void *descriptors[PAGE_MAX_RANGES];
    for (size_t i = 0; i < count; i++) {
        uint64_t frames = (managed[i].end - managed[i].start) / PAGE_SIZE;
        descriptors[i] = early_alloc_direct(page_descriptor_bytes(frames));
        if (descriptors[i] == NULL)
            panic("not enough memory to manage the page frames");
    }
    for (size_t i = 0; i < count; i++) {
        if (page_add_range(managed[i].start, managed[i].end, descriptors[i]) != 0)
            panic("the memory map is inconsistent at %#llx", (unsigned long long)managed[i].start);
    }
    for (size_t i = 0; i < spare_count; i++) {
        if (spare[i].start >= LOW_END)
            page_release_range(spare[i].start, spare[i].end);
    }
}

void memory_init(void)
{
    read_map();
    if (boot_info.ranges_dropped != 0)
        log_warn("memory: %zu entries of the firmware's map were unusable",
                 boot_info.ranges_dropped);
    paging_init(usable, usable_count);
    reach = PADDR_NONE;
    hand_over();
    log_info("memory: %llu MiB usable, %llu MiB free, kernel at %#llx",
             (unsigned long long)(arch_memory_usable() >> 20),
             (unsigned long long)(page_count_free() >> (20 - PAGE_SHIFT)),
             (unsigned long long)image_base);
}

void memory_release_module(size_t index)
{
    /* the partly used pages at the ends may belong to a neighbour: they stay */
    paddr_t start = page_up(boot_info.modules[index].start);
    paddr_t end = page_down(boot_info.modules[index].end);
    if (start < end)
        page_release_range(start, end);
}

/* A device whose address lies in RAM would be a second, uncached way to what mm gives away. */
void *arch_map_device(paddr_t pa, size_t bytes)
{
    for (size_t i = 0; i < usable_count; i++) {
        if (pa < usable[i].end && bytes > 0 && pa + bytes - 1 >= usable[i].start)
            return NULL;
    }
    return map_physical(pa, bytes, PROT_W | PROT_DEVICE);
}
