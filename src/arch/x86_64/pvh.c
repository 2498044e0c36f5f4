// SPDX-License-Identifier: MIT
/*
 * PVH boot information: a fixed struct with the physical addresses of a module list, a command
 * line, the ACPI root pointer and, from version 1 on, a memory map.
 *
 * Invariant: every address is asked of the caller's at() before it is read, element by element, so
 * that a wild count ends where memory does.
 * Source: Xen public headers, "arch-x86/hvm/start_info.h"
 */
#include "arch/x86_64/pvh.h"

#include "lib/errno.h"

enum { START_MAGIC = 0x336ec578 };

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags; /* none that matters to us */
    uint32_t module_count;
    uint64_t module_list;
    uint64_t cmdline;
    uint64_t rsdp;
    /* version 1: */
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
};

_Static_assert(offsetof(struct start_info, memory_map) == PVH_START_INFO_V0_BYTES, "version 0");
_Static_assert(sizeof(struct start_info) == PVH_START_INFO_V1_BYTES, "version 1");

struct module_entry {
    uint64_t address;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
};

struct memory_entry {
    uint64_t address;
    uint64_t size;
    uint32_t type; /* numbered as ACPI does */
    uint32_t reserved;
};

typedef const void *reach_fn(paddr_t pa, size_t len);

/* Copy `len` bytes of physical memory. Returns: false if they are out of reach. */
static bool copy_from(reach_fn *at, paddr_t pa, void *to, size_t len)
{
    const void *bytes = pa != 0 && pa + len > pa ? at(pa, len) : NULL;

    if (bytes == NULL)
        return false;
    memcpy(to, bytes, len);
    return true;
}

/* Copy element `index` of the list at `list`. Returns: false if it is out of reach. */
static bool copy_element(reach_fn *at, paddr_t list, uint32_t index, void *to, size_t len)
{
    paddr_t pa;

    /* 2^32 elements of a few bytes do not overflow the product */
    return !__builtin_add_overflow(list, (uint64_t)index * len, &pa) && copy_from(at, pa, to, len);
}

/*
 * Copy a string; it ends at its terminator or where memory does.
 * Returns: true if it was cut for want of room.
 */
static bool copy_text(reach_fn *at, paddr_t pa, char *to, size_t to_size)
{
    for (size_t i = 0; i < to_size; i++) {
        if (pa == 0 || !copy_from(at, pa + i, &to[i], 1))
            to[i] = '\0';
        if (to[i] == '\0')
            return false;
    }
    to[to_size - 1] = '\0';
    return true;
}

static void read_modules(reach_fn *at, const struct start_info *start, struct boot_info *out)
{
    struct module_entry entry;
    uint32_t i;

    for (i = 0; i < start->module_count && i < BOOT_MODULES_MAX; i++) {
        if (!copy_element(at, start->module_list, i, &entry, sizeof(entry)))
            break;
        if (entry.address + entry.size < entry.address) {
            out->modules_dropped++;
            continue;
        }
        struct boot_module *module = &out->modules[out->module_count++];
        module->start = entry.address;
        module->end = entry.address + entry.size;
        copy_text(at, entry.cmdline, module->name, sizeof(module->name));
    }
    out->modules_dropped += start->module_count - i;
}

static void read_memory_map(reach_fn *at, const struct start_info *start, struct boot_info *out)
{
    struct memory_entry entry;
    uint32_t i;

    for (i = 0; i < start->memory_map_count && i < BOOT_RANGES_MAX; i++) {
        if (!copy_element(at, start->memory_map, i, &entry, sizeof(entry)))
            break;
        boot_add_range(out, entry.address, entry.size, entry.type);
    }
    out->ranges_dropped += start->memory_map_count - i;
}

static void read_rsdp(reach_fn *at, paddr_t rsdp, struct boot_info *out)
{
    out->rsdp_address = rsdp;
    if (copy_from(at, rsdp, out->rsdp, BOOT_RSDP_MAX))
        out->rsdp_length = BOOT_RSDP_MAX;
    else if (copy_from(at, rsdp, out->rsdp, BOOT_RSDP_V1_BYTES))
        out->rsdp_length = BOOT_RSDP_V1_BYTES;
}

int pvh_parse(const void *start_info, reach_fn *at, struct boot_info *out)
{
    struct start_info start = {0};

    memset(out, 0, sizeof(*out));
    memcpy(&start, start_info, PVH_START_INFO_V0_BYTES);
    if (start.magic != START_MAGIC)
        return -EINVAL;
    if (start.version >= 1)
        memcpy(&start, start_info, PVH_START_INFO_V1_BYTES);

    if (copy_text(at, start.cmdline, out->cmdline, sizeof(out->cmdline)))
        boot_cut_cmdline(out);
    read_modules(at, &start, out);
    read_rsdp(at, start.rsdp, out);
    read_memory_map(at, &start, out);
    return out->range_count > 0 ? 0 : -EINVAL;
}
