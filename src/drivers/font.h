// SPDX-License-Identifier: MIT
/*
 * The screen's font: characters of one cell, made by tools/mkfont from a package's bitmap font.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16 }; /* pixels of a cell */

/* The rows of the character `code` (Unicode), top first, the leftmost pixel in the highest bit; of
 * one that the font lacks, the replacement character's. */
const uint8_t *font_glyph(uint32_t code);

/* The same character in a VGA's own font, code page 437; 0xfe, a block, if it is not there. */
uint8_t font_vga_code(uint32_t code);
