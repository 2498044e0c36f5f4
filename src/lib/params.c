// SPDX-License-Identifier: MIT
/*
 * The command line in two steps: it is split in place into a row of terminated words, then each
 * word is looked up in one table of names and readers.
 *
 * Invariant: a reader either takes the whole value or changes nothing, so a bad value leaves what
 * held before. Nothing here prints: the caller has no console yet when it needs these values.
 */
#include "lib/params.h"

#include "lib/text.h"

enum {
    LOGLEVEL_MAX = 7,
    LOGLEVEL_DEFAULT = 6,
    BAUD_BASE = 115200, /* the 16550's clock over 16: the divisor 1 */
    BAUD_DIVISOR_MAX = 0xffff,
    INIT_UDELAY_DEFAULT_US = 10000,
    INIT_UDELAY_MAX_US = 1000000,
    WATCHDOG_DEFAULT_S = 10,
    WATCHDOG_MAX_S = 3600,
};

static const char default_init[] = "/init";
static const char *const console_names[PARAM_CONSOLE_COUNT] = {
    [PARAM_CONSOLE_TTYS0] = "ttyS0",
    [PARAM_CONSOLE_TTYS1] = "ttyS1",
    [PARAM_CONSOLE_TTY0] = "tty0",
};

/* ---- values: each reader gets what follows '=', or NULL if there was no '=' ------------------ */

static bool read_number(const char *value, uint64_t min, uint64_t max, uint32_t *out)
{
    uint64_t number;

    if (value == NULL || text_parse_u64(value, &number) != 0 || number < min || number > max)
        return false;
    *out = (uint32_t)number;
    return true;
}

/* The position of `value` among `count` words, or -1. */
static int find_word(const char *value, const char *const *words, int count)
{
    for (int i = 0; value != NULL && i < count; i++) {
        if (strcmp(value, words[i]) == 0)
            return i;
    }
    return -1;
}

static bool read_init(const char *value, struct params *out)
{
    if (value == NULL || value[0] == '\0' || strlen(value) >= sizeof(out->init))
        return false;
    text_copy(out->init, value, sizeof(out->init));
    return true;
}

static bool read_loglevel(const char *value, struct params *out)
{
    return read_number(value, 0, LOGLEVEL_MAX, &out->loglevel);
}

static bool read_baud(const char *value, uint32_t *out)
{
    uint32_t baud;

    if (!read_number(value, 1, BAUD_BASE, &baud))
        return false;
    if (BAUD_BASE % baud != 0 || BAUD_BASE / baud > BAUD_DIVISOR_MAX)
        return false;
    *out = baud;
    return true;
}

/* The console whose name `value` begins with, before its end or a comma; or PARAM_CONSOLE_COUNT. */
static enum param_console find_console(const char *value)
{
    int console = 0;
    for (; console < PARAM_CONSOLE_COUNT; console++) {
        size_t length = strlen(console_names[console]);
        if (strncmp(value, console_names[console], length) == 0 &&
            (value[length] == '\0' || value[length] == ','))
            break;
    }
    return (enum param_console)console;
}

/* NAME, and for a serial port NAME,BAUD. Each word names one more console. */
static bool read_console(const char *value, struct params *out)
{
    uint32_t baud = BAUD_BASE;

    if (value == NULL)
        return false;
    enum param_console console = find_console(value);
    const char *comma = strchr(value, ',');
    if (console == PARAM_CONSOLE_COUNT || out->console_count == PARAMS_CONSOLES_MAX)
        return false;
    if (comma != NULL && (console == PARAM_CONSOLE_TTY0 || !read_baud(comma + 1, &baud)))
        return false;
    out->consoles[out->console_count++] = console;
    out->console_baud[console] = baud;
    return true;
}

static bool read_maxcpus(const char *value, struct params *out)
{
    return read_number(value, 1, UINT32_MAX, &out->maxcpus);
}

static bool read_nosmp(const char *value, struct params *out)
{
    if (value != NULL)
        return false;
    out->maxcpus = 1;
    return true;
}

static bool read_apic(const char *value, struct params *out)
{
    static const char *const names[] = {
        [PARAM_APIC_AUTO] = "auto",
        [PARAM_APIC_XAPIC] = "xapic",
        [PARAM_APIC_X2APIC] = "x2apic",
    };
    int found = find_word(value, names, (int)(sizeof(names) / sizeof(names[0])));

    if (found < 0)
        return false;
    out->apic = (enum param_apic)found;
    return true;
}

static bool read_clock(const char *value, struct params *out)
{
    static const char *const names[] = {
        [PARAM_CLOCK_AUTO] = "auto",       [PARAM_CLOCK_TSC] = "tsc", [PARAM_CLOCK_HPET] = "hpet",
        [PARAM_CLOCK_PMTIMER] = "pmtimer", [PARAM_CLOCK_PIT] = "pit",
    };
    int found = find_word(value, names, (int)(sizeof(names) / sizeof(names[0])));

    if (found < 0)
        return false;
    out->clock = (enum param_clock)found;
    return true;
}

static bool read_init_udelay(const char *value, struct params *out)
{
    return read_number(value, 0, INIT_UDELAY_MAX_US, &out->init_udelay_us);
}

static bool read_panic(const char *value, struct params *out)
{
    static const char *const names[] = {
        [PARAM_PANIC_HALT] = "halt",
        [PARAM_PANIC_REBOOT] = "reboot",
        [PARAM_PANIC_OFF] = "off",
    };
    int found = find_word(value, names, (int)(sizeof(names) / sizeof(names[0])));

    if (found < 0)
        return false;
    out->panic = (enum param_panic)found;
    return true;
}

static bool read_watchdog(const char *value, struct params *out)
{
    if (value == NULL || strcmp(value, "off") != 0)
        return read_number(value, 1, WATCHDOG_MAX_S, &out->watchdog_s);
    out->watchdog_s = 0;
    return true;
}

static bool read_debugexit(const char *value, struct params *out)
{
    if (value != NULL)
        return false;
    out->debugexit = true;
    return true;
}

static bool read_selftest(const char *value, struct params *out)
{
    if (value == NULL)
        value = ""; /* selftest alone means all, also after selftest=name */
    else if (value[0] == '\0' || strlen(value) >= sizeof(out->selftest_name))
        return false;
    out->selftest = true;
    text_copy(out->selftest_name, value, sizeof(out->selftest_name));
    return true;
}

/* A comma list of cores. Core 0 is refused: the boot core is the one that reads this. */
static bool read_ap_dead(const char *value, struct params *out)
{
    struct cpumask dead = {0};

    for (const char *at = value; at != NULL;) {
        char digits[8];
        uint32_t cpu;
        const char *comma = strchr(at, ',');
        size_t length = comma != NULL ? (size_t)(comma - at) : strlen(at);

        if (length >= sizeof(digits))
            return false;
        memcpy(digits, at, length);
        digits[length] = '\0';
        if (!read_number(digits, 1, MAX_CPUS - 1, &cpu))
            return false;
        cpumask_set(&dead, cpu);
        at = comma != NULL ? comma + 1 : NULL;
    }
    cpumask_for_each (cpu, &dead)
        cpumask_set(&out->ap_dead, cpu);
    return value != NULL;
}

static const struct param {
    const char *name;
    bool (*read)(const char *value, struct params *out);
} known[] = {
    {"init", read_init},         {"loglevel", read_loglevel},
    {"console", read_console},   {"maxcpus", read_maxcpus},
    {"nosmp", read_nosmp},       {"apic", read_apic},
    {"clock", read_clock},       {"init_udelay", read_init_udelay},
    {"panic", read_panic},       {"debugexit", read_debugexit},
    {"selftest", read_selftest}, {"ap_dead", read_ap_dead},
    {"watchdog", read_watchdog},
};

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_escaped(char c)
{
    return c == '"' || c == '\'' || c == '\\';
}

/*
 * Turn the text into its words, one behind the other, each terminated; `cut` leaves out a word
 * that reaches the end of the text. A word is never longer than what it is made from, so the
 * writing end stays behind the reading end. Returns: the end of the last word.
 */
static char *split_words(char *text, bool cut)
{
    const char *from = text;
    char *to = text;

    for (;;) {
        char *word = to;
        bool quoted = false;

        while (is_blank(*from))
            from++;
        if (*from == '\0')
            return to;
        for (; *from != '\0' && (quoted || !is_blank(*from)); from++) {
            if (*from == '"')
                quoted = !quoted;
            else if (*from == '\\' && is_escaped(from[1]))
                *to++ = *++from;
            else
                *to++ = *from;
        }
        if (*from == '\0') {
            *to++ = '\0'; /* over the text's own terminator, or before it */
            return cut ? word : to;
        }
        from++; /* the blank: its place may become the terminator's */
        *to++ = '\0';
    }
}

/* The length of a parameter's name: all before '='. */
static size_t name_length(const char *word)
{
    const char *equals = strchr(word, '=');
    return equals != NULL ? (size_t)(equals - word) : strlen(word);
}

static bool same_name(const char *a, const char *b)
{
    size_t length = name_length(a);
    return length == name_length(b) && strncmp(a, b, length) == 0;
}

static const struct param *find_param(const char *word)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (same_name(word, known[i].name))
            return &known[i];
    }
    return NULL;
}

static bool is_first_of_its_name(const struct params *out, const char *word)
{
    for (const char *at = out->text; at < word; at += strlen(at) + 1) {
        if (same_name(at, word))
            return false;
    }
    return true;
}

static void add_problem(struct params *out, const char *word, enum param_trouble what)
{
    if (out->problem_count < PARAMS_PROBLEMS_MAX)
        out->problems[out->problem_count] = (struct param_problem){.word = word, .what = what};
    out->problem_count++;
}

static void read_word(struct params *out, const char *word)
{
    const struct param *param = find_param(word);
    const char *equals = strchr(word, '=');

    if (param == NULL) {
        if (is_first_of_its_name(out, word))
            add_problem(out, word, PARAM_UNKNOWN);
        return;
    }
    if (!param->read(equals != NULL ? equals + 1 : NULL, out))
        add_problem(out, word, PARAM_BAD_VALUE);
}

static void add_init_arg(struct params *out, const char *word)
{
    if (out->init_arg_count < PARAMS_ARGS_MAX)
        out->init_args[out->init_arg_count++] = word;
    else
        out->init_args_cut = true;
}

static void set_defaults(struct params *out)
{
    memset(out, 0, sizeof(*out));
    text_copy(out->init, default_init, sizeof(out->init));
    for (int i = 0; i < PARAM_CONSOLE_COUNT; i++)
        out->console_baud[i] = BAUD_BASE;
    out->loglevel = LOGLEVEL_DEFAULT;
    out->init_udelay_us = INIT_UDELAY_DEFAULT_US;
    out->watchdog_s = WATCHDOG_DEFAULT_S;
}

void params_parse(const char *cmdline, struct params *out)
{
    bool after_dashes = false;

    set_defaults(out);
    out->cut = text_copy(out->text, cmdline, sizeof(out->text)) >= sizeof(out->text);

    const char *end = split_words(out->text, out->cut);
    for (const char *word = out->text; word < end; word += strlen(word) + 1) {
        if (after_dashes)
            add_init_arg(out, word);
        else if (strcmp(word, "--") == 0)
            after_dashes = true;
        else
            read_word(out, word);
    }
}

const char *params_console_name(enum param_console console)
{
    return console_names[console];
}
