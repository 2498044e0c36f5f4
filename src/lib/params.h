// SPDX-License-Identifier: MIT
/*
 * The kernel's command line, split into words and read into one struct.
 *
 * Words are separated by blanks, tabs and line ends; "..." keeps blanks inside a word and is taken
 * off. A backslash before ", ' or \ gives that character, because GRUB puts one there. The first
 * word `--` ends the parameters; what follows are the arguments of the first program. Of a
 * parameter given twice the later word wins; ap_dead= and console= add up.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cpumask.h"

enum {
    PARAMS_TEXT_MAX = 4096,  /* bytes of command line that are kept, terminator included */
    PARAMS_INIT_MAX = 256,   /* bytes of init=, terminator included */
    PARAMS_ARGS_MAX = 64,    /* words after `--` */
    PARAMS_CONSOLES_MAX = 8, /* words console= that are kept */
    PARAMS_SELFTEST_MAX = 64,
    PARAMS_PROBLEMS_MAX = 16,
};

/* The consoles that console= can name. */
enum param_console {
    PARAM_CONSOLE_TTYS0,
    PARAM_CONSOLE_TTYS1,
    PARAM_CONSOLE_TTY0,
    PARAM_CONSOLE_COUNT,
};

enum param_apic {
    PARAM_APIC_AUTO,
    PARAM_APIC_XAPIC,
    PARAM_APIC_X2APIC,
};

enum param_clock {
    PARAM_CLOCK_AUTO,
    PARAM_CLOCK_TSC,
    PARAM_CLOCK_HPET,
    PARAM_CLOCK_PMTIMER,
    PARAM_CLOCK_PIT,
};

enum param_panic {
    PARAM_PANIC_HALT, /* 0: also what a panic before the parameters are read does */
    PARAM_PANIC_REBOOT,
    PARAM_PANIC_OFF,
};

enum param_trouble {
    PARAM_UNKNOWN,   /* no parameter has this name; each name is listed once */
    PARAM_BAD_VALUE, /* the value was not taken; what held before still holds */
};

struct param_problem {
    const char *word; /* the whole word, quotes taken off */
    enum param_trouble what;
};

/* About 5 KiB: static, never on a stack. It points into itself, so it is not to be copied. */
struct params {
    char init[PARAMS_INIT_MAX];             /* path of the first program; default "/init" */
    const char *init_args[PARAMS_ARGS_MAX]; /* its arguments, argv[0] not among them */
    size_t init_arg_count;
    bool init_args_cut; /* there were more than PARAMS_ARGS_MAX */

    uint32_t loglevel;                                /* 0..7, default 6 */
    enum param_console consoles[PARAMS_CONSOLES_MAX]; /* each console= in its order */
    size_t console_count;                             /* default 0: none was named */
    uint32_t console_baud[PARAM_CONSOLE_COUNT];       /* a divisor of 115200; default 115200 */
    uint32_t maxcpus;                                 /* cores to use at most; 0: no limit given */
    enum param_apic apic;                             /* default auto */
    enum param_clock clock;                           /* default auto */
    uint32_t init_udelay_us;                 /* between INIT and SIPI, 0..1000000, default 10000 */
    enum param_panic panic;                  /* what follows a panic; default halt */
    uint32_t watchdog_s;                     /* silence of a core to report; 0: off; default 10 */
    bool debugexit;                          /* report the end through QEMU's isa-debug-exit */
    bool selftest;                           /* run the self-tests ... */
    char selftest_name[PARAMS_SELFTEST_MAX]; /* ... this one alone, or "" for all */
    struct cpumask ap_dead;                  /* cores 1..MAX_CPUS-1 to be treated as dead */

    struct param_problem problems[PARAMS_PROBLEMS_MAX]; /* the first ones, in order */
    size_t problem_count; /* all of them: may exceed PARAMS_PROBLEMS_MAX */
    bool cut; /* the line was PARAMS_TEXT_MAX bytes or longer; the word cut is left out */

    char text[PARAMS_TEXT_MAX]; /* the words, each terminated: what the pointers above point to */
};

/* The name of a console, as console= has it. */
const char *params_console_name(enum param_console console);

/* Read `cmdline` (terminated, any length) into *out, which need not be initialised. */
void params_parse(const char *cmdline, struct params *out);
