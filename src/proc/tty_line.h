// SPDX-License-Identifier: MIT
/*
 * The line discipline: what becomes of the bytes that somebody types at a terminal, as on Linux. It
 * knows no console, no thread and no lock: bytes go in, echo comes out by a function, and a reader
 * asks what there is. proc/tty.c gives it all three.
 *
 * Canonical mode (ICANON): a line is edited until its end is typed, and only then can be read.
 *     ERASE (DEL, and ^H)  WERASE (^W)  KILL (^U)  REPRINT (^R)  LNEXT (^V: the next byte as it is)
 *     NL, EOL, EOL2 end the line and belong to it; EOF (^D) ends it and does not, so that a read
 *     of nothing, the end of the file, is a ^D at the line's beginning
 * Otherwise each byte can be read at once.
 *
 * Flags that are looked at: ICRNL INLCR IGNCR IUTF8; ICANON ISIG ECHO ECHOE ECHOK ECHOKE ECHONL
 * ECHOCTL IEXTEN NOFLSH. The others are kept as they were set. Not done: IXON, ISTRIP, PARMRK,
 * ECHOPRT; of the output flags none (the console's driver makes "\r\n" of "\n").
 *
 * Source: POSIX.1-2017, Base Definitions, "General Terminal Interface"; Linux man-pages, termios(3)
 *
 * Context: any that the caller keeps others out of, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What TCGETS and TCSETS move, with the numbers of Linux on x86_64. */
enum { TTY_CC_COUNT = 19 };
struct tty_modes {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t discipline;
    uint8_t cc[TTY_CC_COUNT]; /* by TTY_CC_*; 0: there is no such character */
};

enum {
    TTY_INLCR = 0x40, /* iflag */
    TTY_IGNCR = 0x80,
    TTY_ICRNL = 0x100,
    TTY_IUTF8 = 0x4000,
    TTY_OPOST = 0x1, /* oflag */
    TTY_ONLCR = 0x4,
    TTY_CS8 = 0x30, /* cflag */
    TTY_CREAD = 0x80,
    TTY_CLOCAL = 0x800,
    TTY_B115200 = 0x1002,
    TTY_ISIG = 0x1, /* lflag */
    TTY_ICANON = 0x2,
    TTY_ECHO = 0x8,
    TTY_ECHOE = 0x10,
    TTY_ECHOK = 0x20,
    TTY_ECHONL = 0x40,
    TTY_NOFLSH = 0x80,
    TTY_ECHOCTL = 0x200,
    TTY_ECHOKE = 0x800,
    TTY_IEXTEN = 0x8000,
};

enum {
    TTY_CC_INTR = 0,
    TTY_CC_QUIT = 1,
    TTY_CC_ERASE = 2,
    TTY_CC_KILL = 3,
    TTY_CC_EOF = 4,
    TTY_CC_TIME = 5, /* VTIME, in tenths of a second */
    TTY_CC_MIN = 6,  /* VMIN, in bytes */
    TTY_CC_SUSP = 10,
    TTY_CC_EOL = 11,
    TTY_CC_REPRINT = 12,
    TTY_CC_WERASE = 14,
    TTY_CC_LNEXT = 15,
    TTY_CC_EOL2 = 16,
};

enum { TTY_LINE_SIZE = 4096 }; /* a line has at most so many bytes, its end included */

struct tty_line {
    struct tty_modes modes;
    /* "\n" is a newline */
    void (*echo)(struct tty_line *line, const char *text, size_t len);
    /* TTY_CC_INTR, _QUIT or _SUSP was typed, under ISIG */
    void (*interrupt)(struct tty_line *line, int cc);
    uint8_t bytes[TTY_LINE_SIZE];      /* typed and not yet read: positions tail..head-1, modulo */
    uint64_t ends[TTY_LINE_SIZE / 64]; /* a bit for each byte: it ends a line. EOF stands as a 0 */
    uint32_t head, tail;
    uint32_t lines_end;    /* canonical: whole lines are before it, what is edited behind it */
    unsigned column;       /* of the cursor, as far as is known */
    unsigned first_column; /* where the line that is edited begins */
    bool literal;          /* LNEXT was typed */
    bool erase_too;        /* ^H erases as ERASE does: ERASE is DEL, and terminals differ */
};

/* Empty, in the modes of a shell's terminal. */
void tty_line_init(struct tty_line *line,
                   void (*echo)(struct tty_line *line, const char *text, size_t len),
                   void (*interrupt)(struct tty_line *line, int cc));

/*
 * Is there room for a byte? Not if as much as fits waits to be read. But what is edited as one line
 * without end never closes the door: bytes beyond the line's size replace each other, so that the
 * line's end can be typed.
 */
bool tty_line_has_room(const struct tty_line *line);

/* A byte was typed, and there is room. */
void tty_line_receive(struct tty_line *line, uint8_t byte);

/* What a program wrote went to the terminal: the cursor has moved. */
void tty_line_wrote(struct tty_line *line, const char *text, size_t len);

/* Other modes. When ICANON changes, what is there can be read as one line, or byte by byte. */
void tty_line_set_modes(struct tty_line *line, const struct tty_modes *modes);

/* Forget all that was typed. */
void tty_line_flush(struct tty_line *line);

/* Is there anything that can be read, if only the end of the file? */
bool tty_line_is_ready(const struct tty_line *line);

/* How many bytes can be read (FIONREAD). */
size_t tty_line_count(const struct tty_line *line);

/* What a read of at most `room` bytes (above 0) gets of a line that is ready. */
struct tty_read {
    size_t len;  /* bytes for the reader; 0: the end of the file */
    size_t used; /* bytes of the line, which tty_line_take() removes when the reader has his */
};
struct tty_read tty_line_read(const struct tty_line *line, size_t room);

/* The bytes at `offset` of it, of which *len lie together. */
const uint8_t *tty_line_bytes(const struct tty_line *line, size_t offset, size_t *len);

/* Remove the first `used` bytes. */
void tty_line_take(struct tty_line *line, size_t used);
