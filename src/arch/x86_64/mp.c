// SPDX-License-Identifier: MIT
/*
 * Finding and mapping the MP tables. Their format is in mptable.c, which is pure; this file only
 * maps memory, logs, and writes one register.
 *
 * Source: Intel MultiProcessor Specification 1.4, "MP Floating Pointer Structure", "PIC Mode".
 */
#include "arch/x86_64/mp.h"

#include "arch/x86_64/io.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/mptable.h"
#include "arch/x86_64/paging.h"
#include "lib/errno.h"
#include "lib/log.h"

/* The interrupt mode configuration register: a number written to one port, its value to another. */
enum {
    IMCR_SELECT = 0x22,
    IMCR_NUMBER = 0x70,
    IMCR_DATA = 0x23,
    IMCR_BY_APIC = 1,
};

static bool find_pointer(struct mptable_pointer *out)
{
    struct mptable_place places[MPTABLE_PLACES];
    const void *bda = map_physical(0, MPTABLE_BDA_BYTES, PROT_R);
    size_t count = bda == NULL ? 0 : mptable_places(bda, places);

    for (size_t i = 0; i < count; i++) {
        const void *area = map_physical(places[i].start, places[i].bytes, PROT_R);
        if (area != NULL && mptable_find_pointer(area, places[i].bytes, out) == 0)
            return true;
    }
    return false;
}

static bool read_table(paddr_t pa, struct madt_info *out)
{
    size_t length;
    const void *table = map_physical(pa, MPTABLE_HEADER_BYTES, PROT_R);
    if (table != NULL && mptable_length(table, &length) == 0)
        table = map_physical(pa, length, PROT_R);
    else
        table = NULL;
    int error = table == NULL ? -EINVAL : mptable_collect(table, length, ioapic_inputs_at, out);
    if (error != 0 && out->bad_offset == 0) {
        log_warn("mp: the MP table at %#llx %s: passed over", (unsigned long long)pa,
                 error == -EIO ? "has a wrong checksum" : "makes no sense");
        return false;
    }
    log_info("mp: MP table at %#llx, processors: %zu, I/O APICs: %zu", (unsigned long long)pa,
             out->cpu_count, out->ioapic_count);
    if (error != 0)
        log_warn("mp: the MP table makes no sense at byte %zu: what is before it holds",
                 out->bad_offset);
    return true;
}

bool mp_read(struct madt_info *out)
{
    struct mptable_pointer pointer;
    if (!find_pointer(&pointer))
        return false;
    if (pointer.default_config == 0) {
        if (!read_table(pointer.table, out))
            return false;
    } else {
        (void)mptable_default(pointer.default_config, out); /* the pointer named one of the book */
        log_info("mp: default configuration %u: two processors, one I/O APIC",
                 pointer.default_config);
    }
    if (pointer.imcr) {
        io_out8(IMCR_SELECT, IMCR_NUMBER);
        io_out8(IMCR_DATA, IMCR_BY_APIC);
        log_info("mp: the IMCR now sends interrupts by way of the APICs");
    }
    return true;
}
