// SPDX-License-Identifier: MIT
/*
 * Look-ups in the tables that tools/mkfont made; both are sorted by code.
 */
#include "drivers/font.h"

#include <stddef.h>

/* Characters without a gap between them, and where the first one's glyph is. */
struct font_run {
    uint16_t first, last;
    uint16_t index;
};

/* A character beyond ASCII that a VGA's font has. */
struct vga_code {
    uint16_t code;
    uint8_t vga;
};

#include "font.inc"

enum { VGA_REPLACEMENT = 0xfe, ASCII_FIRST = 0x20, ASCII_LAST = 0x7e };

const uint8_t *font_glyph(uint32_t code)
{
    size_t from = 0, to = sizeof(font_runs) / sizeof(font_runs[0]);
    while (from < to) {
        size_t middle = (from + to) / 2;
        const struct font_run *run = &font_runs[middle];
        if (code >= run->first && code <= run->last)
            return font_glyphs[run->index + code - run->first];
        if (code < run->first)
            to = middle;
        else
            from = middle + 1;
    }
    return font_glyphs[FONT_REPLACEMENT];
}

uint8_t font_vga_code(uint32_t code)
{
    size_t from = 0, to = sizeof(vga_codes) / sizeof(vga_codes[0]);
    if (code >= ASCII_FIRST && code <= ASCII_LAST)
        return (uint8_t)code;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (code == vga_codes[middle].code)
            return vga_codes[middle].vga;
        if (code < vga_codes[middle].code)
            to = middle;
        else
            from = middle + 1;
    }
    return VGA_REPLACEMENT;
}
