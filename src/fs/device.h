// SPDX-License-Identifier: MIT
/*
 * Devices: kinds of files that other rooms bring along, and their nodes in /dev. null and zero are
 * made here.
 */
#pragma once

#include <stdint.h>

struct file;

enum { FS_DEVICES_MAX = 16, FS_DEVICE_NAME_MAX = 16 };

/*
 * How a device is opened: make a file (file_create) for the flags of open(2); `data` is what it was
 * registered with. Returns: 0 and *file, or an error. Context: thread, no lock held. Sleeps: may.
 */
typedef int device_open_fn(void *data, unsigned flags, struct file **file);

/*
 * Make a device known as `name` (below FS_DEVICE_NAME_MAX bytes, no '/'; the string stays). Its
 * numbers are those of Linux, for stat: console 5, 1; tty 5, 0; tty0 4, 0; ttyS0 4, 64; null 1, 3;
 * zero 1, 5. Before
 * fs_create_devices(). Returns: 0, -EEXIST (the name or numbers are taken), -ENOSPC, -EINVAL.
 * Context: boot cpu only.
 */
int fs_register_device(const char *name, uint32_t major, uint32_t minor, device_open_fn *open,
                       void *data);

/*
 * Make /dev, unless the archive brought it, and a node for each device, mode 666; what the archive
 * put in a node's place stays, with a warning. Requires: memfs_init(), the archive unpacked.
 * Returns: 0; the first error if a node is missing. Context: thread. Sleeps: yes.
 */
int fs_create_devices(void);

/* Open a device by its name in the registry, whatever /dev holds. Returns: 0 and *file; -ENXIO (no
 * such device), and as device_open_fn. Context: thread. Sleeps: yes. */
int fs_open_device(const char *name, unsigned flags, struct file **file);
