// SPDX-License-Identifier: MIT
/* links: src/drivers/screen.c src/drivers/screen_text.c src/drivers/font.c */
/*
 * What the screen's driver writes into the screen's memory, for each kind of screen. The memory
 * ends where the screen does, so that the address sanitizer sees what is painted beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/font.h"
#include "drivers/screen.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"

enum {
    WIDTH = 83,
    HEIGHT = 70,
    GAP = 8,
    COLUMNS = WIDTH / FONT_WIDTH,
    ROWS = HEIGHT / FONT_HEIGHT
};

static struct arch_screen hardware;
static int map_result;
static struct console *console;
static bool panics;

int arch_screen_map(bool look, struct arch_screen *screen)
{
    (void)look;
    *screen = hardware;
    return map_result;
}

void console_register(struct console *registered)
{
    console = registered;
}

bool panic_is_here(void)
{
    return panics;
}

/* The driver keeps its two blocks for good: a new screen frees those of the one before. */
void *heap_alloc(size_t size, enum page_alloc how)
{
    static void *blocks[2];
    static unsigned next;
    (void)how;
    void **block = &blocks[next++ % 2];
    free(*block);
    *block = calloc(1, size);
    return *block;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

void io_out8(uint16_t port, uint8_t value)
{
    (void)port, (void)value;
}

/* `gap` bytes lie between two lines. */
static void begin_pixels(uint8_t bytes, uint32_t gap)
{
    bool small = bytes == 2;
    hardware = (struct arch_screen){
        .kind = ARCH_SCREEN_PIXELS,
        .pitch = WIDTH * bytes + gap,
        .width = WIDTH,
        .height = HEIGHT,
        .pixel_bytes = bytes,
        .red = {small ? 11 : 16, small ? 5 : 8},
        .green = {small ? 5 : 8, small ? 6 : 8},
        .blue = {0, small ? 5 : 8},
    };
    hardware.memory = malloc((size_t)hardware.pitch * HEIGHT);
    memset((void *)(uintptr_t)hardware.memory, 0xa5, (size_t)hardware.pitch * HEIGHT);
    assert_int_equal(screen_init(false), 0);
}

static uint32_t pixel_at(unsigned x, unsigned y)
{
    uint32_t pixel = 0;
    memcpy(&pixel,
           (void *)(uintptr_t)(hardware.memory + y * hardware.pitch + x * hardware.pixel_bytes),
           hardware.pixel_bytes);
    return pixel;
}

static void put(const char *text)
{
    console->write(console, text, strlen(text));
}

static void assert_glyph(unsigned column, unsigned row, uint32_t code, uint32_t ink,
                         uint32_t ground)
{
    const uint8_t *glyph = font_glyph(code);
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            uint32_t wanted = (glyph[y] >> (7 - x) & 1) != 0 ? ink : ground;
            assert_int_equal(pixel_at(column * FONT_WIDTH + x, row * FONT_HEIGHT + y), wanted);
        }
    }
}

static const uint32_t white[] = {[2] = 0xad55, [3] = 0xaaaaaa, [4] = 0xaaaaaa};
static const uint32_t red[] = {[2] = 0xa800, [3] = 0xaa0000, [4] = 0xaa0000};
static const uint32_t bright_blue[] = {[2] = 0x52bf, [3] = 0x5555ff, [4] = 0x5555ff};

static void try_pixels(uint8_t bytes, uint32_t gap)
{
    begin_pixels(bytes, gap);
    put("A\x1b[31;104mg\x1b[m\xc3\xa9\n");
    assert_glyph(0, 0, 'A', white[bytes], 0);
    assert_glyph(1, 0, 'g', red[bytes], bright_blue[bytes]);
    assert_glyph(2, 0, 0xe9, white[bytes], 0);
    assert_glyph(0, 1, ' ', 0, white[bytes]);    /* the cursor */
    assert_int_equal(pixel_at(WIDTH - 1, 0), 0); /* the margin is black, too */
    assert_int_equal(pixel_at(0, HEIGHT - 1), 0);
    put("x");
    assert_glyph(0, 1, 'x', white[bytes], 0); /* the cursor has gone */
    put("\n\n\nB");
    assert_glyph(0, 0, 'x', white[bytes], 0); /* it moved up */
    assert_glyph(1, 0, ' ', 0, 0);
    assert_glyph(0, 3, 'B', white[bytes], 0);
    free((void *)(uintptr_t)hardware.memory);
}

static void test_pixels(void **state)
{
    (void)state;
    for (uint8_t bytes = 2; bytes <= 4; bytes++) {
        for (uint32_t gap = 0; gap <= 4 * bytes; gap += bytes)
            try_pixels(bytes, gap);
    }
}

static void test_text_mode(void **state)
{
    (void)state;
    hardware = (struct arch_screen){
        .kind = ARCH_SCREEN_TEXT, .pitch = 160, .width = 80, .height = 25, .pixel_bytes = 2};
    hardware.memory = malloc((size_t)160 * 25);
    memset((void *)(uintptr_t)hardware.memory, 0x41, (size_t)160 * 25);
    assert_int_equal(screen_init(false), 0);
    const uint16_t *cells = (const uint16_t *)(uintptr_t)hardware.memory;
    put("\nA\x1b[1;31;44mB\xe2\x94\x80\x1b[m\xe2\x82\xac");
    assert_int_equal(cells[0], 0x0720); /* what was there has gone */
    assert_int_equal(cells[79 + 80 * 24], 0x0720);
    assert_int_equal(cells[80], 0x0700 | 'A');
    assert_int_equal(cells[81], 0x1c00 | 'B'); /* bright red on blue, in a VGA's order */
    assert_int_equal(cells[82], 0x1cc4);       /* a line, from code page 437 */
    assert_int_equal(cells[83], 0x07fe);       /* a character that a VGA does not have */
    assert_int_equal(cells[84], 0x7020);       /* the cursor */
    put("\x1b[107mx");
    assert_int_equal(cells[84], 0x7700 | 'x'); /* not blinking */
    free((void *)(uintptr_t)hardware.memory);
}

/* A panic in the midst of a control sequence is read all the same. */
static void test_panic(void **state)
{
    (void)state;
    begin_pixels(4, 0);
    put("\x1b[30;40mhidden\x1b[3");
    panics = true;
    put("panic");
    assert_glyph(6, 0, 'p', 0xaaaaaa, 0);
    assert_glyph(10 % COLUMNS, 1, 'c', 0xaaaaaa, 0);
    panics = false;
    free((void *)(uintptr_t)hardware.memory);
}

static void test_no_screen(void **state)
{
    static const int errors[] = {-ENODEV, -EINVAL, -ENOMEM};
    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        console = NULL;
        map_result = errors[i];
        assert_int_equal(screen_init(true), errors[i]);
        assert_null(console);
        assert_null(screen_console());
    }
    map_result = 0;
}

static void test_font(void **state)
{
    const uint8_t *replacement = font_glyph(0xfffd);
    (void)state;
    assert_ptr_equal(font_glyph(0x110000), replacement);
    assert_ptr_equal(font_glyph(0), replacement);
    assert_ptr_equal(font_glyph(0x1f), replacement);
    assert_ptr_equal(font_glyph(0x4e00), replacement);
    assert_memory_equal(font_glyph(' '), (uint8_t[FONT_HEIGHT]){0}, FONT_HEIGHT);
    for (uint32_t code = '!'; code < 0x7f; code++) {
        assert_memory_not_equal(font_glyph(code), font_glyph(' '), FONT_HEIGHT);
        assert_memory_not_equal(font_glyph(code), font_glyph(code - 1), FONT_HEIGHT);
        assert_int_equal(font_vga_code(code), code);
    }
    assert_int_equal(font_vga_code(0xe9), 0x82);
    assert_int_equal(font_vga_code(0x2588), 0xdb);
    assert_int_equal(font_vga_code(0x7f), 0xfe);
    assert_int_equal(font_vga_code(7), 0xfe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_screen), /* first: a screen that was found stays */
        cmocka_unit_test(test_font),      cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_text_mode), cmocka_unit_test(test_panic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
