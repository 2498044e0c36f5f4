// SPDX-License-Identifier: MIT
/*
 * keys [TERMINAL]: the scan codes of the keyboard at TERMINAL (/dev/tty0), as they come. Esc ends
 * it, and so does a keyboard that is left alone for 10 s. It runs on Linux, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "output.h"

/* linux/kd.h, which musl does not bring. */
enum { KDGKBMODE = 0x4b44, KDSKBMODE = 0x4b45, K_RAW = 0 };

enum {
    LATER_KEY = 0xe0, /* the key's code follows */
    PAUSE_KEY = 0xe1, /* two more bytes follow */
    KEY_UP = 0x80,    /* added to a code: the key came up */
    ESCAPE_UP = 0x01 | KEY_UP,
    IDLE_TENTHS = 100,
};

/* Show one byte; the last one of a key's code ends the line. Returns: has Esc come up? */
static bool show(unsigned char code)
{
    static int follow; /* so many bytes of the same key are to come */
    static bool later;
    bool first = follow == 0;
    if (first && (code == LATER_KEY || code == PAUSE_KEY))
        follow = code == LATER_KEY ? 2 : 3;
    follow -= follow > 0;
    printf("%02x ", code);
    if (follow == 0)
        puts((code & KEY_UP) != 0 ? "released" : "pressed");
    fflush(stdout);
    bool plain = first && !later;
    later = follow > 0;
    return plain && code == ESCAPE_UP;
}

static bool show_all(int terminal)
{
    unsigned char codes[64];
    ssize_t count;
    while ((count = read(terminal, codes, sizeof(codes))) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            if (show(codes[i]))
                return true;
        }
    }
    return count == 0;
}

/* Byte by byte, as they are; a read that finds none ends after a while. */
static struct termios raw(struct termios modes)
{
    modes.c_iflag = 0;
    modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    modes.c_cc[VMIN] = 0;
    modes.c_cc[VTIME] = IDLE_TENTHS;
    return modes;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "/dev/tty0";
    if (argc > 2) {
        fprintf(stderr, "usage: keys [TERMINAL]\n");
        return 2;
    }
    int terminal = open(name, O_RDWR | O_NOCTTY), mode;
    struct termios before;
    if (terminal < 0 || tcgetattr(terminal, &before) != 0 ||
        ioctl(terminal, KDGKBMODE, &mode) != 0) {
        fprintf(stderr, "keys: %s: %s\n", name,
                errno == ENOTTY ? "no keyboard there" : strerror(errno));
        return 1;
    }
    const struct termios now = raw(before);
    puts("Scan codes as the keyboard sends them; Esc ends.");
    fflush(stdout);
    bool good = tcsetattr(terminal, TCSANOW, &now) == 0 && ioctl(terminal, KDSKBMODE, K_RAW) == 0 &&
                show_all(terminal);
    int error = errno;
    (void)ioctl(terminal, KDSKBMODE, mode);
    (void)tcsetattr(terminal, TCSANOW, &before);
    if (!good)
        fprintf(stderr, "keys: %s: %s\n", name, strerror(error));
    return bring_output_out("keys") && good ? 0 : 1;
}
