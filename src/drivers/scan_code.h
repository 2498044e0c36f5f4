// SPDX-License-Identifier: MIT
/*
 * Scan codes of a PC keyboard (set 1, as an i8042 hands them out) to what a terminal sends, for the
 * keys of a US keyboard. Special keys send what Linux's console sends.
 *
 * Context: any, for all of this file; the caller lets one in at a time. Sleeps: no. Locks: none.
 * Source: Microsoft, "Keyboard Scan Code Specification", "Scan Code Table"; Linux man-pages,
 * console_codes(4)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What is held down, and what was switched on. {0} is a keyboard at rest. */
struct keyboard {
    uint16_t held;     /* MODIFIER_* of scan_code.c */
    uint16_t switched; /* Caps Lock and Num Lock, likewise */
    uint8_t prefix;    /* 0xe0: the next code is of the keys that came later */
    uint8_t skip;      /* so many codes belong to one that has been read */
};

enum { SCAN_CODE_TEXT_MAX = 8 };

/*
 * Take one byte from the keyboard. Returns: how many bytes of `text` it typed, mostly 0 or 1. What
 * is no scan code types nothing.
 */
size_t scan_code_take(struct keyboard *keyboard, uint8_t code, char text[SCAN_CODE_TEXT_MAX]);
