// SPDX-License-Identifier: MIT
/*
 * Pipes: 64 KiB between two open files. A write of up to PIPE_BUF bytes is never mixed with
 * another's. A reader waits for the first byte, a writer for room, unless its end is O_NONBLOCK;
 * without writers a reader finds the end (0), without readers a writer gets -EPIPE. An end counts
 * as there until the last descriptor that shares its struct file is closed.
 *
 * Source: POSIX.1-2017, pipe() and write(); Linux man-pages, pipe(7)
 */
#pragma once

struct file;

enum {
    PIPE_BUF = 4096,       /* bytes that are written in one piece */
    PIPE_BYTES = 64 << 10, /* that a pipe holds */
};

/*
 * Make one: ends[0] is read from, ends[1] written to, each with a reference for the caller. Of the
 * flags O_NONBLOCK counts. Returns: 0, -ENOMEM. Context: thread. Sleeps: no.
 */
int pipe_create(unsigned flags, struct file *ends[2]);
