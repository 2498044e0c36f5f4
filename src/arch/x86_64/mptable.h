// SPDX-License-Identifier: MIT
/*
 * The MP tables, which machines had before ACPI and emulators still write without it: which Local
 * APICs, I/O APICs and interrupt lines there are. Pure functions over memory that the caller has
 * mapped; what they find goes into the struct madt_info of madt.h, so that nobody else need know
 * where the words came from.
 *
 * Two things differ from the MADT. There are no uids: the apic_id stands for it. And there are no
 * gsis, but pairs of an I/O APIC and its input: each I/O APIC gets the next free gsis, in the
 * table's order, which is why the number of its inputs must be asked for.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 * Source: Intel MultiProcessor Specification 1.4, "MP Configuration Table"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/x86_64/madt.h"

enum {
    MPTABLE_BDA_BYTES = 0x500, /* memory from 0 on that mptable_places() reads */
    MPTABLE_PLACES = 3,
    MPTABLE_HEADER_BYTES = 44,
};

/* ---- the floating pointer -------------------------------------------------------------------- */

struct mptable_place {
    paddr_t start;
    size_t bytes;
};

/*
 * Where the floating pointer may be, in the order of the search; `bda` is the first
 * MPTABLE_BDA_BYTES of memory, which say where two of the places are and may hold anything.
 * Returns: how many places, 1 to MPTABLE_PLACES, all below 1 MiB.
 * Source: MP Specification, "MP Floating Pointer Structure"
 */
size_t mptable_places(const void *bda, struct mptable_place out[MPTABLE_PLACES]);

struct mptable_pointer {
    paddr_t table;          /* meaningful if default_config is 0 */
    uint8_t default_config; /* 1..7: there is no table, the machine is as the book says */
    bool imcr;              /* the 8259s' line goes past the APICs until the IMCR is written */
};

/*
 * Look at each 16th byte of the `length` bytes at `area` for a floating pointer with a right
 * checksum that names a table or a default configuration of the book.
 * Returns: 0, or -ENOENT (*out is untouched).
 * Source: MP Specification, "MP Floating Pointer Structure", "MP Feature Information Bytes"
 */
int mptable_find_pointer(const void *area, size_t length, struct mptable_pointer *out);

/* ---- the machine ----------------------------------------------------------------------------- */

/* How many inputs has the I/O APIC at this address? 0: there is none. */
typedef uint32_t mptable_inputs(paddr_t address);

/*
 * The length of the table that begins with this header of MPTABLE_HEADER_BYTES, its extended part
 * left out. Returns: 0, or -EINVAL (not such a table, or shorter than its own header).
 */
int mptable_length(const void *header, size_t *length);

/*
 * Collect the table into *out, which need not be initialised; `available` bytes of it may be read.
 * The interrupt lines of ISA and EISA buses become overrides (where an EISA line leaves its trigger
 * open it is taken as ISA's), NMI lines NMI sources; those of other buses are passed over, and so
 * are lines that name an I/O APIC or an input that is not there.
 * Returns: 0; -EINVAL (no such table, or longer than `available`: *out is empty; or a bad entry:
 * out->bad_offset names it and what came before it stays); -EIO (a wrong checksum: *out is empty).
 * Source: MP Specification, "Base MP Configuration Table Entries"
 */
int mptable_collect(const void *table, size_t available, mptable_inputs *inputs,
                    struct madt_info *out);

/*
 * Collect default configuration `config`: two cores with ids 0 and 1, one I/O APIC.
 * Returns: 0, or -EINVAL (no such configuration: *out is empty).
 * Source: MP Specification, "Default Configurations"
 */
int mptable_default(uint8_t config, struct madt_info *out);

/* ---- the lines of PCI ------------------------------------------------------------------------ */

enum { MPTABLE_PCI_LINES_MAX = 256 };

/* What one pin of one slot is wired to. */
struct mptable_pci_line {
    uint8_t bus, slot;
    uint8_t pin; /* 1..4: INTA#..INTD# */
    bool level, active_low;
    uint32_t gsi;
};

struct mptable_pci {
    struct mptable_pci_line lines[MPTABLE_PCI_LINES_MAX]; /* in the table's order */
    size_t count;
    size_t dropped; /* did not fit */
};

/*
 * Collect the interrupt lines of PCI buses into *out, which need not be initialised. `info` says
 * which gsis the I/O APIC at an address has: it comes from the MADT, or from mptable_collect(). A
 * line that leaves its trigger or polarity to the bus is PCI's: level, active low. Of two lines for
 * one pin the first holds; lines to an I/O APIC that is not in `info`, or to an input that it has
 * not got, are passed over.
 * Returns: 0; -EINVAL, -EIO as mptable_collect(): *out is empty then, or, after a bad entry, what
 * came before it.
 * Source: MP Specification, "I/O Interrupt Assignment Entries", and Appendix D, "Multiple I/O APIC
 * Multiple PCI Bus Systems"
 */
int mptable_collect_pci(const void *table, size_t available, mptable_inputs *inputs,
                        const struct madt_info *info, struct mptable_pci *out);

/*
 * What `pin` (1..4) of `slot` on `bus` is wired to.
 * Returns: 0; -ENOENT (other pins of this bus are named, not this one); -ENODEV (no pin of this bus
 * is: it may be behind a bridge of the kind that passes the lines of its slots on).
 */
int mptable_pci_route(const struct mptable_pci *pci, uint8_t bus, uint8_t slot, uint8_t pin,
                      struct mptable_pci_line *out);
