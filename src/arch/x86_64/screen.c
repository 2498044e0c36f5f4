// SPDX-License-Identifier: MIT
/*
 * From the loader's description of the screen, or a VGA's own registers, to mapped memory.
 * Source: Multiboot2 specification, "Framebuffer info"; IBM VGA Technical Reference, "Miscellaneous
 * Output Register", "Graphics Controller", "CRT Controller"
 */
#include "arch/arch.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/entry.h"
#include "arch/x86_64/framebuffer.h"
#include "arch/x86_64/io.h"
#include "arch/x86_64/paging.h"
#include "lib/errno.h"
#include "lib/log.h"

/* clang-format off */
enum {
    VGA_GRAPHICS_INDEX = 0x3ce,
    VGA_GRAPHICS_DATA = 0x3cf,
        VGA_GRAPHICS_MISC = 6,
            VGA_GRAPHICS_MISC_PIXELS = 1 << 0, /* graphics, not text */
            VGA_GRAPHICS_MISC_MAP = 3 << 2,    /* where its memory is; both bits: at 0xb8000 */
    VGA_MISC_READ = 0x3cc,
        VGA_MISC_COLOUR = 1 << 0, /* the CRT controller is at 0x3d4 */
        VGA_MISC_MEMORY = 1 << 1, /* the processor reaches its memory */
    VGA_CRT_INDEX = 0x3d4,
    VGA_CRT_DATA = 0x3d5,
        VGA_CRT_COLUMNS_END = 0x01, /* of what is shown, less one */
        VGA_CRT_OVERFLOW = 0x07,
            VGA_CRT_OVERFLOW_LINES_8 = 1 << 1,
            VGA_CRT_OVERFLOW_LINES_9 = 1 << 6,
        VGA_CRT_MAX_SCAN_LINE = 0x09,
            VGA_CRT_SCAN_LINES = 0x1f, /* of a character, less one */
        VGA_CRT_LINES_END = 0x12,      /* scan lines shown, less one: the low eight bits */
    VGA_FLOATING = 0xff,
};
/* clang-format on */

enum { VGA_TEXT_ADDRESS = 0xb8000, VGA_TEXT_BYTES = 0x8000 };

static uint8_t vga_read(uint16_t index_port, uint8_t index)
{
    io_out8(index_port, index);
    return io_in8((uint16_t)(index_port + 1));
}

static uint32_t vga_text_rows(void)
{
    uint8_t overflow = vga_read(VGA_CRT_INDEX, VGA_CRT_OVERFLOW);
    uint32_t lines = vga_read(VGA_CRT_INDEX, VGA_CRT_LINES_END);
    lines |= (overflow & VGA_CRT_OVERFLOW_LINES_8) != 0 ? 1 << 8 : 0;
    lines |= (overflow & VGA_CRT_OVERFLOW_LINES_9) != 0 ? 1 << 9 : 0;
    uint32_t lines_a_row =
        (vga_read(VGA_CRT_INDEX, VGA_CRT_MAX_SCAN_LINE) & VGA_CRT_SCAN_LINES) + 1u;
    return (lines + 1) / lines_a_row;
}

/* A VGA in a text mode with colours, by its own word. */
static bool find_vga_text(struct boot_framebuffer *screen)
{
    enum { WANTED_MISC = VGA_MISC_COLOUR | VGA_MISC_MEMORY };
    uint8_t misc = io_in8(VGA_MISC_READ);
    if (misc == VGA_FLOATING || (misc & WANTED_MISC) != WANTED_MISC)
        return false;
    uint8_t mode = vga_read(VGA_GRAPHICS_INDEX, VGA_GRAPHICS_MISC);
    if ((mode & (VGA_GRAPHICS_MISC_PIXELS | VGA_GRAPHICS_MISC_MAP)) != VGA_GRAPHICS_MISC_MAP)
        return false;
    uint32_t width = vga_read(VGA_CRT_INDEX, VGA_CRT_COLUMNS_END) + 1u;
    *screen = (struct boot_framebuffer){.present = true,
                                        .address = VGA_TEXT_ADDRESS,
                                        .pitch = width * FRAMEBUFFER_TEXT_BYTES,
                                        .width = width,
                                        .height = vga_text_rows(),
                                        .bpp = FRAMEBUFFER_TEXT_BYTES * 8,
                                        .type = BOOT_FRAMEBUFFER_TEXT};
    return screen->height > 0 && framebuffer_bytes(screen) <= VGA_TEXT_BYTES;
}

static bool is_refused(const struct boot_framebuffer *screen)
{
    const char *why = framebuffer_refusal(screen, boot_info.ranges, boot_info.range_count,
                                          cpu_features.physical_bits);
    if (why != NULL)
        log_warn("screen: the loader's screen %s: %ux%u, %u bits, type %u, at %#llx", why,
                 screen->width, screen->height, screen->bpp, screen->type,
                 (unsigned long long)screen->address);
    return why != NULL;
}

int arch_screen_map(bool look, struct arch_screen *screen)
{
    struct boot_framebuffer named = boot_info.framebuffer;
    if (named.present && is_refused(&named))
        return -EINVAL;
    look = look || boot_info.asked_for_screen; /* one that sets no mode leaves the firmware's */
    if (!named.present && (!look || !find_vga_text(&named)))
        return -ENODEV;
    void *memory = map_physical(named.address, framebuffer_bytes(&named), PROT_W | PROT_COMBINE);
    if (memory == NULL)
        return -ENOMEM;
    *screen = (struct arch_screen){
        .kind = named.type == BOOT_FRAMEBUFFER_TEXT ? ARCH_SCREEN_TEXT : ARCH_SCREEN_PIXELS,
        .memory = memory,
        .pitch = named.pitch,
        .width = named.width,
        .height = named.height,
        .pixel_bytes = (uint8_t)framebuffer_pixel_bytes(&named),
        .red = named.red,
        .green = named.green,
        .blue = named.blue,
    };
    return 0;
}
