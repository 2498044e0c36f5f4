// SPDX-License-Identifier: MIT
/*
 * The console as a terminal of programs: the line discipline of tty_line.h above the console's
 * input and output. There is one, and all who open it share its line and its modes.
 */
#pragma once

struct file;

/*
 * Take the console's input from now on, and make the devices "console" and "tty" known.
 * Returns: 0, -ENOMEM, or as fs_register_device(). Context: boot cpu only, once, in a thread or
 * before there is one, before fs_create_devices(). Sleeps: no.
 */
int tty_init(void);

/*
 * An open file of the console; `flags` are Linux's O_*, of which O_ACCMODE and O_NONBLOCK count.
 *     read   a line at most (canonical mode), or what VMIN and VTIME ask for; 0 at the end of file
 *            (^D), -EAGAIN with O_NONBLOCK, -EFAULT
 *     write  all of it, unbroken by a line of the log; -EFAULT
 *     ioctl  TCGETS, TCSETS, TCSETSW, TCSETSF, TCFLSH, TIOCGWINSZ, FIONREAD; else -ENOTTY
 * What a fs_register_device() wants (fs/device.h): *file has one reference, the caller's.
 * Returns: 0, -ENOMEM. Context: thread. Sleeps: no.
 */
int tty_open(unsigned flags, struct file **file);
