// SPDX-License-Identifier: MIT
/*
 * What stands on a text screen, in memory: a terminal that understands UTF-8 and those control
 * sequences of ECMA-48 that line editors and full-screen programs use. It knows no hardware; who
 * paints it asks what changed.
 *
 *     \n            to the beginning of the next line; at the bottom everything moves up
 *     \r \b \t      as ever; \b stops at the left edge; other control bytes do nothing
 *     ESC [ n A..D G H f    move the cursor           ESC [ n J K   erase
 *     ESC [ ... m   colours, bold as bright, reverse  ESC [ ? 25 h l  show and hide the cursor
 *     ESC 7 8, ESC [ s u    keep and restore the place  ESC c       all as it was at first
 *
 * Text that fills the last column stays there; the next character begins the next line.
 *
 * Invariant: `x` and `y` are within the screen, so that a panic may write whatever another core, or
 * this one, was in the midst of.
 *
 * Context: any, for all of this file; the caller lets one in at a time. Sleeps: no. Locks: none.
 * Source: ECMA-48, "Control functions"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One character cell. */
struct screen_cell {
    uint16_t code; /* Unicode; what lies beyond 16 bits is the replacement character */
    uint8_t ink; /* of the character: 0..7 black, red, green, yellow, blue, magenta, cyan, white */
    uint8_t ground; /* behind it; 8..15 are the bright ones of the same */
};

enum { SCREEN_PARAMETERS_MAX = 8 };

struct screen_text {
    uint16_t columns, rows;    /* I */
    struct screen_cell *cells; /* I: rows * columns; the lines are a ring that begins at `top` */
    uint16_t top;
    uint16_t x, y;
    uint16_t kept_x, kept_y;
    bool full; /* the cursor's line is full: the next character begins a new one */
    bool cursor_hidden;

    uint8_t ink, ground; /* of what comes next */
    bool bright, reverse;

    uint8_t state; /* of the control sequence that is being read */
    bool private;  /* it began with a '?' */
    uint8_t parameter_count;
    bool parameters_full; /* what comes now has no place */
    uint16_t parameters[SCREEN_PARAMETERS_MAX];

    uint32_t code; /* of the character that is being read, and how many bytes are to come */
    uint32_t code_min;
    uint8_t code_left;

    uint16_t changed_first, changed_end; /* lines that may look different; first >= end: none */
};

/* An empty screen in `cells`, which stay the caller's. columns and rows are 1 at least. */
void screen_text_init(struct screen_text *text, struct screen_cell *cells, uint16_t columns,
                      uint16_t rows);

void screen_text_write(struct screen_text *text, const char *bytes, size_t count);

/* Whatever the writers so far left unfinished: what comes next is plain text, and can be seen. */
void screen_text_recover(struct screen_text *text);

/* Line y (0..rows-1) from its first cell on, without the cursor. */
const struct screen_cell *screen_text_line(const struct screen_text *text, unsigned y);

/* The column of the cursor in line y; `columns` if it is in another one, or hidden. */
unsigned screen_text_cursor(const struct screen_text *text, unsigned y);

/* What a cell looks like under the cursor. */
struct screen_cell screen_text_under_cursor(struct screen_cell cell);

/* The lines that may have changed since the last call, [*first, *end). Returns: false if none. */
bool screen_text_take_changes(struct screen_text *text, unsigned *first, unsigned *end);
