// SPDX-License-Identifier: MIT
/*
 * A tar archive is a row of 512-byte blocks: a header with text fields, the contents rounded up to
 * blocks, the next header. Headers of the types L, K and x carry no file but a longer name (or
 * size) for the one that follows; they are remembered as spans of the archive and copied only then.
 *
 * Invariant: the cursor's offset never exceeds the archive's size, and a header is used only after
 * its checksum was found right and all of its contents are there.
 */
#include "fs/tar.h"

#include "lib/errno.h"
#include "lib/text.h"

/* A header block. Text fields need not be terminated; numbers are octal text or base-256. */
struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char owner[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155];
    char padding[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

enum header_type {
    TYPE_FILE_OLD = '\0',
    TYPE_FILE = '0',
    TYPE_HARD_LINK = '1',
    TYPE_SYMLINK = '2',
    TYPE_CHAR_DEVICE = '3',
    TYPE_BLOCK_DEVICE = '4',
    TYPE_DIRECTORY = '5',
    TYPE_FIFO = '6',
    TYPE_CONTIGUOUS = '7',
    TYPE_LONG_NAME = 'L',
    TYPE_LONG_LINK = 'K',
    TYPE_PAX = 'x',
    TYPE_PAX_GLOBAL = 'g',
};

enum {
    MODE_MASK = 07777,
    BASE256_MARK = 0x80,     /* top bit of a number's first byte: the rest is binary */
    BASE256_FIRST = 0x7f,    /* the bits of that byte that count */
    BASE256_NEGATIVE = 0xff, /* that byte in a negative number */
    BASE256_ROOM_SHIFT = 56, /* bits above this one would be lost by the next byte */
};

/* Bytes of the archive; at == NULL: there are none. */
struct span {
    const char *at;
    size_t length;
};

/* What L, K and x headers said about the file to come. */
struct pending {
    struct span name;
    struct span link;
    bool has_size;
    uint64_t size;
};

static int fail(struct tar_cursor *cursor, size_t offset, int error, const char *text)
{
    cursor->error = text;
    cursor->error_offset = offset;
    return error;
}

/* The archive is damaged: there is no telling where the next header is. */
static int fail_for_good(struct tar_cursor *cursor, size_t offset, const char *text)
{
    cursor->ended = true;
    cursor->result = -EINVAL;
    return fail(cursor, offset, -EINVAL, text);
}

/* ---- numbers and checksums ------------------------------------------------------------------- */

static bool parse_base256(const char *field, size_t length, uint64_t *value)
{
    uint8_t first = (uint8_t)field[0];
    uint64_t number = first & BASE256_FIRST;

    if (first == BASE256_NEGATIVE)
        return false;
    for (size_t i = 1; i < length; i++) {
        if (number >> BASE256_ROOM_SHIFT != 0)
            return false;
        number = number << 8 | (uint8_t)field[i];
    }
    *value = number;
    return true;
}

/* Octal digits, blanks before them, then a blank, a NUL or the field's end. No digits mean 0. */
static bool parse_octal(const char *field, size_t length, uint64_t *value)
{
    uint64_t number = 0;
    size_t i = 0;

    while (i < length && field[i] == ' ')
        i++;
    for (; i < length && field[i] >= '0' && field[i] <= '7'; i++)
        number = number << 3 | (uint64_t)(field[i] - '0'); /* 12 digits are 36 bits */
    if (i < length && field[i] != ' ' && field[i] != '\0')
        return false;
    *value = number;
    return true;
}

static bool parse_number(const char *field, size_t length, uint64_t *value)
{
    if (((uint8_t)field[0] & BASE256_MARK) != 0)
        return parse_base256(field, length, value);
    return parse_octal(field, length, value);
}

/* Decimal digits that fill the span. */
static bool parse_decimal(struct span text, uint64_t *value)
{
    uint64_t number = 0;

    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.at[i] - '0'), &number))
            return false;
    }
    *value = number;
    return true;
}

/* The bytes of the header add up to its checksum, the checksum's own counted as blanks. Some old
 * writers added them up as signed numbers. */
static bool checksum_is_right(const struct header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint64_t expected;
    uint64_t sum = 0;
    int64_t signed_sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        bool own = i - offsetof(struct header, checksum) < sizeof(header->checksum);
        uint8_t byte = own ? (uint8_t)' ' : bytes[i];
        sum += byte;
        signed_sum += (int8_t)byte;
    }
    return parse_number(header->checksum, sizeof(header->checksum), &expected) &&
           (expected == sum || (int64_t)expected == signed_sum);
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A text field of a header, up to its terminator if it has one. */
static struct span field_text(const char *field, size_t size)
{
    return (struct span){.at = field, .length = strnlen(field, size)};
}

/*
 * Append the components of `path` to the `*used` bytes in `to` (TAR_NAME_MAX), without empty ones
 * and "."; `to` stays terminated. Returns: 0, -EPERM (a ".." component), -ENAMETOOLONG.
 */
static int append_path(char *to, size_t *used, struct span path)
{
    for (size_t i = 0; i < path.length;) {
        const char *part = path.at + i;
        size_t length = 0;

        while (i + length < path.length && part[length] != '/')
            length++;
        i += length + 1;
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return -EPERM;
        if (*used + (*used > 0 ? 1 : 0) + length >= TAR_NAME_MAX)
            return -ENAMETOOLONG;
        if (*used > 0)
            to[(*used)++] = '/';
        memcpy(to + *used, part, length);
        *used += length;
        to[*used] = '\0';
    }
    return 0;
}

/* A path inside the archive, into `to`. */
static int build_path(char *to, struct span prefix, struct span path)
{
    size_t used = 0;

    to[0] = '\0';
    int error = append_path(to, &used, prefix);
    return error != 0 ? error : append_path(to, &used, path);
}

/* A symbolic link's target, as it stands. */
static int copy_target(char *to, struct span target)
{
    if (target.length >= TAR_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(to, target.at, target.length);
    to[target.length] = '\0';
    return 0;
}

/* GNU tar writes the same magic with another version, and other things in the prefix's place. */
static struct span prefix_of(const struct header *header)
{
    static const char posix_magic[sizeof(header->magic)] = "ustar";

    if (memcmp(header->magic, posix_magic, sizeof(posix_magic)) != 0)
        return (struct span){.at = header->prefix, .length = 0};
    return field_text(header->prefix, sizeof(header->prefix));
}

static int build_name(struct tar_cursor *cursor, const struct header *header,
                      const struct pending *pending)
{
    if (pending->name.at != NULL)
        return build_path(cursor->name, (struct span){.at = "", .length = 0}, pending->name);
    return build_path(cursor->name, prefix_of(header),
                      field_text(header->name, sizeof(header->name)));
}

static int build_link(struct tar_cursor *cursor, const struct header *header,
                      const struct pending *pending, enum tar_type type)
{
    struct span link =
        pending->link.at != NULL ? pending->link : field_text(header->link, sizeof(header->link));
    int error = 0;

    cursor->link[0] = '\0';
    if (type == TAR_HARD_LINK)
        error = build_path(cursor->link, (struct span){.at = "", .length = 0}, link);
    else if (type == TAR_SYMLINK)
        error = copy_target(cursor->link, link);
    else
        return 0;
    if (error == 0 && cursor->link[0] == '\0')
        error = -ENOENT;
    return error;
}

/* ---- extended headers ------------------------------------------------------------------------ */

static bool key_is(struct span key, const char *name)
{
    return key.length == strlen(name) && memcmp(key.at, name, key.length) == 0;
}

/* A name from a pax record: an empty one means "back to the header's", none may hold a NUL. */
static bool set_name(struct span *name, struct span value)
{
    if (strnlen(value.at, value.length) != value.length)
        return false;
    *name = value.length > 0 ? value : (struct span){0};
    return true;
}

static bool use_record(struct span key, struct span value, struct pending *pending)
{
    if (key_is(key, "path"))
        return set_name(&pending->name, value);
    if (key_is(key, "linkpath"))
        return set_name(&pending->link, value);
    if (key_is(key, "size")) {
        pending->has_size = value.length > 0;
        return value.length == 0 || parse_decimal(value, &pending->size);
    }
    return true;
}

/*
 * Take one record, "LENGTH key=value\n", off the front of `text`; LENGTH counts all of it.
 * Returns: false if it is not one.
 */
static bool take_record(struct span *text, struct span *key, struct span *value)
{
    uint64_t length;
    size_t digits = 0;

    while (digits < text->length && text->at[digits] != ' ')
        digits++;
    if (!parse_decimal((struct span){.at = text->at, .length = digits}, &length))
        return false;
    /* "=" and the line end are the least that can follow the blank */
    if (length > text->length || length < digits + 3 || text->at[length - 1] != '\n')
        return false;

    size_t start = digits + 1;
    size_t end = (size_t)length - 1;
    size_t equals = start;
    while (equals < end && text->at[equals] != '=')
        equals++;
    if (equals == end)
        return false;
    *key = (struct span){.at = text->at + start, .length = equals - start};
    *value = (struct span){.at = text->at + equals + 1, .length = end - equals - 1};
    text->at += length;
    text->length -= (size_t)length;
    return true;
}

static bool read_pax(struct span text, struct pending *pending)
{
    struct span key, value;

    while (text.length > 0) {
        if (!take_record(&text, &key, &value) || !use_record(key, value, pending))
            return false;
    }
    return true;
}

/* Is this header one that only describes the next? Then take what it says. */
static bool take_extension(char type, struct span contents, struct pending *pending, bool *ok)
{
    *ok = true;
    switch (type) {
    case TYPE_LONG_NAME:
        pending->name = field_text(contents.at, contents.length);
        return true;
    case TYPE_LONG_LINK:
        pending->link = field_text(contents.at, contents.length);
        return true;
    case TYPE_PAX:
        *ok = read_pax(contents, pending);
        return true;
    case TYPE_PAX_GLOBAL:
        return true;
    default:
        return false;
    }
}

/* ---- entries --------------------------------------------------------------------------------- */

static enum tar_type type_of(const struct header *header)
{
    size_t length = strnlen(header->name, sizeof(header->name));

    switch (header->type) {
    case TYPE_FILE_OLD:
    case TYPE_FILE:
        /* before there was a type for them, a directory was a file with a '/' at its end */
        return length > 0 && header->name[length - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
    case TYPE_CONTIGUOUS:
        return TAR_FILE;
    case TYPE_HARD_LINK:
        return TAR_HARD_LINK;
    case TYPE_SYMLINK:
        return TAR_SYMLINK;
    case TYPE_DIRECTORY:
        return TAR_DIRECTORY;
    default:
        return TAR_OTHER;
    }
}

/* Links, directories and devices have no contents, whatever their size field says. */
static bool has_contents(char type)
{
    return type < TYPE_HARD_LINK || type > TYPE_FIFO;
}

/*
 * The header at the cursor, checked, or NULL; then *result is 0 for the archive's end, or the
 * error. Two blocks of zeros are the end; one is, if nothing but zeros follows in what is left of
 * a block.
 */
static const struct header *next_header(struct tar_cursor *cursor, int *result)
{
    size_t left = cursor->size - cursor->offset;

    *result = 0;
    if (cursor->size == 0) /* there may be no data to point to */
        return NULL;
    const uint8_t *block = cursor->data + cursor->offset;
    if (left < TAR_BLOCK) {
        *result = fail_for_good(cursor, cursor->offset, "cut short");
        return NULL;
    }
    if (is_zero(block, TAR_BLOCK)) {
        size_t rest = left - TAR_BLOCK < TAR_BLOCK ? left - TAR_BLOCK : TAR_BLOCK;
        if (!is_zero(block + TAR_BLOCK, rest))
            *result = fail_for_good(cursor, cursor->offset, "lone block of zeros");
        return NULL;
    }
    const struct header *header = (const struct header *)block;
    if (!checksum_is_right(header)) {
        *result = fail_for_good(cursor, cursor->offset, "bad checksum");
        return NULL;
    }
    return header;
}

/*
 * Find the contents of the header at the cursor and move the cursor behind them.
 * Returns: 0, or the error.
 */
static int take_contents(struct tar_cursor *cursor, const struct header *header,
                         const struct pending *pending, struct span *contents)
{
    size_t start = cursor->offset + TAR_BLOCK;
    size_t left = cursor->size - start;
    uint64_t size = 0;

    if (!parse_number(header->size, sizeof(header->size), &size))
        return fail_for_good(cursor, cursor->offset, "bad number");
    if (pending->has_size)
        size = pending->size;
    if (!has_contents(header->type))
        size = 0;
    if (size > left)
        return fail_for_good(cursor, cursor->offset, "cut short");

    uint64_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    contents->at = (const char *)cursor->data + start;
    contents->length = (size_t)size;
    /* padding that is missing at the end is found by the next header, which is missing too */
    cursor->offset = padded < left ? start + (size_t)padded : cursor->size;
    return 0;
}

static int fail_entry(struct tar_cursor *cursor, size_t offset, int error)
{
    switch (error) {
    case -EPERM:
        return fail(cursor, offset, error, "name leaves the root");
    case -ENAMETOOLONG:
        return fail(cursor, offset, error, "name too long");
    default:
        return fail(cursor, offset, error, "empty name");
    }
}

/* Returns: 1 and *entry, 0 if it is the archive's own root, or the error. */
static int make_entry(struct tar_cursor *cursor, const struct header *header, size_t offset,
                      const struct pending *pending, struct span contents, struct tar_entry *entry)
{
    enum tar_type type = type_of(header);
    uint64_t mode;

    if (!parse_number(header->mode, sizeof(header->mode), &mode))
        return fail_for_good(cursor, offset, "bad number");
    int error = build_name(cursor, header, pending);
    if (error == 0 && cursor->name[0] == '\0') {
        if (type == TAR_DIRECTORY)
            return 0;
        error = -ENOENT;
    }
    if (error == 0)
        error = build_link(cursor, header, pending, type);
    if (error != 0)
        return fail_entry(cursor, offset, error);

    *entry = (struct tar_entry){
        .type = type,
        .type_flag = header->type,
        .mode = (uint32_t)(mode & MODE_MASK),
        .name = cursor->name,
        .link = cursor->link,
        .data = contents.at,
        .size = type == TAR_FILE ? contents.length : 0,
        .offset = offset,
    };
    return 1;
}

void tar_open(struct tar_cursor *cursor, const void *data, size_t size)
{
    memset(cursor, 0, sizeof(*cursor));
    cursor->data = data;
    cursor->size = size;
}

int tar_next(struct tar_cursor *cursor, struct tar_entry *entry)
{
    struct pending pending = {0};

    while (!cursor->ended) {
        size_t offset = cursor->offset;
        struct span contents;
        int result;
        bool ok;

        const struct header *header = next_header(cursor, &result);
        if (header == NULL) {
            cursor->ended = true;
            cursor->result = result;
            break;
        }
        cursor->seen_entry = true;
        result = take_contents(cursor, header, &pending, &contents);
        if (result != 0)
            return result;
        if (take_extension(header->type, contents, &pending, &ok)) {
            if (!ok)
                return fail_for_good(cursor, offset, "bad extended header");
            continue;
        }
        result = make_entry(cursor, header, offset, &pending, contents, entry);
        if (result != 0)
            return result;
        pending = (struct pending){0};
    }
    return cursor->result;
}

bool tar_is_empty(const struct tar_cursor *cursor)
{
    return !cursor->seen_entry;
}
