// SPDX-License-Identifier: MIT
/*
 * Registers and descriptors of Intel's 8254x and 82574 Ethernet controllers; the driver alone
 * includes this file, and the host's tests. All registers are read and written as 32 bits.
 *
 * Source: Intel, PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual,
 *     "Register Descriptions", "Receive and Transmit Description" (8254x)
 *     Intel, 82574 GbE Controller Family Datasheet, "Driver Programing Interface", "Inline
 *     Functions"
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/device.h"

/* clang-format off */
enum {
    E1000_CTRL = 0x0000, /* device control */
        E1000_CTRL_LRST = 1 << 3,
        E1000_CTRL_ASDE = 1 << 5, /* take the speed that the PHY found */
        E1000_CTRL_SLU = 1 << 6,  /* set link up */
        E1000_CTRL_ILOS = 1 << 7,
        E1000_CTRL_FRCSPD = 1 << 11,
        E1000_CTRL_FRCDPX = 1 << 12,
        E1000_CTRL_RST = 1 << 26, /* clears itself when the reset is done */
    E1000_STATUS = 0x0008, /* device status */
        E1000_STATUS_LU = 1 << 1, /* the link is up */
        E1000_STATUS_SPEED_SHIFT = 6,
        E1000_STATUS_SPEED_MASK = 3, /* 10, 100, 1000, 1000 Mbit/s */
    E1000_EERD = 0x0014, /* EEPROM read; fields in struct e1000_model */
        E1000_EERD_START = 1 << 0,
        E1000_EERD_DATA_SHIFT = 16,
    E1000_ICR = 0x00c0, /* interrupt cause read; a 1 written clears a cause */
    E1000_ITR = 0x00c4, /* interrupt throttling: 0 is none */
    E1000_IMS = 0x00d0, /* interrupt mask set: a 1 written opens a cause */
    E1000_IMC = 0x00d8, /* interrupt mask clear: a 1 written masks it */
        E1000_CAUSE_TXDW = 1 << 0,   /* a transmit descriptor was written back */
        E1000_CAUSE_LSC = 1 << 2,    /* link status change */
        E1000_CAUSE_RXDMT0 = 1 << 4, /* few receive descriptors are left */
        E1000_CAUSE_RXO = 1 << 6,    /* receiver overrun */
        E1000_CAUSE_RXT0 = 1 << 7,   /* a frame was received */
        E1000_CAUSE_RXQ0 = 1 << 20,  /* 82574, MSI-X: receive queue 0 */
        E1000_CAUSE_TXQ0 = 1 << 22,  /* 82574, MSI-X: transmit queue 0 */
        E1000_CAUSE_OTHER = 1 << 24, /* 82574, MSI-X: LSC, RXO and what else is no queue's */
    E1000_IVAR = 0x00e4, /* 82574: which MSI-X vector a cause has; 4 bits each, the top one: valid */
        E1000_IVAR_VALID = 8,
        E1000_IVAR_RXQ0_SHIFT = 0,
        E1000_IVAR_TXQ0_SHIFT = 8,
        E1000_IVAR_OTHER_SHIFT = 16,
    E1000_RCTL = 0x0100, /* receive control; buffers of 2048 bytes are its field's 0 */
        E1000_RCTL_EN = 1 << 1,
        E1000_RCTL_UPE = 1 << 3,  /* unicast promiscuous */
        E1000_RCTL_MPE = 1 << 4,  /* multicast promiscuous */
        E1000_RCTL_BAM = 1 << 15, /* accept broadcast */
        E1000_RCTL_SECRC = 1 << 26, /* leave the checksum out of the buffer and the length */
    E1000_TCTL = 0x0400, /* transmit control */
        E1000_TCTL_EN = 1 << 1,
        E1000_TCTL_PSP = 1 << 3, /* pad short packets */
        E1000_TCTL_CT_SHIFT = 4,
        E1000_TCTL_COLD_SHIFT = 12,
    E1000_TIPG = 0x0410, /* gaps between frames */
    E1000_RDBAL = 0x2800, E1000_RDBAH = 0x2804, /* receive ring: address, */
    E1000_RDLEN = 0x2808,                       /* bytes, */
    E1000_RDH = 0x2810, E1000_RDT = 0x2818,     /* head (the card's) and tail (ours) */
    E1000_TDBAL = 0x3800, E1000_TDBAH = 0x3804, /* transmit ring: likewise */
    E1000_TDLEN = 0x3808,
    E1000_TDH = 0x3810, E1000_TDT = 0x3818,
    E1000_RXCSUM = 0x5000,  /* which checksums of what is in a frame the card looks at */
    E1000_CRCERRS = 0x4000, /* statistics: frames with a wrong checksum, */
    E1000_RXERRC = 0x400c,  /* with a symbol error, */
    E1000_MPC = 0x4010,     /* for which there was no room, */
    E1000_RUC = 0x40a4,     /* undersized, */
    E1000_RFC = 0x40a8,     /* undersized fragments, */
    E1000_ROC = 0x40ac,     /* oversized, */
    E1000_RJC = 0x40b0,     /* oversized with a wrong checksum */
    E1000_RFCTL = 0x5008,   /* 82574: receive filter control */
        E1000_RFCTL_ACKDIS = 1 << 12, /* a TCP acknowledgment is no cause of its own */
    E1000_MTA = 0x5200,     /* multicast table, 128 entries */
        E1000_MTA_ENTRIES = 128,
    E1000_RAL = 0x5400, E1000_RAH = 0x5404, /* receive address 0 */
};
/* clang-format on */

/* What the SDM gives for copper: "Transmit Control Register", "Transmit IPG Register". */
enum {
    E1000_COLLISION_THRESHOLD = 15,
    E1000_COLLISION_DISTANCE = 64, /* full duplex */
    E1000_TIPG_COPPER = 8 | 8 << 10 | 6 << 20,
};

enum { E1000_BUFFER_BYTES = 2048 };

/* Source: SDM, "Legacy Receive Descriptor Format" */
struct e1000_receive_descriptor {
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    uint8_t status;
    uint8_t errors;
    uint16_t special;
};
enum {
    E1000_RX_DD = 1 << 0,  /* the card has written it */
    E1000_RX_EOP = 1 << 1, /* the last one of its frame */
};

/* Source: SDM, "Legacy Transmit Descriptor Format" */
struct e1000_transmit_descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset;
    uint8_t command;
    uint8_t status;
    uint8_t checksum_start;
    uint16_t special;
};
enum {
    E1000_TX_EOP = 1 << 0,  /* command: the last one of its frame */
    E1000_TX_IFCS = 1 << 1, /* command: the card adds the checksum */
    E1000_TX_RS = 1 << 3,   /* command: write the descriptor back when it is done */
    E1000_TX_DD = 1 << 0,   /* status: that was done */
};

_Static_assert(sizeof(struct e1000_receive_descriptor) == 16, "as the card reads it");
_Static_assert(sizeof(struct e1000_transmit_descriptor) == 16, "as the card reads it");

/* What to do with a received descriptor. */
enum e1000_verdict {
    E1000_WHOLE,     /* a frame that fits, and all of it */
    E1000_DAMAGED,   /* the card says so, or its length makes no sense */
    E1000_BEGINS,    /* the first part of a frame that is longer than a buffer */
    E1000_CONTINUES, /* a further part */
    E1000_ENDS,      /* its last part */
};

/*
 * Judge a descriptor that the card has written; `inside`: the one before it was E1000_BEGINS or
 * E1000_CONTINUES. Nothing that it says is trusted: a length above the buffer's is damage.
 */
static inline enum e1000_verdict e1000_judge(uint8_t status, uint8_t errors, uint16_t length,
                                             bool inside)
{
    bool ends = (status & E1000_RX_EOP) != 0;
    if (inside)
        return ends ? E1000_ENDS : E1000_CONTINUES;
    if (!ends)
        return E1000_BEGINS;
    if (errors != 0 || length == 0 || length > E1000_BUFFER_BYTES)
        return E1000_DAMAGED;
    return E1000_WHOLE;
}

/* Is this a station's address: neither a group's nor all zeros? */
static inline bool e1000_address_ok(const uint8_t address[NET_ADDRESS_BYTES])
{
    unsigned any = 0;
    for (unsigned i = 0; i < NET_ADDRESS_BYTES; i++)
        any |= address[i];
    return any != 0 && (address[0] & 1) == 0;
}
