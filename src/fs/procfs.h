// SPDX-License-Identifier: MIT
/*
 * /proc: files whose text is made when they are read, and which pass on what is written to them.
 *
 * They are nodes of the one tree of fs/memfs.h, so paths, working directories, "..", stat and
 * getdents need nothing of their own; what differs:
 *
 * - Contents: a read from the start makes the whole text, at once; reads further on continue that
 *   text, until the next read from the start. Size 0 in stat; no SEEK_END (-EINVAL).
 * - Names: only the kernel gives and takes them. Making something under /proc is -ENOENT, taking it
 *   away -EPERM, moving or linking across its border -EXDEV, as on Linux.
 * - Numbers: directories such as /proc/PID come and go with what they stand for. They are made when
 *   somebody looks, and taken away by a later look (procfs_numbers).
 *
 * What stands behind a file is told apart by `data`: for a file of procfs_create() the caller's
 * pointer, in a numbered directory the number (procfs_number()).
 *
 * Context: thread, for all of this file. Sleeps: yes. Locks: as memfs.h; the callbacks say theirs.
 * Source: Linux man-pages, proc(5)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/contents.h"
#include "fs/device.h"

enum {
    PROCFS_WRITE_MAX = 4095,    /* bytes of one write; more are -EINVAL */
    PROCFS_PRINT_MAX = 511,     /* bytes that one procfs_printf() adds; more are cut */
    PROCFS_TEXT_MAX = 16 << 20, /* bytes of a text; a longer one is -ENOMEM for its reader */
    PROCFS_TARGET_MAX = 255,    /* bytes of a link's target */
};

/* ---- texts ----------------------------------------------------------------------------------- */

/* A text that grows; its fields are procfs.c's. Memory that is missing shows at the end: the
 * functions below then do nothing, and the reader gets -ENOMEM. */
struct procfs_text {
    struct contents contents;
    uint64_t bytes;
    bool failed;
};

void procfs_printf(struct procfs_text *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a string; add bytes, zeros too. */
void procfs_puts(struct procfs_text *text, const char *string);
void procfs_append(struct procfs_text *text, const char *bytes, size_t count);

/* ---- files ----------------------------------------------------------------------------------- */

/*
 * What a file does. NULL: reads, or writes, are -EIO. Called with no lock held but the open
 * file's own; may sleep.
 */
struct procfs_ops {
    /* Make the text. Returns: 0, or the error that the read returns (-ESRCH: it has gone). */
    int (*show)(struct procfs_text *text, void *data);
    /*
     * Take what one write() wrote: len (1..PROCFS_WRITE_MAX) bytes and a terminator; zeros may be
     * among them. The place in the file does not matter. Returns: 0 (all was taken), or an error.
     */
    int (*write)(void *data, const char *text, size_t len);
    /* In place of both: make the open file oneself, as a device does (a stream, for instance). */
    device_open_fn *open;
};

/*
 * Make a file. `path` is below /proc, without a '/' before it ("interrupts", "irq/7/x"); missing
 * directories are made. Its mode is 0444, 0644 with a write function, 0400 with an open function.
 * Requires: procfs_init(). `ops` and `data` stay. A file cannot be taken away.
 * Returns: 0; -EEXIST, -ENOTDIR, -ENOENT (no /proc), -ENOSPC; the log says so too.
 */
int procfs_create(const char *path, const struct procfs_ops *ops, void *data);

/*
 * Make a symbolic link whose target is made when a path meets it: target() puts it into the `size`
 * bytes at buf, terminated. Called with `tree` held: it may take spin locks, and not sleep.
 * Returns: as procfs_create().
 */
typedef void procfs_target_fn(void *data, char *buf, size_t size);
int procfs_create_link(const char *path, procfs_target_fn *target, void *data);

/* ---- numbered directories -------------------------------------------------------------------- */

/* A file in each of them (ops), or a link (target). The list ends with a NULL name. */
struct procfs_entry {
    const char *name;
    const struct procfs_ops *ops;
    procfs_target_fn *target;
};

/* Directories named by numbers. The functions are called with `tree` held: they may take spin
 * locks, and not sleep. */
struct procfs_numbers {
    /*
     * What stands behind `number` now, as a mark that is never used for anything else, so that a
     * number which is used again is not taken for what it was. Returns: 0 if there is nothing.
     */
    uint64_t (*mark)(uint32_t number);
    /* The lowest number from `from` on that has something, or PROCFS_NO_NUMBER. */
    uint32_t (*next)(uint32_t from);
    const struct procfs_entry *entries;
};
#define PROCFS_NO_NUMBER UINT32_MAX

/*
 * Let the directory `path` ("" is /proc itself) have a directory for each number there is, beside
 * what it has otherwise. A file in it that was opened before its number's end is -ESRCH after it.
 * `numbers` stays; a directory has one at most. Returns: as procfs_create(); -EEXIST.
 */
int procfs_create_numbers(const char *path, const struct procfs_numbers *numbers);

/* The number of the directory that a file or link is in, from its `data`. */
static inline uint32_t procfs_number(const void *data)
{
    return (uint32_t)(uintptr_t)data;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/*
 * Make /proc, or take over the directory that the archive brought: what is in it stays, with a
 * warning. Requires: memfs_init(), the archive unpacked. Returns: 0; -ENOTDIR (the archive has
 * something else there, and a warning says so), -ENOSPC. Then there is no /proc.
 */
int procfs_init(void);
