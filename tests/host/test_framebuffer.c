// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/framebuffer.c */
/* What the loader says of the screen: what is usable, and every lie that would make a wild write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/framebuffer.h"

enum { ADDRESS_BITS = 40 };

static const struct mem_range map[] = {
    {.start = 0, .end = 0x9fc00, .type = MEMMAP_USABLE},
    {.start = 0xf0000, .end = 0x100000, .type = 2},
    {.start = 0x100000, .end = 0x10000000, .type = MEMMAP_USABLE},
    {.start = 0xb0000000, .end = 0xd0000000, .type = 2},
    {.start = 0x100000000, .end = 0x200000000, .type = MEMMAP_USABLE},
};

static const struct boot_framebuffer pixels = {
    .present = true,
    .address = 0xc0000000,
    .pitch = 5120,
    .width = 1280,
    .height = 800,
    .bpp = 32,
    .type = BOOT_FRAMEBUFFER_RGB,
    .red = {16, 8},
    .green = {8, 8},
    .blue = {0, 8},
};

static const struct boot_framebuffer text = {
    .present = true,
    .address = 0xb8000,
    .pitch = 160,
    .width = 80,
    .height = 25,
    .bpp = 16,
    .type = BOOT_FRAMEBUFFER_TEXT,
};

static const char *refusal(const struct boot_framebuffer *screen)
{
    return framebuffer_refusal(screen, map, sizeof(map) / sizeof(map[0]), ADDRESS_BITS);
}

static void assert_refused(struct boot_framebuffer screen, const char *word)
{
    const char *why = refusal(&screen);
    if (why == NULL || strstr(why, word) == NULL)
        fail_msg("expected a refusal with \"%s\", got %s", word, why == NULL ? "none" : why);
}

/* `base` with one field changed. */
#define WITH(base, ...)                                                                            \
    ({                                                                                             \
        struct boot_framebuffer changed = (base);                                                  \
        struct boot_framebuffer *s = &changed;                                                     \
        __VA_ARGS__;                                                                               \
        changed;                                                                                   \
    })

static void test_usable(void **state)
{
    (void)state;
    assert_null(refusal(&pixels));
    assert_null(refusal(&text));
    assert_int_equal(framebuffer_bytes(&pixels), 4096000);
    assert_int_equal(framebuffer_bytes(&text), 4000);
    assert_int_equal(framebuffer_pixel_bytes(&pixels), 4);
    struct boot_framebuffer deep = WITH(pixels, s->bpp = 24);
    assert_null(refusal(&deep));
    assert_int_equal(framebuffer_pixel_bytes(&deep), 3);
    struct boot_framebuffer shallow = WITH(
        pixels, s->bpp = 15, s->red = (struct arch_colour_field){10, 5},
        s->green = (struct arch_colour_field){5, 5}, s->blue = (struct arch_colour_field){0, 5});
    assert_null(refusal(&shallow));
    assert_int_equal(framebuffer_pixel_bytes(&shallow), 2);
    struct boot_framebuffer high = WITH(pixels, s->address = 0x8000000000);
    assert_null(refusal(&high));
}

static void test_form(void **state)
{
    (void)state;
    assert_refused(WITH(pixels, s->type = 0), "indexed");
    assert_refused(WITH(pixels, s->type = 3), "unknown");
    assert_refused(WITH(pixels, s->type = 255), "unknown");
    assert_refused(WITH(pixels, s->width = 0), "no area");
    assert_refused(WITH(pixels, s->height = 0), "no area");
    assert_refused(WITH(text, s->height = 0), "no area");
    assert_refused(WITH(pixels, s->pitch = 5119), "overlap");
    assert_refused(WITH(pixels, s->pitch = 0), "overlap");
    assert_refused(WITH(pixels, s->width = UINT32_MAX), "overlap"); /* times 4 is over 32 bits */
    assert_refused(WITH(pixels, s->width = 0x40000001), "overlap"); /* times 4 is 4 in 32 bits */
    assert_refused(WITH(text, s->pitch = 159), "overlap");
    assert_refused(WITH(pixels, s->height = UINT32_MAX), "impossibly large");
    assert_refused(WITH(pixels, s->pitch = UINT32_MAX, s->height = UINT32_MAX), "impossibly large");
    assert_refused(WITH(pixels, s->bpp = 8), "neither 16, 24 nor 32");
    assert_refused(WITH(pixels, s->bpp = 0), "neither 16, 24 nor 32");
    assert_refused(WITH(pixels, s->bpp = 40, s->pitch = 6400), "neither 16, 24 nor 32");
    assert_refused(WITH(pixels, s->width = 63), "too small");
    assert_refused(WITH(pixels, s->height = 63), "too small");
    assert_refused(WITH(pixels, s->red.position = 25), "outside");
    assert_refused(WITH(pixels, s->green.bits = 0), "outside");
    assert_refused(WITH(pixels, s->blue.bits = 17), "outside");
    assert_refused(WITH(pixels, s->bpp = 16), "outside");
    assert_refused(WITH(pixels, s->blue.position = 255, s->blue.bits = 8), "outside");
}

static void test_place(void **state)
{
    (void)state;
    assert_refused(WITH(pixels, s->address = 0), "no memory can be");
    assert_refused(WITH(pixels, s->address = UINT64_C(1) << ADDRESS_BITS), "no memory can be");
    assert_refused(WITH(pixels, s->address = (UINT64_C(1) << ADDRESS_BITS) - 4095999),
                   "no memory can be");
    assert_refused(WITH(pixels, s->address = UINT64_MAX - 100), "no memory can be");
    assert_refused(WITH(text, s->address = 0xfff00), "no VGA");
    assert_refused(WITH(pixels, s->address = 0x200000), "other things");
    assert_refused(WITH(pixels, s->address = 0x180000000), "other things");
    assert_refused(WITH(pixels, s->address = 0x100000000 - 4095999),
                   "other things");                                        /* last byte */
    assert_refused(WITH(pixels, s->address = 0x0fffffff), "other things"); /* first */
    assert_refused(WITH(text, s->address = 0x9f000), "other things");
    struct boot_framebuffer beside = WITH(pixels, s->address = 0x100000000 - 4096000);
    assert_null(refusal(&beside));
    beside = WITH(pixels, s->address = 0x10000000);
    assert_null(refusal(&beside));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usable),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
