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

/* All of the table at pa, or NULL if none begins there. */
static const void *map_table(paddr_t pa, size_t *length)
{
    const void *header = map_physical(pa, MPTABLE_HEADER_BYTES, PROT_R);
    if (header == NULL || mptable_length(header, length) != 0)
        return NULL;
    return map_physical(pa, *length, PROT_R);
}

static bool read_table(paddr_t pa, struct madt_info *out)
{
    size_t length;
    const void *table = map_table(pa, &length);
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

/* ---- the lines of PCI ------------------------------------------------------------------------ */

static struct mptable_pci pci; /* I: filled by mp_read_pci() */

/* ioapic_inputs_at() maps registers for good each time that it is asked. */
static uint32_t inputs_at(paddr_t address)
{
    static paddr_t known;
    static uint32_t inputs;
    if (address != known)
        inputs = ioapic_inputs_at(address);
    known = address;
    return inputs;
}

/* Quiet about what is damaged: who looks for a line says that it found none. */
void mp_read_pci(const struct madt_info *info)
{
    struct mptable_pointer pointer;
    size_t length;
    if (!find_pointer(&pointer) || pointer.default_config != 0)
        return;
    const void *table = map_table(pointer.table, &length);
    if (table != NULL)
        (void)mptable_collect_pci(table, length, inputs_at, info, &pci);
}

int arch_pci_line(uint8_t bus, uint8_t slot, uint8_t pin, struct arch_line *line)
{
    struct mptable_pci_line found;
    int error = mptable_pci_route(&pci, bus, slot, pin, &found);
    if (error == 0)
        *line = (struct arch_line){
            .gsi = found.gsi, .level = found.level, .active_low = found.active_low};
    return error;
}
