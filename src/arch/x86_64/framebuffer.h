// SPDX-License-Identifier: MIT
/*
 * Is what the loader says of the screen something that can be written to? Pure functions.
 * Source: Multiboot2 specification, "Framebuffer info"
 */
#pragma once

#include <stddef.h>

#include "arch/x86_64/boot_info.h"

enum {
    FRAMEBUFFER_BYTES_MAX = 256 << 20,
    FRAMEBUFFER_TEXT_BYTES = 2, /* of a character in text mode: code and colours */
    FRAMEBUFFER_PIXELS_MIN = 64,
};

/* Bytes from its first to its last line, both whole. Context: any. */
uint64_t framebuffer_bytes(const struct boot_framebuffer *screen);

/* Bytes of one pixel or character. Context: any. */
unsigned framebuffer_pixel_bytes(const struct boot_framebuffer *screen);

/*
 * Why the screen cannot be used, in words that follow "the loader's screen"; NULL if it can.
 * `ranges` is the firmware's map of memory, `address_bits` the width of a physical address.
 * Context: any. Sleeps: no.
 */
const char *framebuffer_refusal(const struct boot_framebuffer *screen,
                                const struct mem_range *ranges, size_t range_count,
                                unsigned address_bits);
