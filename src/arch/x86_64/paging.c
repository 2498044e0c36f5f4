// SPDX-License-Identifier: MIT
/*
 * Page tables: the kernel's own, built once, and those of programs.
 *
 * Invariants: no page is both writable and executable, through no alias: the direct map is never
 * executable, and shows the kernel's text and constants read-only. (The one exception is the page
 * of the trampoline, which only starting cores run, in tables of their own.) The top-level entries
 * of the upper half exist from paging_init() on, so that every address space made later shares
 * them.
 *
 * Tables come from the early allocator until the page frames are managed, then from mm. They are
 * reached through the direct map, which boot.asm has already set up for the first 4 GiB.
 */
#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/entry.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/memory.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "mm/page.h"

/* Intel SDM vol 3A, "Paging-Structure Entries". */
#define PTE_PRESENT (UINT64_C(1) << 0)
#define PTE_WRITE (UINT64_C(1) << 1)
#define PTE_USER (UINT64_C(1) << 2)
#define PTE_WRITE_THROUGH (UINT64_C(1) << 3)
#define PTE_CACHE_DISABLE (UINT64_C(1) << 4)
#define PTE_LARGE (UINT64_C(1) << 7) /* in a directory or directory-pointer entry */
#define PTE_GLOBAL (UINT64_C(1) << 8)
#define PTE_DATA (UINT64_C(1) << 9)  /* ours: not executable, also where the CPU has no NX */
#define PTE_HELD (UINT64_C(1) << 10) /* ours: a frame that may not be touched; not present */
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

enum {
    LEVEL_PAGE = 1, /* a 4 KiB entry lies in a table of this level */
    LEVEL_2M = 2,
    LEVEL_1G = 3,
    LEVEL_TOP = 4,
    TABLE_ENTRIES = 512,
    USER_TOP_ENTRIES = 256,
    LINE_ENTRIES = 8, /* in a line of the cache */
};

static uint64_t *kernel_root; /* I: through the direct map */
static struct spinlock kva_lock = SPINLOCK(RANK_KVA, "kva");
static uint64_t kva_next = KVA_BASE; /* L: kva_lock, as are the tables below the mapping area's */

void *arch_direct(paddr_t pa)
{
    return (void *)(DIRECT_MAP_BASE + pa);
}

paddr_t arch_direct_to_phys(const void *va)
{
    return (uint64_t)va - DIRECT_MAP_BASE;
}

paddr_t image_to_phys(const void *va)
{
    return (uint64_t)va - (KERNEL_VMA + IMAGE_LINK_BASE) + image_base;
}

static uint64_t *table_alloc(void)
{
    uint64_t *table = page_count_total() != 0 ? page_alloc_one(ALLOC_KERNEL | ALLOC_ZERO)
                                              : early_alloc_direct(PAGE_SIZE);
    return table;
}

/* A table of a program's: it must not eat what the kernel needs. */
static uint64_t *user_table_alloc(void)
{
    return page_alloc_one(ALLOC_USER | ALLOC_ZERO);
}

static unsigned index_at(uint64_t va, int level)
{
    return va >> (PAGE_SHIFT + 9 * (level - 1)) & (TABLE_ENTRIES - 1);
}

static uint64_t level_bytes(int level)
{
    return UINT64_C(1) << (PAGE_SHIFT + 9 * (level - 1));
}

static uint64_t *table_of(uint64_t entry)
{
    return arch_direct(entry & PTE_ADDRESS);
}

/*
 * The entry for va in a table of `level`, making the tables above it if `make`. Returns NULL if
 * there is none (or no memory for it), or where a large page is in the way.
 */
static uint64_t *entry_for(uint64_t *root, uint64_t va, int level, bool make)
{
    uint64_t *table = root;
    for (int at = LEVEL_TOP; at > level; at--) {
        uint64_t *entry = &table[index_at(va, at)];
        if ((*entry & PTE_PRESENT) == 0) {
            /* the leaf decides what is allowed; a table of the user half is open to ring 3 */
            uint64_t user = va < USER_END ? PTE_USER : 0;
            uint64_t *fresh = NULL;
            if (make)
                fresh = user != 0 ? user_table_alloc() : table_alloc();
            if (fresh == NULL)
                return NULL;
            *entry = arch_direct_to_phys(fresh) | PTE_PRESENT | PTE_WRITE | user;
        } else if ((*entry & PTE_LARGE) != 0) {
            return NULL;
        }
        table = table_of(*entry);
    }
    return &table[index_at(va, level)];
}

static uint64_t leaf_bits(unsigned prot)
{
    uint64_t bits = PTE_PRESENT;
    if ((prot & PROT_NO_ACCESS) != 0)
        return PTE_HELD;
    if ((prot & PROT_W) != 0)
        bits |= PTE_WRITE;
    if ((prot & PROT_X) == 0)
        bits |= PTE_DATA | (cpu_features.nx ? PTE_NX : 0);
    if ((prot & PROT_USER) != 0)
        bits |= PTE_USER;
    else if (cpu_features.pge)
        bits |= PTE_GLOBAL;
    if ((prot & PROT_DEVICE) != 0)
        bits |= PTE_CACHE_DISABLE | PTE_WRITE_THROUGH; /* entry 3 of the PAT */
    if ((prot & PROT_COMBINE) != 0)
        bits |= PTE_WRITE_THROUGH; /* entry 1 (cpu.c) */
    return bits;
}

/* The largest page that fits at va and pa with `left` bytes to go. */
static int best_level(uint64_t va, paddr_t pa, uint64_t left)
{
    for (int level = cpu_features.pages_1g ? LEVEL_1G : LEVEL_2M; level > LEVEL_PAGE; level--) {
        uint64_t bytes = level_bytes(level);
        if ((va | pa) % bytes == 0 && left >= bytes)
            return level;
    }
    return LEVEL_PAGE;
}

/* Map [pa, pa+bytes) at va in the kernel's half; all page aligned. Returns 0 or -ENOMEM. */
static int map_kernel_range(uint64_t va, paddr_t pa, uint64_t bytes, unsigned prot)
{
    while (bytes > 0) {
        int level = best_level(va, pa, bytes);
        uint64_t *entry = entry_for(kernel_root, va, level, true);
        if (entry == NULL)
            return -ENOMEM;
        *entry = pa | leaf_bits(prot) | (level > LEVEL_PAGE ? PTE_LARGE : 0);
        va += level_bytes(level);
        pa += level_bytes(level);
        bytes -= level_bytes(level);
    }
    return 0;
}

static void map_at_boot(uint64_t va, paddr_t pa, uint64_t bytes, unsigned prot)
{
    if (map_kernel_range(va, pa, bytes, prot) != 0)
        panic("not enough memory for the kernel's page tables");
}

static void map_image_part(const char *start, const char *end, unsigned prot)
{
    map_at_boot((uint64_t)start, image_to_phys(start), (uint64_t)(end - start), prot);
}

/* One RAM range in the direct map; text and constants of the image stay read-only there too. */
static void map_direct(paddr_t start, paddr_t end)
{
    paddr_t ro_start = image_to_phys(text_start);
    paddr_t ro_end = image_to_phys(rodata_end);
    while (start < end) {
        bool read_only = start >= ro_start && start < ro_end;
        paddr_t stop = end;
        if (read_only && stop > ro_end)
            stop = ro_end;
        else if (start < ro_start && stop > ro_start)
            stop = ro_start;
        map_at_boot(DIRECT_MAP_BASE + start, start, stop - start, read_only ? PROT_R : PROT_W);
        start = stop;
    }
}

/* Every top-level entry of the kernel's half, now: later address spaces copy them. */
static void fill_kernel_top(void)
{
    for (int i = USER_TOP_ENTRIES; i < TABLE_ENTRIES; i++) {
        bool used =
            i == KERNEL_PML4_INDEX || i == KVA_PML4_INDEX || (kernel_root[i] & PTE_PRESENT) != 0;
        if (!used || (kernel_root[i] & PTE_PRESENT) != 0)
            continue;
        uint64_t *table = table_alloc();
        if (table == NULL)
            panic("not enough memory for the kernel's page tables");
        kernel_root[i] = arch_direct_to_phys(table) | PTE_PRESENT | PTE_WRITE;
    }
}

void paging_init(const struct mem_range *ranges, size_t count)
{
    kernel_root = table_alloc();
    if (kernel_root == NULL)
        panic("not enough memory for the kernel's page tables");
    map_image_part(text_start, text_end, PROT_X);
    map_image_part(text_end, rodata_end, PROT_R);
    map_image_part(rodata_end, boot_stack_guard, PROT_W);
    map_image_part(boot_stack_guard + PAGE_SIZE, image_end, PROT_W);
    for (size_t i = 0; i < count; i++)
        map_direct(ranges[i].start, ranges[i].end);
    fill_kernel_top();
    write_cr3(arch_direct_to_phys(kernel_root));
}

paddr_t paging_kernel_root(void)
{
    return arch_direct_to_phys(kernel_root);
}

paddr_t arch_kernel_space(void)
{
    return paging_kernel_root();
}

paddr_t paging_trampoline_root(paddr_t pages, paddr_t pa, size_t count)
{
    uint64_t *table[LEVEL_TOP];
    for (int i = 0; i < LEVEL_TOP; i++) {
        table[i] = arch_direct(pages + (paddr_t)i * PAGE_SIZE);
        memset(table[i], 0, PAGE_SIZE);
    }
    for (int i = USER_TOP_ENTRIES; i < TABLE_ENTRIES; i++)
        table[0][i] = kernel_root[i];
    /* below 1 MiB every upper index is 0 */
    for (int i = 0; i < LEVEL_TOP - 1; i++)
        table[i][0] = arch_direct_to_phys(table[i + 1]) | PTE_PRESENT | PTE_WRITE;
    /* the code page is run, the others are written: the slots */
    for (size_t i = 0; i < count; i++) {
        paddr_t at = pa + i * PAGE_SIZE;
        table[LEVEL_TOP - 1][index_at(at, LEVEL_PAGE)] =
            at | (i == 0 ? PTE_PRESENT : leaf_bits(PROT_W));
    }
    return pages;
}

static void count_leaf(uint64_t entry, struct paging_census *census)
{
    bool writable = (entry & PTE_WRITE) != 0;
    bool executable = (entry & PTE_DATA) == 0;
    census->leaves++;
    census->writable += writable;
    census->executable += executable;
    census->writable_executable += writable && executable;
    census->user += (entry & PTE_USER) != 0;
}

static void count_table(const uint64_t *table, int level, int from, struct paging_census *census)
{
    for (int i = from; i < TABLE_ENTRIES; i++) {
        if ((table[i] & PTE_PRESENT) == 0)
            continue;
        if (level == LEVEL_PAGE || (table[i] & PTE_LARGE) != 0)
            count_leaf(table[i], census);
        else
            count_table(table_of(table[i]), level - 1, 0, census);
    }
}

struct paging_census paging_count_pages(void)
{
    struct paging_census census = {0};
    count_table(kernel_root, LEVEL_TOP, USER_TOP_ENTRIES, &census);
    return census;
}

/* ---- the mapping area ------------------------------------------------------------------------ */

/* Room for `pages` pages in the mapping area, or 0. What is taken is never given back. Locks:
 * caller holds kva_lock. */
static uint64_t kva_take(uint64_t pages)
{
    uint64_t at = kva_next;
    uint64_t bytes = pages * PAGE_SIZE;
    if (pages == 0 || bytes / PAGE_SIZE != pages || bytes > KVA_BASE + KVA_SIZE - at)
        at = 0;
    else
        kva_next = at + bytes;
    return at;
}

/* Map `span` bytes (whole pages) at `start`. Returns: where, or 0. Locks: caller holds kva_lock. */
static uint64_t map_span(paddr_t start, uint64_t span, unsigned prot)
{
    uint64_t va = kva_take(span / PAGE_SIZE);
    for (uint64_t done = 0; done < span && va != 0; done += PAGE_SIZE) {
        uint64_t *entry = entry_for(kernel_root, va + done, LEVEL_PAGE, true);
        if (entry == NULL)
            return 0;
        *entry = (start + done) | leaf_bits(prot);
    }
    return va;
}

void *map_physical(paddr_t pa, size_t bytes, unsigned prot)
{
    paddr_t limit = UINT64_C(1) << cpu_features.physical_bits; /* beyond it PTEs are reserved */
    if (bytes == 0 || pa >= limit || bytes > limit - pa)
        return NULL;
    paddr_t start = pa & ~(paddr_t)(PAGE_SIZE - 1);
    uint64_t span = (pa + bytes - start + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t flags = spin_lock_irqsave(&kva_lock);
    uint64_t va = map_span(start, span, prot);
    spin_unlock_irqrestore(&kva_lock, flags);
    return va == 0 ? NULL : (void *)(va + (pa - start));
}

/* Locks: caller holds kva_lock. */
static void *map_stack(uint64_t pages)
{
    uint64_t va = kva_take(pages + 1);
    if (va == 0)
        return NULL;
    /* Zeroed, since firmware's code may have lain there: QEMU keeps what it made of such code until
     * all of it is overwritten, and takes its slow path for each store into the page meanwhile. */
    for (uint64_t i = 1; i <= pages; i++) { /* page 0 is the guard */
        uint64_t *entry = entry_for(kernel_root, va + i * PAGE_SIZE, LEVEL_PAGE, true);
        uint64_t *page = entry == NULL ? NULL : page_alloc_one(ALLOC_KERNEL | ALLOC_ZERO);
        if (page == NULL) {
            for (uint64_t j = 1; j < i; j++) {
                entry = entry_for(kernel_root, va + j * PAGE_SIZE, LEVEL_PAGE, false);
                page_free(*entry & PTE_ADDRESS, 0);
                *entry = 0;
            }
            return NULL;
        }
        *entry = arch_direct_to_phys(page) | leaf_bits(PROT_W);
    }
    return (void *)(va + (pages + 1) * PAGE_SIZE);
}

void *arch_stack_alloc(size_t bytes)
{
    uint64_t flags = spin_lock_irqsave(&kva_lock);
    void *top = map_stack(bytes / PAGE_SIZE);
    spin_unlock_irqrestore(&kva_lock, flags);
    return top;
}

static bool in_mapping_area(uintptr_t va)
{
    return kernel_root != NULL && va >= KVA_BASE && va < kva_next;
}

/* What maps the page of `va` there; 0 if nothing does. Small pages do, all of them. A walk apart
 * from entry_for(), which can come to a lock: backtraces are made in NMIs. */
static uint64_t mapping_area_entry(uintptr_t va)
{
    uint64_t entry = kernel_root[index_at(va, LEVEL_TOP)];
    for (int at = LEVEL_TOP - 1; at >= LEVEL_PAGE && (entry & PTE_PRESENT) != 0; at--)
        entry = table_of(entry)[index_at(va, at)];
    return entry;
}

bool paging_is_guard(uintptr_t va)
{
    if (va - (uintptr_t)boot_stack_guard < PAGE_SIZE)
        return true;
    /* all else in the mapping area is mapped */
    return in_mapping_area(va) && (mapping_area_entry(va) & PTE_PRESENT) == 0;
}

bool paging_is_stack(uintptr_t va)
{
    uintptr_t boot_stack = (uintptr_t)boot_stack_guard + PAGE_SIZE;
    if (va - boot_stack < (uintptr_t)boot_stack_top - boot_stack)
        return true;
    if (!in_mapping_area(va))
        return false;
    /* what is written and cached there is a stack, or at worst a table of the firmware's */
    uint64_t entry = mapping_area_entry(va);
    return (entry & PTE_PRESENT) != 0 && (entry & PTE_WRITE) != 0 &&
           (entry & (PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)) == 0;
}

/* ---- programs' spaces ------------------------------------------------------------------------ */

paddr_t arch_space_create(void)
{
    uint64_t *root = user_table_alloc();
    if (root == NULL)
        return PADDR_NONE;
    memcpy(&root[USER_TOP_ENTRIES], &kernel_root[USER_TOP_ENTRIES],
           (TABLE_ENTRIES - USER_TOP_ENTRIES) * sizeof(root[0]));
    return arch_direct_to_phys(root);
}

/* The first entry from `i` on that is not empty, or `end`, whole lines of the cache from the
 * table's start. Most of a program's tables is empty: that goes a line at a time. */
static int next_used(const uint64_t *table, int i, int end)
{
    while (i < end && table[i] == 0) {
        const uint64_t *line = &table[i];
        bool empty_line = i % LINE_ENTRIES == 0 && (line[1] | line[2] | line[3] | line[4] |
                                                    line[5] | line[6] | line[7]) == 0;
        i += empty_line ? LINE_ENTRIES : 1;
    }
    return i;
}

/* Free `table`, one of `level`, with all below it and the frames at the end; at most four deep. */
static void free_tree(uint64_t *table, int level, int entries, void (*between)(void))
{
    for (int i = next_used(table, 0, entries); i < entries; i = next_used(table, i + 1, entries)) {
        if (level == LEVEL_PAGE)
            page_free(table[i] & PTE_ADDRESS, 0);
        else
            free_tree(table_of(table[i]), level - 1, TABLE_ENTRIES, between);
    }
    page_free_one(table);
    between();
}

void arch_space_destroy(paddr_t root, void (*between)(void))
{
    free_tree(arch_direct(root), LEVEL_TOP, USER_TOP_ENTRIES, between);
}

void arch_space_use(paddr_t root)
{
    write_cr3(root);
}

arch_page_entry_t *arch_page_entry(paddr_t root, uintptr_t va)
{
    ASSERT(va >= USER_START && va < USER_END);
    return entry_for(arch_direct(root), va, LEVEL_PAGE, true);
}

paddr_t arch_page_frame(const arch_page_entry_t *entry)
{
    return *entry == 0 ? PADDR_NONE : *entry & PTE_ADDRESS;
}

void arch_page_map(arch_page_entry_t *entry, paddr_t pa, unsigned prot)
{
    ASSERT(*entry == 0);
    *entry = pa | leaf_bits(prot | PROT_USER);
}

paddr_t arch_page_lookup(paddr_t root, uintptr_t va)
{
    const uint64_t *entry = entry_for(arch_direct(root), va, LEVEL_PAGE, false);
    return entry == NULL ? PADDR_NONE : arch_page_frame(entry);
}

/*
 * The next table of LEVEL_PAGE at or behind *va and before `end`; *va moves to the first page that
 * it has entries for, at least to where it was. Returns: NULL if there is none, with *va at `end`.
 */
static uint64_t *next_page_table(paddr_t root, uintptr_t *va, uintptr_t end)
{
    while (*va < end) {
        uint64_t *table = arch_direct(root);
        int level = LEVEL_TOP;
        while (level > LEVEL_PAGE && (table[index_at(*va, level)] & PTE_PRESENT) != 0) {
            table = table_of(table[index_at(*va, level)]);
            level--;
        }
        if (level == LEVEL_PAGE)
            return table;
        *va = (*va | (level_bytes(level) - 1)) + 1; /* nothing in all that one entry covers */
    }
    *va = end;
    return NULL;
}

size_t arch_pages_take(paddr_t root, uintptr_t *va, uintptr_t end, paddr_t *frames, size_t max)
{
    size_t count = 0;
    uint64_t *table;
    while ((table = next_page_table(root, va, end)) != NULL) {
        do {
            uint64_t *entry = &table[index_at(*va, LEVEL_PAGE)];
            if (*entry != 0) {
                if (count == max)
                    return count;
                frames[count++] = *entry & PTE_ADDRESS;
                *entry = 0;
            }
            *va += PAGE_SIZE;
        } while (*va < end && index_at(*va, LEVEL_PAGE) != 0);
    }
    return count;
}

/* Does the entry `now` forbid something that `before` allowed? */
static bool is_narrower(uint64_t now, uint64_t before)
{
    bool loses = (before & ~now & (PTE_PRESENT | PTE_WRITE)) != 0;
    return (before & PTE_PRESENT) != 0 && (loses || (now & ~before & PTE_DATA) != 0);
}

bool arch_pages_protect(paddr_t root, uintptr_t start, uintptr_t end, unsigned prot)
{
    uint64_t bits = leaf_bits(prot | PROT_USER);
    bool narrower = false;
    uintptr_t va = start;
    uint64_t *table;
    while ((table = next_page_table(root, &va, end)) != NULL) {
        do {
            uint64_t *entry = &table[index_at(va, LEVEL_PAGE)];
            uint64_t now = *entry == 0 ? 0 : (*entry & PTE_ADDRESS) | bits;
            narrower = narrower || is_narrower(now, *entry);
            *entry = now;
            va += PAGE_SIZE;
        } while (va < end && index_at(va, LEVEL_PAGE) != 0);
    }
    return narrower;
}
