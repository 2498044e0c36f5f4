// SPDX-License-Identifier: MIT
/*
 * The two calls for Ethernet frames. Context: thread, interrupts on, for all of this file.
 */
#include "lib/errno.h"
#include "net/device.h"
#include "net/queue.h"
#include "proc/process.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

/* Can a frame be put there, as far as reading tells? It spans two pages at most. Whether they may
 * be written shows when it is. */
static bool buffer_is_there(uintptr_t buf, size_t size)
{
    char byte;
    size_t used = size < NET_FRAME_MAX ? size : NET_FRAME_MAX;
    if (!user_range_ok(buf, size))
        return false;
    return used == 0 ||
           (copy_from_user(&byte, buf, 1) == 0 && copy_from_user(&byte, buf + used - 1, 1) == 0);
}

long sys_rcv_frame(uintptr_t buf, size_t size, int64_t timeout_ns)
{
    struct process *self = process_current();
    if (timeout_ns < -1)
        return -EINVAL;
    if (!buffer_is_there(buf, size))
        return -EFAULT;
    if (net_device_first() == NULL)
        return -ENODEV;
    if (self->frames == NULL)
        self->frames = net_queue_open(self->pid);
    if (self->frames == NULL)
        return -ENOMEM;
    return net_queue_take(self->frames, buf, size, timeout_ns);
}

long sys_snd_frame(uintptr_t buf, int len)
{
    uint8_t frame[NET_FRAME_MAX];
    if (len < NET_FRAME_MIN || len > NET_FRAME_MAX)
        return -EINVAL;
    if (copy_from_user(frame, buf, (size_t)len) != 0)
        return -EFAULT;
    struct net_device *dev = net_device_first();
    return dev == NULL ? -ENODEV : net_send(dev, frame, (size_t)len);
}
