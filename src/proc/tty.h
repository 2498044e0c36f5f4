// SPDX-License-Identifier: MIT
/*
 * Terminals of programs: one for each console (lib/console.h), with the line discipline of
 * tty_line.h between the console's input and the programs. All who open one share its line and its
 * modes; two terminals share nothing.
 *
 *     /dev/ttyS0 ...  each console, by its name
 *     /dev/console    the terminal of the preferred console
 *     /dev/tty        the terminal of the calling process: init's is /dev/console; a process has
 *                     its parent's, until ioctl(TIOCSCTTY) gives it another one
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tty;

/*
 * Make a terminal for each console that is registered by now, take its input from now on, and make
 * the devices known. A console that comes later shows the log and has no terminal.
 * Returns: 0, -ENOMEM, or as fs_register_device(). Context: boot cpu only, once, in a thread,
 * before fs_create_devices(). Sleeps: no.
 */
int tty_init(void);

/*
 * What an open terminal does (the devices are opened by fs_open_device and open(2)); of the flags
 * O_ACCMODE and O_NONBLOCK count, the latter for read alone.
 *     read   a line at most (canonical mode), or what VMIN and VTIME ask for; 0 at the end of file
 *            (^D), -EAGAIN with O_NONBLOCK, -EFAULT, -EIO (nothing can be typed there)
 *     write  all of it, in the writer's sleep, unbroken by a line of the log; -EFAULT
 *     ioctl  TCGETS, TCSETS, TCSETSW, TCSETSF, TCSBRK, TCFLSH, TIOCGWINSZ, TIOCSWINSZ, TIOCSCTTY
 *            (this is the calling process's terminal from now on), TIOCGDEV (the device number of
 *            the terminal itself, also through /dev/console and /dev/tty), FIONREAD (-EIO: nothing
 *            can be typed there); where there is a keyboard KDGKBTYPE (always KB_101), KDGKBMODE
 * and KDSKBMODE (K_RAW, or K_XLATE, for which K_UNICODE is taken; -EINVAL); else -ENOTTY
 */

/* The terminal of /dev/console; NULL without any console. Context: any, after tty_init(). */
struct tty *tty_of_console(void);

/* One character to the calling process's terminal, as write(2). Context: thread. Sleeps: yes. */
void tty_putc(char c);

/*
 * No more output of programs: wait until none is in the midst of a write, and hold up those that
 * come later for good. For the machine's end.
 * Returns: false if one was not through in time. Context: thread. Sleeps: yes.
 */
bool tty_close_output(uint64_t timeout_ns);
