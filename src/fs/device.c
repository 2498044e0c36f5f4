// SPDX-License-Identifier: MIT
/*
 * The table of devices, their nodes, and the two devices that are nothing but arithmetic.
 */
#include "fs/device.h"

#include <stdbool.h>
#include <stddef.h>

#include "fs/file.h"
#include "fs/fs_internal.h"
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "sched/thread.h"
#include "vm/user_copy.h"

enum {
    DEV_MODE = 0755,
    NODE_MODE = 0666,
    MAJOR_SHIFT = 8,
    NUMBER_MAX = 0xff, /* of a major or minor number; larger ones are coded differently */
    MEM_MAJOR = 1,
    NULL_MINOR = 3,
    ZERO_MINOR = 5,
};
#define DEV_PREFIX "/dev/"

struct device {
    const char *name;
    uint64_t number;
    device_open_fn *open;
    void *data; /* for it */
};

static struct device devices[FS_DEVICES_MAX]; /* I: by the boot core, before programs run */
static size_t device_count;

/* ---- null and zero --------------------------------------------------------------------------- */

static long null_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)file, (void)position, (void)buf, (void)size;
    return 0;
}

static long zero_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    size_t done = 0;
    (void)file, (void)position;
    while (done < size) {
        size_t part = fs_piece(0, buf + done, size - done);
        if (copy_to_user(buf + done, fs_zeros, part) != 0)
            break;
        done += part;
        thread_point();
    }
    return done == 0 && size > 0 ? -EFAULT : (long)done;
}

static long swallow(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)file, (void)position, (void)buf;
    return (long)size;
}

static int64_t stay(struct file *file, uint64_t position, int64_t offset, int whence)
{
    (void)file, (void)position, (void)offset, (void)whence;
    return 0;
}

static const struct file_ops null_ops = {.read = null_read, .write = swallow, .seek = stay};
static const struct file_ops zero_ops = {.read = zero_read, .write = swallow, .seek = stay};

static int open_with(const struct file_ops *ops, unsigned flags, struct file **file)
{
    *file = file_create(ops, NULL, flags);
    return *file != NULL ? 0 : -ENOMEM;
}

static int null_open(void *data, unsigned flags, struct file **file)
{
    (void)data;
    return open_with(&null_ops, flags, file);
}

static int zero_open(void *data, unsigned flags, struct file **file)
{
    (void)data;
    return open_with(&zero_ops, flags, file);
}

/* ---- the table ------------------------------------------------------------------------------- */

uint64_t device_number(const struct device *device)
{
    return device->number;
}

int device_open(const struct device *device, unsigned flags, struct file **file)
{
    return device->open(device->data, flags, file);
}

int fs_register_device(const char *name, uint32_t major, uint32_t minor, device_open_fn *open,
                       void *data)
{
    size_t length = strnlen(name, FS_DEVICE_NAME_MAX);
    if (length == 0 || length == FS_DEVICE_NAME_MAX || strchr(name, '/') != NULL ||
        major > NUMBER_MAX || minor > NUMBER_MAX)
        return -EINVAL;
    uint64_t number = (uint64_t)major << MAJOR_SHIFT | minor;
    for (size_t i = 0; i < device_count; i++) {
        if (strcmp(devices[i].name, name) == 0 || devices[i].number == number)
            return -EEXIST;
    }
    if (device_count == FS_DEVICES_MAX)
        return -ENOSPC;
    devices[device_count++] =
        (struct device){.name = name, .number = number, .open = open, .data = data};
    return 0;
}

static int make_node(const struct device *device)
{
    char path[sizeof(DEV_PREFIX) + FS_DEVICE_NAME_MAX];
    (void)snprintf(path, sizeof(path), DEV_PREFIX "%s", device->name);
    int error = memfs_make_device(path, device, NODE_MODE);
    if (error == -EEXIST)
        log_warn("%s: the archive has something of that name: the device is not there", path);
    else if (error != 0)
        log_warn("%s: the device's node cannot be made: error %d", path, -error);
    return error;
}

int fs_create_devices(void)
{
    (void)fs_register_device("null", MEM_MAJOR, NULL_MINOR, null_open, NULL);
    (void)fs_register_device("zero", MEM_MAJOR, ZERO_MINOR, zero_open, NULL);
    (void)memfs_mkdir(NULL, DEV_PREFIX, DEV_MODE); /* if it cannot be, no node can, and says so */
    int first_error = 0;
    for (size_t i = 0; i < device_count; i++) {
        int error = make_node(&devices[i]);
        if (first_error == 0)
            first_error = error;
    }
    return first_error;
}

int fs_open_device(const char *name, unsigned flags, struct file **file)
{
    for (size_t i = 0; i < device_count; i++) {
        if (strcmp(devices[i].name, name) == 0)
            return device_open(&devices[i], flags, file);
    }
    return -ENXIO;
}
