// SPDX-License-Identifier: MIT
/*
 * Reading the kernel log on from where the last read ended: one place for the whole machine, which
 * type 2 of the syslog call and /proc/kmsg share, as on Linux.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"

struct file;

/*
 * Lines `<level>[    1.234567] text\n` into the program's memory: whole ones as long as they fit, a
 * part of a line only if it is the first. With `wait`, sleep until there is one.
 * Returns: bytes; 0 (len 0; or there is none, without `wait`), -EFAULT.
 * Context: thread. Sleeps: yes.
 */
long kmsg_read(uintptr_t buf, size_t len, bool wait);

/* Bytes that kmsg_read() has still to read. Returns: them; -ENOMEM. Context: as there. */
long kmsg_unread(void);

/* Bytes of all lines from `at` on to `end`. `buf` has LOG_FORMATTED_MAX bytes. Context: any. */
size_t kmsg_bytes_between(char *buf, struct log_cursor at, struct log_cursor end);

/* Open /proc/kmsg: reads as kmsg_read(), -EAGAIN instead of waiting with O_NONBLOCK.
 * Returns: 0 and *file; -ENOMEM. Context: thread. */
int kmsg_open(void *data, unsigned flags, struct file **file);
