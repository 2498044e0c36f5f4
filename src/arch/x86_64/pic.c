// SPDX-License-Identifier: MIT
/*
 * A masked 8259 can still raise its spurious interrupts (IRQ 7 of either), so both are given a base
 * at which these fall on the Local APIC's spurious vector.
 *
 * Source: Intel 8259A data sheet, "Initialization Command Words".
 */
#include "arch/x86_64/pic.h"

#include "arch/x86_64/io.h"
#include "arch/x86_64/vectors.h"

enum {
    PIC_MASTER = 0x20,
    PIC_SLAVE = 0xa0,
    PIC_DATA = 1,             /* port offset */
    PIC_ICW1_INIT = 0x11,     /* ICW4 follows, cascade, edge */
    PIC_ICW3_MASTER = 1 << 2, /* the slave is on line 2 */
    PIC_ICW3_SLAVE = 2,
    PIC_ICW4_8086 = 0x01,
    PIC_MASK_ALL = 0xff,
};

static void init_one(uint16_t port, uint8_t icw3)
{
    io_out8(port, PIC_ICW1_INIT);
    io_out8(port + PIC_DATA, VECTOR_PIC_BASE);
    io_out8(port + PIC_DATA, icw3);
    io_out8(port + PIC_DATA, PIC_ICW4_8086);
    io_out8(port + PIC_DATA, PIC_MASK_ALL);
}

void pic_disable(void)
{
    init_one(PIC_MASTER, PIC_ICW3_MASTER);
    init_one(PIC_SLAVE, PIC_ICW3_SLAVE);
}
