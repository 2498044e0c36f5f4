// SPDX-License-Identifier: MIT
/*
 * Reading a tar archive in memory: POSIX ustar, with the long names of GNU tar and the path,
 * linkpath and size records of pax.
 *
 *     struct tar_cursor *cursor = ...;      (about 8 KiB: static or from the heap)
 *     tar_open(cursor, data, size);
 *     while ((result = tar_next(cursor, &entry)) != 0) {
 *         if (result < 0)
 *             ... cursor->error at cursor->error_offset ...
 *             if (cursor->ended) break;
 *         ...
 *     }
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual,
 * "Basic Tar Format"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TAR_BLOCK = 512,
    TAR_NAME_MAX = 4096, /* bytes of a name, terminator included */
};

enum tar_type {
    TAR_FILE,
    TAR_HARD_LINK, /* `link` names an earlier entry, by its path in the archive */
    TAR_SYMLINK,   /* `link` is the target as it stands */
    TAR_DIRECTORY,
    TAR_OTHER, /* a device, a FIFO or something unheard of: pass it over */
};

struct tar_entry {
    enum tar_type type;
    char type_flag;   /* the archive's letter, for messages */
    uint32_t mode;    /* permission bits, 0..07777 */
    const char *name; /* never empty; no '/' at either end, no "." or ".." component */
    const char *link; /* for the two kinds of links, never empty; "" for the others */
    const void *data; /* the contents of a TAR_FILE, in the archive itself */
    size_t size;      /* bytes of them; 0 for the other types */
    size_t offset;    /* of its header in the archive */
};

struct tar_cursor {
    const uint8_t *data;
    size_t size;
    size_t offset; /* of the next header */
    bool ended;    /* tar_next() will only repeat its last result, which is ... */
    int result;
    bool seen_entry;         /* there was a header */
    const char *error;       /* what is wrong, a constant; NULL: nothing yet */
    size_t error_offset;     /* of the header concerned */
    char name[TAR_NAME_MAX]; /* what entry.name and entry.link point to until the next call */
    char link[TAR_NAME_MAX];
};

/* Begin to read the `size` bytes at `data`, which must stay as long as the cursor is used. */
void tar_open(struct tar_cursor *cursor, const void *data, size_t size);

/*
 * The next entry. The archive's own root directory ("./") is passed over.
 * Returns: 1 and *entry;
 *   0 at the end: two blocks of zeros, or one at the very end, or a size of 0 (see
 *   tar_is_empty());
 *   -EINVAL with error "cut short", "bad checksum", "bad number", "bad extended header" or "lone
 *   block of zeros": the archive is damaged, cursor->ended is set, and there is no going on;
 *   -ENAMETOOLONG "name too long", -EPERM "name leaves the root", -ENOENT "empty name": this
 *   entry is passed over, and the next call goes on behind it.
 */
int tar_next(struct tar_cursor *cursor, struct tar_entry *entry);

/* After tar_next() has returned 0: was there nothing at all? */
bool tar_is_empty(const struct tar_cursor *cursor);
