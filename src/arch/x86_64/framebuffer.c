// SPDX-License-Identifier: MIT
/*
 * The screen that the loader described, before anybody writes to it. A wrong address would turn
 * each character into a wild write, so all that can be wrong with it is asked for here.
 *
 * The numbers are the loader's, hence hostile: sums and products are made in 64 bits, where those
 * of 32-bit numbers fit.
 */
#include "arch/x86_64/framebuffer.h"

#define LOW_MEMORY_END UINT64_C(0x100000)

enum { COLOUR_BITS_MAX = 16 };

unsigned framebuffer_pixel_bytes(const struct boot_framebuffer *screen)
{
    return screen->type == BOOT_FRAMEBUFFER_TEXT ? FRAMEBUFFER_TEXT_BYTES : (screen->bpp + 7) / 8;
}

uint64_t framebuffer_bytes(const struct boot_framebuffer *screen)
{
    return (uint64_t)screen->pitch * screen->height;
}

static bool field_fits(struct arch_colour_field field, unsigned pixel_bits)
{
    return field.bits != 0 && field.bits <= COLOUR_BITS_MAX &&
           (unsigned)field.position + field.bits <= pixel_bits;
}

/* What is wrong with its form, whatever its address. */
static const char *form_refusal(const struct boot_framebuffer *screen)
{
    unsigned bytes = framebuffer_pixel_bytes(screen);

    if (screen->type == BOOT_FRAMEBUFFER_INDEXED)
        return "has indexed colours, which are not supported";
    if (screen->type != BOOT_FRAMEBUFFER_RGB && screen->type != BOOT_FRAMEBUFFER_TEXT)
        return "is of an unknown type";
    if (screen->width == 0 || screen->height == 0)
        return "has no area";
    if ((uint64_t)screen->width * bytes > screen->pitch)
        return "has lines that overlap";
    if (framebuffer_bytes(screen) > FRAMEBUFFER_BYTES_MAX)
        return "is impossibly large";
    if (screen->type == BOOT_FRAMEBUFFER_TEXT)
        return NULL;
    if (bytes < 2 || bytes > 4)
        return "has pixels of neither 16, 24 nor 32 bits";
    if (screen->width < FRAMEBUFFER_PIXELS_MIN || screen->height < FRAMEBUFFER_PIXELS_MIN)
        return "is too small for text";
    if (!field_fits(screen->red, bytes * 8) || !field_fits(screen->green, bytes * 8) ||
        !field_fits(screen->blue, bytes * 8))
        return "has colours that lie outside its pixels";
    return NULL;
}

static bool meets(const struct mem_range *range, paddr_t start, paddr_t end)
{
    return range->type == MEMMAP_USABLE && range->start < end && start < range->end;
}

const char *framebuffer_refusal(const struct boot_framebuffer *screen,
                                const struct mem_range *ranges, size_t range_count,
                                unsigned address_bits)
{
    const char *why = form_refusal(screen);
    paddr_t start = screen->address, limit = UINT64_C(1) << address_bits;
    uint64_t bytes = framebuffer_bytes(screen);

    if (why != NULL)
        return why;
    if (start == 0 || start >= limit || bytes > limit - start)
        return "lies where no memory can be";
    if (screen->type == BOOT_FRAMEBUFFER_TEXT && start + bytes > LOW_MEMORY_END)
        return "shows text, but is no VGA's";
    for (size_t i = 0; i < range_count; i++) {
        if (meets(&ranges[i], start, start + bytes))
            return "lies in memory that is used for other things";
    }
    return NULL;
}
