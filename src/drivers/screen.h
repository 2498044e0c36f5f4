// SPDX-License-Identifier: MIT
/*
 * The screen as a console, "tty0": text on the pixels or in the text mode that the boot loader
 * left.
 */
#pragma once

#include <stdbool.h>

struct console;

/*
 * Take the screen and register its console, which shows the log so far. `look`: a screen that the
 * loader did not name will do too (arch_screen_map).
 * Returns: 0, -ENODEV (no screen), -EINVAL (one that cannot be used; the log says why), -ENOMEM.
 * Context: boot cpu only, once, after arch_init_memory(). Sleeps: no. Locks: console.
 */
int screen_init(bool look);

/* Its console; NULL if there is none. Context: any. */
struct console *screen_console(void);
