// SPDX-License-Identifier: MIT
/*
 * All vector ranges, cut once, each computed from the last:
 *
 *       0 ..  31   exceptions
 *      32 .. 238   the users' rings, but 128
 *     128          int 0x80
 *     239 .. 248   devices, on each core
 *     249 .. 255   the kernel; 255 is spurious, in the highest priority class with its urgent IPIs
 *
 * The 8259s are remapped to 0xf8 and masked: a spurious IRQ 7 or 15 lands on 0xff.
 */
#pragma once

enum {
    VECTOR_EXCEPTION_COUNT = 32,
    VECTOR_USER_FIRST = VECTOR_EXCEPTION_COUNT,
    VECTOR_INT80 = 0x80,
    VECTOR_USER_LAST = 238,
    VECTOR_DEVICE_FIRST = VECTOR_USER_LAST + 1,
    VECTOR_DEVICE_COUNT = 10,
    VECTOR_KERNEL_FIRST = VECTOR_DEVICE_FIRST + VECTOR_DEVICE_COUNT,
    VECTOR_CALL = 251,       /* answer the call-on-core inbox */
    VECTOR_RESCHEDULE = 252, /* look again at what there is to do */
    VECTOR_LAPIC_ERROR = 253,
    VECTOR_TIMER = 254,
    VECTOR_SPURIOUS = 255,
    VECTOR_PIC_BASE = 0xf8,
    VECTOR_COUNT = 256,
};

_Static_assert(VECTOR_KERNEL_FIRST == 249, "design: the kernel has 249..255");
_Static_assert(VECTOR_INT80 > VECTOR_USER_FIRST && VECTOR_INT80 < VECTOR_USER_LAST,
               "int 0x80 is cut out of the users' range");
_Static_assert(VECTOR_CALL >= VECTOR_KERNEL_FIRST, "the kernel's IPIs are in its range");
_Static_assert((VECTOR_SPURIOUS & 0xf) == 0xf, "older CPUs fix the low four bits of it to 1");
_Static_assert(VECTOR_PIC_BASE + 7 == VECTOR_SPURIOUS, "a spurious 8259 interrupt is spurious");
