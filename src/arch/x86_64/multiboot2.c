// SPDX-License-Identifier: MIT
/*
 * Multiboot2 boot information: a list of tags, each with a type and a size, on 8-byte boundaries.
 *
 * Invariant: no byte outside the announced total size is read, whatever the tags say. A tag's
 * reader is called only with a tag that lies inside and is as long as its type needs.
 * Source: Multiboot2 specification, "Boot information format"
 */
#include "arch/x86_64/multiboot2.h"

#include "lib/errno.h"

enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_BASIC_MEMORY = 4,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,

    TAG_ALIGN = 8,
};

#define UPPER_MEMORY_BASE UINT64_C(0x100000) /* what "upper memory" counts from */
#define BYTES_PER_KB UINT64_C(1024)

struct info_header {
    uint32_t total_size;
    uint32_t reserved;
};

struct tag_header {
    uint32_t type;
    uint32_t size; /* header included, padding not */
};

struct tag_module {
    struct tag_header header;
    uint32_t start;
    uint32_t end;
};

struct tag_basic_memory {
    struct tag_header header;
    uint32_t lower_kb;
    uint32_t upper_kb;
};

struct tag_memory_map {
    struct tag_header header;
    uint32_t entry_size;
    uint32_t entry_version;
};

struct memory_entry {
    uint64_t base;
    uint64_t length;
    uint32_t type;
    uint32_t reserved;
};

struct tag_framebuffer {
    struct tag_header header;
    uint64_t address;
    uint32_t pitch;
    uint32_t width;
    uint32_t height;
    uint8_t bpp;
    uint8_t type;
    uint16_t reserved;
};

struct tag_framebuffer_rgb {
    struct tag_framebuffer common;
    struct colour_field {
        uint8_t position;
        uint8_t bits;
    } red, green, blue;
};

/* One run of the parser: what is filled, and what can be decided only at the end. */
struct reading {
    struct boot_info *out;
    struct tag_basic_memory basic;
    bool map_seen;
};

/*
 * Copy the string that fills the tag from `offset` on; it may lack its terminator.
 * Returns: true if it was cut.
 */
static bool copy_text(char *to, size_t to_size, const uint8_t *tag, uint32_t size, size_t offset)
{
    size_t length = strnlen((const char *)tag + offset, size - offset);
    size_t kept = length < to_size ? length : to_size - 1;

    memcpy(to, tag + offset, kept);
    to[kept] = '\0';
    return kept < length;
}

static bool read_cmdline(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    struct boot_info *out = reading->out;

    if (copy_text(out->cmdline, sizeof(out->cmdline), tag, size, sizeof(struct tag_header)))
        boot_cut_cmdline(out);
    return true;
}

static bool read_loader(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    struct boot_info *out = reading->out;

    copy_text(out->loader, sizeof(out->loader), tag, size, sizeof(struct tag_header));
    return true;
}

static bool read_module(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    struct boot_info *out = reading->out;
    struct tag_module module;

    memcpy(&module, tag, sizeof(module));
    if (module.end < module.start || out->module_count == BOOT_MODULES_MAX) {
        out->modules_dropped++;
        return true;
    }
    struct boot_module *to = &out->modules[out->module_count++];
    to->start = module.start;
    to->end = module.end;
    copy_text(to->name, sizeof(to->name), tag, size, sizeof(module));
    return true;
}

static bool read_basic_memory(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    (void)size;
    memcpy(&reading->basic, tag, sizeof(reading->basic));
    return true;
}

/* Entries may be longer than we know them: step by the size that the tag gives. */
static bool read_memory_map(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    struct tag_memory_map map;
    struct memory_entry entry;

    memcpy(&map, tag, sizeof(map));
    if (map.entry_size < sizeof(entry))
        return false;
    reading->map_seen = true;
    for (size_t at = sizeof(map); size - at >= sizeof(entry);) {
        memcpy(&entry, tag + at, sizeof(entry));
        boot_add_range(reading->out, entry.base, entry.length, entry.type);
        if (map.entry_size > size - at)
            break;
        at += map.entry_size;
    }
    return true;
}

static bool read_framebuffer(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    struct tag_framebuffer_rgb colours = {0};
    struct tag_framebuffer from;

    memcpy(&from, tag, sizeof(from));
    if (from.type == BOOT_FRAMEBUFFER_RGB) {
        /* its fields end before the struct's padding does */
        if (size < offsetof(struct tag_framebuffer_rgb, blue) + sizeof(colours.blue))
            return false;
        memcpy(&colours.red, tag + offsetof(struct tag_framebuffer_rgb, red),
               3 * sizeof(struct colour_field));
    }
    reading->out->framebuffer = (struct boot_framebuffer){
        .present = true,
        .address = from.address,
        .pitch = from.pitch,
        .width = from.width,
        .height = from.height,
        .bpp = from.bpp,
        .type = from.type,
        .red = {colours.red.position, colours.red.bits},
        .green = {colours.green.position, colours.green.bits},
        .blue = {colours.blue.position, colours.blue.bits},
    };
    return true;
}

static void copy_rsdp(struct boot_info *out, const uint8_t *tag, uint32_t size, size_t max)
{
    size_t length = size - sizeof(struct tag_header);

    out->rsdp_length = length < max ? length : max;
    memcpy(out->rsdp, tag + sizeof(struct tag_header), out->rsdp_length);
}

static bool read_rsdp_old(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    if (reading->out->rsdp_length == 0) /* the new one is better, and may have come first */
        copy_rsdp(reading->out, tag, size, BOOT_RSDP_V1_BYTES);
    return true;
}

static bool read_rsdp_new(const uint8_t *tag, uint32_t size, struct reading *reading)
{
    copy_rsdp(reading->out, tag, size, BOOT_RSDP_MAX);
    return true;
}

/* A reader returns false if the tag contradicts itself. */
static const struct tag_reader {
    uint32_t type;
    uint32_t min_size;
    bool (*read)(const uint8_t *tag, uint32_t size, struct reading *reading);
} readers[] = {
    {TAG_CMDLINE, sizeof(struct tag_header), read_cmdline},
    {TAG_LOADER, sizeof(struct tag_header), read_loader},
    {TAG_MODULE, sizeof(struct tag_module), read_module},
    {TAG_BASIC_MEMORY, sizeof(struct tag_basic_memory), read_basic_memory},
    {TAG_MEMORY_MAP, sizeof(struct tag_memory_map), read_memory_map},
    {TAG_FRAMEBUFFER, sizeof(struct tag_framebuffer), read_framebuffer},
    {TAG_RSDP_OLD, sizeof(struct tag_header) + BOOT_RSDP_V1_BYTES, read_rsdp_old},
    {TAG_RSDP_NEW, sizeof(struct tag_header) + BOOT_RSDP_V1_BYTES, read_rsdp_new},
};

/* Returns: false if the tag made no sense. Tags of other types are none of our business. */
static bool read_tag(const uint8_t *bytes, const struct tag_header *tag, struct reading *reading)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (readers[i].type == tag->type)
            return tag->size >= readers[i].min_size && readers[i].read(bytes, tag->size, reading);
    }
    return true;
}

static void note_bad(struct boot_info *out, size_t offset)
{
    if (out->bad_offset == 0)
        out->bad_offset = offset;
}

static void read_tags(const uint8_t *info, size_t total, struct reading *reading)
{
    struct tag_header tag;
    size_t offset = sizeof(struct info_header);

    while (offset <= total && total - offset >= sizeof(tag)) {
        memcpy(&tag, info + offset, sizeof(tag));
        if (tag.type == TAG_END)
            return;
        if (tag.size < sizeof(tag) || tag.size > total - offset)
            break;
        if (!read_tag(info + offset, &tag, reading))
            note_bad(reading->out, offset);
        offset += ((size_t)tag.size + TAG_ALIGN - 1) / TAG_ALIGN * TAG_ALIGN;
    }
    note_bad(reading->out, offset); /* an impossible size, or no end tag */
}

int multiboot2_parse(const void *info, size_t max_bytes, struct boot_info *out)
{
    struct info_header header;
    struct reading reading = {.out = out};

    memset(out, 0, sizeof(*out));
    out->asked_for_screen = true;
    if (max_bytes < sizeof(header))
        return -EINVAL;
    memcpy(&header, info, sizeof(header));
    if (header.total_size < sizeof(header) || header.total_size > max_bytes)
        return -EINVAL;

    read_tags(info, header.total_size, &reading);
    if (!reading.map_seen) {
        boot_add_range(out, 0, reading.basic.lower_kb * BYTES_PER_KB, MEMMAP_USABLE);
        boot_add_range(out, UPPER_MEMORY_BASE, reading.basic.upper_kb * BYTES_PER_KB,
                       MEMMAP_USABLE);
    }
    return out->range_count > 0 ? 0 : -EINVAL;
}
