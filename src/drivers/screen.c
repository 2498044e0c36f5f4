// SPDX-License-Identifier: MIT
/*
 * The screen as a console: the text of screen_text.h, painted onto pixels or into a VGA's text
 * memory.
 *
 * The screen's memory is never read: `shown` keeps what each cell shows, and after a write only
 * those cells are painted that look different now. So the time that a write takes is bounded by
 * that of one whole screen, however often it scrolled.
 *
 * Who writes holds the console lock, or panics. A panic may come in the midst of a write, on this
 * core or another one: a cell counts as shown only after it was painted, the text is in order at
 * every moment (screen_text.h), and the first write of a panic forgets half a control sequence.
 * Source: IBM VGA Technical Reference, "CRT Controller", "Alphanumeric Modes"
 */
#include "drivers/screen.h"

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/font.h"
#include "drivers/screen_text.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "mm/heap.h"

enum {
    COLUMNS_MAX = 240, /* of a larger screen a part stays black */
    ROWS_MAX = 100,
    COLOURS = 16,
    VGA_CRT_INDEX = 0x3d4,
    VGA_CRT_DATA = 0x3d5,
    VGA_CRT_CURSOR_START = 0x0a,
    VGA_CRT_CURSOR_OFF = 1 << 5,
    VGA_GROUND_SHIFT = 4,
    VGA_GROUND_MASK = 7, /* the fourth bit would make the character blink */
};

struct screen {
    struct console console;
    struct arch_screen hardware; /* I */
    struct screen_text text;     /* L: the console lock, as all below */
    struct screen_cell *shown;   /* what each cell shows; the lines from the top */
    uint32_t colours[COLOURS];   /* I: as pixels */
    bool in_pairs;               /* I: two pixels are one aligned word of 64 bits, everywhere */
    bool in_panic;               /* its first write has been seen */
};

/* ---- painting -------------------------------------------------------------------------------- */

/* Eight pixels from a row of a glyph, two at a time; `pairs` has the four that there are. */
static void paint_pairs(volatile uint8_t *at, uint8_t bits, const uint64_t pairs[4])
{
    volatile uint64_t *to = (volatile uint64_t *)at;
    to[0] = pairs[bits >> 6];
    to[1] = pairs[bits >> 4 & 3];
    to[2] = pairs[bits >> 2 & 3];
    to[3] = pairs[bits & 3];
}

static void paint_row(volatile uint8_t *at, unsigned pixel_bytes, uint8_t bits, uint32_t ink,
                      uint32_t ground)
{
    for (unsigned x = 0; x < FONT_WIDTH; x++, at += pixel_bytes) {
        uint32_t pixel = (bits & (0x80u >> x)) != 0 ? ink : ground;
        for (unsigned byte = 0; byte < pixel_bytes; byte++)
            at[byte] = (uint8_t)(pixel >> 8 * byte);
    }
}

static void paint_pixels(const struct screen *screen, unsigned x, unsigned y,
                         struct screen_cell cell)
{
    const struct arch_screen *to = &screen->hardware;
    const uint8_t *glyph = font_glyph(cell.code);
    volatile uint8_t *at =
        to->memory + (size_t)y * FONT_HEIGHT * to->pitch + (size_t)x * FONT_WIDTH * to->pixel_bytes;
    uint64_t ink = screen->colours[cell.ink % COLOURS];
    uint64_t ground = screen->colours[cell.ground % COLOURS];
    const uint64_t pairs[4] = {/* the left pixel is the lower half */
                               ground << 32 | ground, ink << 32 | ground, ground << 32 | ink,
                               ink << 32 | ink};
    for (unsigned row = 0; row < FONT_HEIGHT; row++, at += to->pitch) {
        if (screen->in_pairs)
            paint_pairs(at, glyph[row], pairs);
        else
            paint_row(at, to->pixel_bytes, glyph[row], (uint32_t)ink, (uint32_t)ground);
    }
}

/* A VGA numbers its colours with blue in the lowest bit, terminals with red. */
static uint8_t vga_colour(uint8_t colour)
{
    return (uint8_t)((colour & 0x0a) | (colour & 1) << 2 | (colour >> 2 & 1));
}

static void paint_text(const struct screen *screen, unsigned x, unsigned y, struct screen_cell cell)
{
    const struct arch_screen *to = &screen->hardware;
    volatile uint16_t *at = (volatile uint16_t *)(to->memory + (size_t)y * to->pitch) + x;
    uint8_t ground = vga_colour(cell.ground) & VGA_GROUND_MASK;
    uint8_t look = (uint8_t)(ground << VGA_GROUND_SHIFT | vga_colour(cell.ink));
    *at = (uint16_t)(look << 8 | font_vga_code(cell.code));
}

static bool looks_same(struct screen_cell a, struct screen_cell b)
{
    return a.code == b.code && a.ink == b.ink && a.ground == b.ground;
}

static void paint_cell(const struct screen *screen, unsigned x, unsigned y, struct screen_cell cell)
{
    if (screen->hardware.kind == ARCH_SCREEN_TEXT)
        paint_text(screen, x, y, cell);
    else
        paint_pixels(screen, x, y, cell);
}

static void paint_line(struct screen *screen, unsigned y)
{
    const struct screen_cell *line = screen_text_line(&screen->text, y);
    struct screen_cell *shown = &screen->shown[(size_t)y * screen->text.columns];
    unsigned cursor = screen_text_cursor(&screen->text, y);
    for (unsigned x = 0; x < screen->text.columns; x++) {
        struct screen_cell cell = x == cursor ? screen_text_under_cursor(line[x]) : line[x];
        if (looks_same(cell, shown[x]))
            continue;
        paint_cell(screen, x, y, cell);
        shown[x] = cell;
    }
}

static void screen_write(struct console *self, const char *text, size_t len)
{
    struct screen *screen = (struct screen *)self;
    unsigned first, end;
    if (panic_is_here() && !screen->in_panic) {
        screen->in_panic = true;
        screen_text_recover(&screen->text);
    }
    screen_text_write(&screen->text, text, len);
    if (!screen_text_take_changes(&screen->text, &first, &end))
        return;
    for (unsigned y = first; y < end; y++)
        paint_line(screen, y);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/* `level` is 0..255. */
static uint32_t field_of(struct arch_colour_field field, unsigned level)
{
    uint32_t value = field.bits <= 8 ? level >> (8 - field.bits) : level << (field.bits - 8);
    return value << field.position;
}

/* Of the low three bits of a colour the lowest is red; the fourth makes it bright. */
static void make_colours(struct screen *screen)
{
    for (unsigned colour = 0; colour < COLOURS; colour++) {
        unsigned on = (colour & 8) != 0 ? 0xff : 0xaa, off = (colour & 8) != 0 ? 0x55 : 0;
        screen->colours[colour] = field_of(screen->hardware.red, (colour & 1) != 0 ? on : off) |
                                  field_of(screen->hardware.green, (colour & 2) != 0 ? on : off) |
                                  field_of(screen->hardware.blue, (colour & 4) != 0 ? on : off);
    }
}

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

static int make_text(struct screen *screen)
{
    bool cells = screen->hardware.kind == ARCH_SCREEN_TEXT;
    unsigned columns = at_most(screen->hardware.width / (cells ? 1 : FONT_WIDTH), COLUMNS_MAX);
    unsigned rows = at_most(screen->hardware.height / (cells ? 1 : FONT_HEIGHT), ROWS_MAX);
    size_t bytes = (size_t)columns * rows * sizeof(struct screen_cell);
    struct screen_cell *text = heap_alloc(bytes, ALLOC_KERNEL);
    screen->shown = heap_alloc(bytes, ALLOC_KERNEL | ALLOC_ZERO); /* no cell looks like that */
    if (text == NULL || screen->shown == NULL)
        return -ENOMEM;
    screen_text_init(&screen->text, text, (uint16_t)columns, (uint16_t)rows);
    return 0;
}

/* All black, also where no cell is: what the loader wrote goes. */
static void clear(struct screen *screen)
{
    const struct arch_screen *to = &screen->hardware;
    size_t bytes = (size_t)to->pitch * to->height, words = 0;
    if (to->kind == ARCH_SCREEN_TEXT) {
        /* the cursor is painted as a cell, so the VGA shall not show its own */
        io_out8(VGA_CRT_INDEX, VGA_CRT_CURSOR_START);
        io_out8(VGA_CRT_DATA, VGA_CRT_CURSOR_OFF);
        return; /* each cell looks new */
    }
    if (screen->in_pairs)
        words = bytes / sizeof(uint64_t);
    arch_fill_words((void *)(uintptr_t)to->memory, 0, words);
    for (size_t i = words * sizeof(uint64_t); i < bytes; i++)
        to->memory[i] = 0;
    for (size_t i = 0; i < (size_t)screen->text.columns * screen->text.rows; i++)
        screen->shown[i] = screen->text.cells[i]; /* blanks, white on black */
    unsigned first, end;
    (void)screen_text_take_changes(&screen->text, &first, &end); /* they are on the screen */
}

static struct screen the_screen = {.console = {.name = "tty0", .write = screen_write}};
static bool found; /* I */

int screen_init(bool look)
{
    struct screen *screen = &the_screen;
    int error = arch_screen_map(look, &screen->hardware);
    if (error == 0)
        error = make_text(screen);
    if (error == -ENOMEM)
        log_warn("screen: not enough memory for it");
    if (error != 0)
        return error;
    screen->in_pairs =
        screen->hardware.pixel_bytes == sizeof(uint32_t) &&
        ((uintptr_t)screen->hardware.memory | screen->hardware.pitch) % sizeof(uint64_t) == 0;
    make_colours(screen);
    clear(screen);
    log_info("screen: %u x %u characters, on %s", screen->text.columns, screen->text.rows,
             screen->hardware.kind == ARCH_SCREEN_TEXT ? "a VGA's text mode" : "pixels");
    screen->console.columns = screen->text.columns;
    screen->console.rows = screen->text.rows;
    found = true;
    console_register(&screen->console);
    return 0;
}

struct console *screen_console(void)
{
    return found ? &the_screen.console : NULL;
}
