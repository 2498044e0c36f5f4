// SPDX-License-Identifier: MIT
/*
 * irqtop [-d SECONDS] [-n COUNT]: how often each interrupt comes, by core, every SECONDS (2; at
 * least 0.1) anew, COUNT times (for ever). It reads /proc/interrupts, of Linux too. On a terminal
 * the picture is drawn over the last one, and q, ^C or ^D ends it; elsewhere one follows the other.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "number.h"

#define TABLE "/proc/interrupts"
#define HOME_AND_CLEAR "\033[H\033[J"
enum {
    NAME_MAX_BYTES = 16,
    WORDS_MAX_BYTES = 64,
    RATE_WIDTH = 9,
    FIXED_WIDTH = 30, /* of the columns before the cores' */
    DELAY_MAX = 3600,
    DECISECONDS = 10,
    DECISECONDS_MAX = 250, /* VTIME is a byte */
    KEY_INTERRUPT = 3,
    KEY_END = 4,
};

struct row {
    char name[NAME_MAX_BYTES], words[WORDS_MAX_BYTES];
    unsigned long long total;
    unsigned long long *counts; /* one for each core; NULL: the row has the total alone */
};

struct table {
    double taken_at; /* seconds */
    size_t cores, rows;
    int *numbers; /* of the cores */
    struct row *row;
};

static double delay = 2;
static int count = -1;              /* -1: for ever */
static struct termios modes_before; /* of the terminal that keys come from */
static bool has_terminal, has_keys; /* nobody may be able to type there */

__attribute__((noreturn)) static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *allocate(size_t items, size_t size)
{
    void *memory = calloc(items == 0 ? 1 : items, size);
    if (memory == NULL)
        fail("irqtop");
    return memory;
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The heading: CPU0 CPU1 ... */
static void read_cores(struct table *table, char *line)
{
    table->numbers = allocate(strlen(line), sizeof(table->numbers[0]));
    for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        if (strncmp(word, "CPU", 3) == 0)
            table->numbers[table->cores++] = atoi(word + 3);
    }
}

/* `NAME: COUNT... WORDS`: one count for each core, or one alone. */
static void read_row(const struct table *table, struct row *row, char *line)
{
    size_t found = 0;
    char *at = strchr(line, ':');
    if (at == NULL)
        return;
    *at++ = '\0';
    (void)snprintf(row->name, sizeof(row->name), "%s", line + strspn(line, " "));
    row->counts = allocate(table->cores, sizeof(row->counts[0]));
    for (char *end; found < table->cores; found++, at = end) {
        unsigned long long value = strtoull(at, &end, 10);
        if (end == at || (*end != ' ' && *end != '\n' && *end != '\0'))
            break;
        row->counts[found] = value;
        row->total += value;
    }
    if (found < table->cores) {
        free(row->counts);
        row->counts = NULL;
    }
    at[strcspn(at, "\n")] = '\0';
    (void)snprintf(row->words, sizeof(row->words), "%s", at + strspn(at, " "));
}

static struct table read_table(void)
{
    struct table table = {.taken_at = now()};
    char *line = NULL;
    size_t room = 0, rows_room = 0;
    FILE *file = fopen(TABLE, "r");
    if (file == NULL || getline(&line, &room, file) < 0)
        fail(TABLE);
    read_cores(&table, line);
    while (getline(&line, &room, file) > 0) {
        if (table.rows == rows_room) {
            rows_room = 2 * rows_room + 16;
            table.row = realloc(table.row, rows_room * sizeof(table.row[0]));
            if (table.row == NULL)
                fail("irqtop");
        }
        struct row *row = &table.row[table.rows++];
        memset(row, 0, sizeof(*row));
        read_row(&table, row, line);
    }
    free(line);
    (void)fclose(file);
    return table;
}

static void free_table(struct table *table)
{
    for (size_t i = 0; i < table->rows; i++)
        free(table->row[i].counts);
    free(table->row);
    free(table->numbers);
}

/* The row of that name, or NULL. */
static const struct row *find_row(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->rows; i++) {
        if (strcmp(table->row[i].name, name) == 0)
            return &table->row[i];
    }
    return NULL;
}

/* ---- showing --------------------------------------------------------------------------------- */

/* How many cores' columns fit beside one another, and how many rows. */
static void fit(const struct table *table, size_t *columns, size_t *rows, size_t *words)
{
    struct winsize size = {0};
    *columns = table->cores;
    *rows = table->rows;
    *words = INT_MAX;
    if (!isatty(STDOUT_FILENO))
        return;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    size_t width = known ? size.ws_col : 80, height = known && size.ws_row > 0 ? size.ws_row : 25;
    size_t room = width > FIXED_WIDTH ? (width - FIXED_WIDTH) / RATE_WIDTH : 1;
    if (*columns > room)
        *columns = room;
    size_t taken = FIXED_WIDTH + *columns * RATE_WIDTH + 2;
    *words = width > taken ? width - taken : 0;
    if (*rows + 3 > height)
        *rows = height > 4 ? height - 3 : 1;
}

/* What came since `before`; a count that has shrunk began anew. */
static double rate(unsigned long long value, unsigned long long before, double seconds)
{
    return (double)(value >= before ? value - before : value) / seconds;
}

/* `width`: of what stands behind the columns. */
static void show_row(const struct row *row, const struct row *old, size_t columns, size_t width,
                     double seconds)
{
    printf("%8s %12llu %8.1f", row->name, row->total,
           rate(row->total, old != NULL ? old->total : 0, seconds));
    for (size_t i = 0; i < columns; i++) {
        bool known = old != NULL && old->counts != NULL && row->counts != NULL;
        if (row->counts == NULL)
            printf("%*s", RATE_WIDTH, "");
        else
            printf("%*.1f", RATE_WIDTH, rate(row->counts[i], known ? old->counts[i] : 0, seconds));
    }
    printf("  %.*s\n", (int)width, row->words);
}

/* Rows that have never counted are left out. */
static void show(const struct table *table, const struct table *before)
{
    size_t columns, rows, words, shown = 0;
    double seconds = table->taken_at - before->taken_at;
    bool same_cores = table->cores == before->cores;
    fit(table, &columns, &rows, &words);
    printf("%sirqtop: interrupts a second, over %.3f s",
           isatty(STDOUT_FILENO) ? HOME_AND_CLEAR : "", seconds);
    if (columns < table->cores)
        printf("; %zu of %zu cores fit", columns, table->cores);
    printf("\n%8s %12s %8s", "irq", "total", "rate");
    for (size_t i = 0; i < columns; i++) {
        char name[NAME_MAX_BYTES];
        (void)snprintf(name, sizeof(name), "CPU%d", table->numbers[i]);
        printf("%*s", RATE_WIDTH, name);
    }
    printf("\n");
    for (size_t i = 0; i < table->rows && shown < rows; i++) {
        const struct row *row = &table->row[i];
        if (row->total == 0)
            continue;
        show_row(row, same_cores ? find_row(before, row->name) : NULL, columns, words, seconds);
        shown++;
    }
    if (!isatty(STDOUT_FILENO))
        printf("\n");
    if (fflush(stdout) != 0)
        fail("irqtop");
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void put_modes_back(void)
{
    if (has_terminal)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &modes_before);
}

/* Keys come as they are typed, and a read ends after `deciseconds`. */
static bool wait_for_keys(int deciseconds)
{
    struct termios modes = modes_before;
    modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    modes.c_cc[VMIN] = 0;
    modes.c_cc[VTIME] = (cc_t)deciseconds;
    return tcsetattr(STDIN_FILENO, TCSANOW, &modes) == 0;
}

static void sleep_for(double seconds)
{
    struct timespec span = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&span, &span) != 0 && errno == EINTR)
        continue;
}

/* Wait. Returns: false if a key ended it. */
static bool wait_until(double end)
{
    for (double left; (left = end - now()) > 0;) {
        char key = 0;
        int deciseconds = (int)(left * DECISECONDS);
        if (deciseconds > DECISECONDS_MAX)
            deciseconds = DECISECONDS_MAX;
        if (!has_keys || deciseconds == 0) {
            sleep_for(left);
        } else if (!wait_for_keys(deciseconds)) {
            fail("irqtop: the terminal");
        } else {
            has_keys = read(STDIN_FILENO, &key, 1) >= 0 || errno == EINTR;
            if (key == 'q' || key == KEY_INTERRUPT || key == KEY_END)
                return false;
        }
    }
    return true;
}

/* ---- the beginning --------------------------------------------------------------------------- */

__attribute__((noreturn)) static void usage(void)
{
    (void)fprintf(stderr, "usage: irqtop [-d SECONDS] [-n COUNT]\n");
    exit(2);
}

static void read_options(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "d:n:")) != -1;) {
        char *end;
        switch (option) {
        case 'd':
            delay = strtod(optarg, &end);
            if (end == optarg || *end != '\0' || !(delay >= 0.1 && delay <= DELAY_MAX))
                usage();
            break;
        case 'n':
            if (!read_number(optarg, &count) || count < 1)
                usage();
            break;
        default:
            usage();
        }
    }
    if (optind != argc)
        usage();
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    has_terminal = has_keys = tcgetattr(STDIN_FILENO, &modes_before) == 0;
    (void)atexit(put_modes_back);
    struct table before = read_table();
    while (count != 0 && wait_until(before.taken_at + delay)) {
        struct table table = read_table();
        show(&table, &before);
        free_table(&before);
        before = table;
        count -= count > 0;
    }
    free_table(&before);
    return 0;
}
