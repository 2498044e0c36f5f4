// SPDX-License-Identifier: MIT
/*
 * The line discipline. Positions count bytes without end and are looked up modulo the buffer's
 * size: tail <= lines_end <= head, and head - tail is at most the size.
 *
 * Two rules keep it from ever blocking: one byte of the buffer is left for the end of a line, and
 * a line that has filled the rest lets its last byte be replaced until the end comes.
 */
#include "proc/tty_line.h"

enum {
    DEL = 0x7f,
    CARET_BIT = 0x40, /* a control character and what stands behind the caret differ by it */
    TAB_STOPS = 8,
    BITS = 64,
};

static bool has_iflag(const struct tty_line *line, uint32_t flag)
{
    return (line->modes.iflag & flag) != 0;
}

static bool has_lflag(const struct tty_line *line, uint32_t flag)
{
    return (line->modes.lflag & flag) != 0;
}

static bool is_control(uint8_t byte)
{
    return byte < ' ' || byte == DEL;
}

/* A byte of a character of several bytes, but the first. */
static bool is_continuation(const struct tty_line *line, uint8_t byte)
{
    return has_iflag(line, TTY_IUTF8) && (byte & 0xc0) == 0x80;
}

/* Is it part of a word, for WERASE? Beyond ASCII: the letters of ISO 8859-1. */
static bool is_word(uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    return (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'z') || byte == '_' ||
           (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7);
}

/* Is `byte` the character that the modes name `cc`? */
static bool is_cc(const struct tty_line *line, int cc, uint8_t byte)
{
    return byte != 0 && line->modes.cc[cc] == byte;
}

/* ---- the buffer ------------------------------------------------------------------------------ */

static uint8_t byte_at(const struct tty_line *line, uint32_t position)
{
    return line->bytes[position % TTY_LINE_SIZE];
}

static uint64_t end_bit(uint32_t position)
{
    return UINT64_C(1) << (position % BITS);
}

static bool is_end(const struct tty_line *line, uint32_t position)
{
    return (line->ends[position % TTY_LINE_SIZE / BITS] & end_bit(position)) != 0;
}

static void mark_end(struct tty_line *line, uint32_t position)
{
    line->ends[position % TTY_LINE_SIZE / BITS] |= end_bit(position);
}

static void unmark_end(struct tty_line *line, uint32_t position)
{
    line->ends[position % TTY_LINE_SIZE / BITS] &= ~end_bit(position);
}

static void put(struct tty_line *line, uint8_t byte)
{
    line->bytes[line->head % TTY_LINE_SIZE] = byte;
    line->head++;
}

static void end_line(struct tty_line *line, uint8_t byte)
{
    mark_end(line, line->head);
    put(line, byte);
    line->lines_end = line->head;
}

/* A line that is edited, with nothing before it. */
static bool is_alone(const struct tty_line *line)
{
    return has_lflag(line, TTY_ICANON) && line->lines_end == line->tail;
}

bool tty_line_has_room(const struct tty_line *line)
{
    return line->head - line->tail < TTY_LINE_SIZE - 1 || is_alone(line);
}

/* ---- echo ------------------------------------------------------------------------------------ */

/* The cursor after this byte. */
static void move_cursor(struct tty_line *line, uint8_t byte)
{
    if (byte == '\n' || byte == '\r')
        line->column = line->first_column = 0;
    else if (byte == '\t')
        line->column += TAB_STOPS - line->column % TAB_STOPS;
    else if (byte == '\b')
        line->column -= line->column > 0;
    else if (!is_control(byte) && !is_continuation(line, byte))
        line->column++;
}

static void echo_plain(struct tty_line *line, uint8_t byte)
{
    char text = (char)byte;
    move_cursor(line, byte);
    line->echo(line, &text, 1);
}

/* The byte as one sees it: control characters with a caret. */
static void echo_visible(struct tty_line *line, uint8_t byte)
{
    if (has_lflag(line, TTY_ECHOCTL) && is_control(byte) && byte != '\t') {
        echo_plain(line, '^');
        echo_plain(line, byte ^ CARET_BIT);
    } else {
        echo_plain(line, byte);
    }
}

/* Echo a byte that comes behind what was typed so far. */
static void echo_typed(struct tty_line *line, uint8_t byte, bool plain)
{
    if (!has_lflag(line, TTY_ECHO))
        return;
    if (line->head == line->lines_end)
        line->first_column = line->column;
    if (plain)
        echo_plain(line, byte);
    else
        echo_visible(line, byte);
}

/* Wipe out the character left of the cursor. */
static void echo_rubout(struct tty_line *line)
{
    echo_plain(line, '\b');
    echo_plain(line, ' ');
    echo_plain(line, '\b');
}

/* ---- editing --------------------------------------------------------------------------------- */

/* How many columns the characters left of the head take, back to a tab or the line's beginning;
 * *from_tab says which. */
static unsigned columns_before(const struct tty_line *line, bool *from_tab)
{
    unsigned columns = 0;
    *from_tab = false;
    for (uint32_t at = line->head; at != line->lines_end && !*from_tab; at--) {
        uint8_t byte = byte_at(line, at - 1);
        if (byte == '\t')
            *from_tab = true;
        else if (is_control(byte))
            columns += has_lflag(line, TTY_ECHOCTL) ? 2 : 0;
        else if (!is_continuation(line, byte))
            columns++;
    }
    return columns;
}

/* The cursor goes back over a tab, which is out of the buffer already. */
static void echo_tab_erased(struct tty_line *line)
{
    bool from_tab;
    unsigned columns = columns_before(line, &from_tab);
    if (!from_tab)
        columns += line->first_column;
    for (unsigned i = columns % TAB_STOPS; i < TAB_STOPS; i++)
        echo_plain(line, '\b');
}

/* `byte` is out of the buffer: take it off the screen. `mention`: the terminal cannot do so, ERASE
 * itself is shown instead. */
static void echo_erased(struct tty_line *line, uint8_t byte, bool mention)
{
    if (!has_lflag(line, TTY_ECHO))
        return;
    if (mention) {
        echo_visible(line, line->modes.cc[TTY_CC_ERASE]);
    } else if (byte == '\t') {
        echo_tab_erased(line);
    } else if (!is_control(byte)) {
        echo_rubout(line);
    } else if (has_lflag(line, TTY_ECHOCTL)) {
        echo_rubout(line);
        echo_rubout(line);
    }
}

/* Where the last character begins. Returns: false if only the rest of one is left. */
static bool find_last(const struct tty_line *line, uint32_t *begin)
{
    *begin = line->head - 1;
    while (is_continuation(line, byte_at(line, *begin)) && *begin != line->lines_end)
        --*begin;
    return !is_continuation(line, byte_at(line, *begin));
}

/* Erase the last character, if there is one. */
static void erase_last(struct tty_line *line, bool mention)
{
    uint32_t begin;
    if (line->head == line->lines_end || !find_last(line, &begin))
        return;
    line->head = begin;
    echo_erased(line, byte_at(line, begin), mention);
}

/* Erase what is no word, and the word before it. */
static void erase_word(struct tty_line *line)
{
    bool in_word = false;
    uint32_t begin;
    while (line->head != line->lines_end && find_last(line, &begin)) {
        uint8_t byte = byte_at(line, begin);
        if (in_word && !is_word(byte))
            break;
        in_word = is_word(byte);
        line->head = begin;
        echo_erased(line, byte, false);
    }
}

/* Erase the whole line. */
static void kill_line(struct tty_line *line)
{
    uint32_t begin;
    if (line->head == line->lines_end)
        return;
    if (has_lflag(line, TTY_ECHO) && has_lflag(line, TTY_ECHOK) && has_lflag(line, TTY_ECHOKE) &&
        has_lflag(line, TTY_ECHOE)) {
        while (line->head != line->lines_end && find_last(line, &begin))
            erase_last(line, false);
        return;
    }
    line->head = line->lines_end;
    if (!has_lflag(line, TTY_ECHO))
        return;
    echo_visible(line, line->modes.cc[TTY_CC_KILL]);
    if (has_lflag(line, TTY_ECHOK))
        echo_plain(line, '\n');
}

static void reprint(struct tty_line *line, uint8_t byte)
{
    echo_visible(line, byte);
    echo_plain(line, '\n');
    for (uint32_t at = line->lines_end; at != line->head; at++)
        echo_visible(line, byte_at(line, at));
}

static void begin_literal(struct tty_line *line)
{
    line->literal = true;
    if (has_lflag(line, TTY_ECHO) && has_lflag(line, TTY_ECHOCTL)) {
        echo_plain(line, '^');
        echo_plain(line, '\b');
    }
}

/* The characters of IEXTEN. Returns: was it one? */
static bool edit_more(struct tty_line *line, uint8_t byte)
{
    if (!has_lflag(line, TTY_IEXTEN))
        return false;
    if (is_cc(line, TTY_CC_WERASE, byte))
        erase_word(line);
    else if (is_cc(line, TTY_CC_LNEXT, byte))
        begin_literal(line);
    else if (is_cc(line, TTY_CC_REPRINT, byte) && has_lflag(line, TTY_ECHO))
        reprint(line, byte);
    else
        return false;
    return true;
}

static bool is_erase(const struct tty_line *line, uint8_t byte)
{
    bool other = line->erase_too && byte == '\b' && line->modes.cc[TTY_CC_ERASE] == DEL;
    return is_cc(line, TTY_CC_ERASE, byte) || other;
}

/* Canonical mode. Returns: was it a character that edits the line or ends it? */
static bool edit(struct tty_line *line, uint8_t byte)
{
    bool ends = is_cc(line, TTY_CC_EOL, byte) ||
                (is_cc(line, TTY_CC_EOL2, byte) && has_lflag(line, TTY_IEXTEN));
    if (is_erase(line, byte)) {
        erase_last(line, !has_lflag(line, TTY_ECHOE));
    } else if (is_cc(line, TTY_CC_KILL, byte)) {
        kill_line(line);
    } else if (edit_more(line, byte)) {
        return true;
    } else if (byte == '\n') {
        if (has_lflag(line, TTY_ECHO | TTY_ECHONL))
            echo_plain(line, '\n');
        end_line(line, '\n');
    } else if (is_cc(line, TTY_CC_EOF, byte)) {
        end_line(line, 0);
    } else if (ends) {
        echo_typed(line, byte, false);
        end_line(line, byte);
    } else {
        return false;
    }
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* INTR, QUIT and SUSP. Returns: was it one? */
static bool take_interrupt(struct tty_line *line, uint8_t byte)
{
    static const int all[] = {TTY_CC_INTR, TTY_CC_QUIT, TTY_CC_SUSP};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!is_cc(line, all[i], byte))
            continue;
        if (!has_lflag(line, TTY_NOFLSH))
            tty_line_flush(line);
        if (has_lflag(line, TTY_ECHO))
            echo_visible(line, byte);
        line->interrupt(line, all[i]);
        return true;
    }
    return false;
}

void tty_line_receive(struct tty_line *line, uint8_t byte)
{
    bool returned = byte == '\r' && has_iflag(line, TTY_ICRNL);
    if (is_alone(line) && line->head - line->tail == TTY_LINE_SIZE)
        line->head--;
    if (line->literal) {
        line->literal = false;
        echo_typed(line, byte, false);
        put(line, byte);
        return;
    }
    if (has_lflag(line, TTY_ISIG) && take_interrupt(line, byte))
        return;
    if (byte == '\r' && has_iflag(line, TTY_IGNCR))
        return;
    if (returned)
        byte = '\n';
    else if (byte == '\n' && has_iflag(line, TTY_INLCR))
        byte = '\r';
    if (has_lflag(line, TTY_ICANON) && edit(line, byte))
        return;
    echo_typed(line, byte, returned);
    put(line, byte);
}

void tty_line_wrote(struct tty_line *line, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        move_cursor(line, (uint8_t)text[i]);
}

/* ---- modes ----------------------------------------------------------------------------------- */

static void forget_ends(struct tty_line *line)
{
    for (size_t i = 0; i < sizeof(line->ends) / sizeof(line->ends[0]); i++)
        line->ends[i] = 0;
}

void tty_line_init(struct tty_line *line,
                   void (*echo)(struct tty_line *line, const char *text, size_t len),
                   void (*interrupt)(struct tty_line *line, int cc))
{
    *line = (struct tty_line){.echo = echo, .interrupt = interrupt, .erase_too = true};
    line->modes = (struct tty_modes){
        .iflag = TTY_ICRNL | TTY_IUTF8,
        .oflag = TTY_OPOST | TTY_ONLCR,
        .cflag = TTY_B115200 | TTY_CS8 | TTY_CREAD | TTY_CLOCAL,
        .lflag = TTY_ISIG | TTY_ICANON | TTY_ECHO | TTY_ECHOE | TTY_ECHOK | TTY_ECHOCTL |
                 TTY_ECHOKE | TTY_IEXTEN,
        .cc = {[TTY_CC_INTR] = 'C' & 0x1f,
               [TTY_CC_QUIT] = '\\' & 0x1f,
               [TTY_CC_ERASE] = DEL,
               [TTY_CC_KILL] = 'U' & 0x1f,
               [TTY_CC_EOF] = 'D' & 0x1f,
               [TTY_CC_MIN] = 1,
               [TTY_CC_SUSP] = 'Z' & 0x1f,
               [TTY_CC_REPRINT] = 'R' & 0x1f,
               [TTY_CC_WERASE] = 'W' & 0x1f,
               [TTY_CC_LNEXT] = 'V' & 0x1f},
    };
}

void tty_line_set_modes(struct tty_line *line, const struct tty_modes *modes)
{
    bool was_canonical = has_lflag(line, TTY_ICANON);
    line->modes = *modes;
    if (has_lflag(line, TTY_ICANON) == was_canonical)
        return;
    forget_ends(line);
    line->literal = false;
    line->lines_end = was_canonical ? line->tail : line->head;
    if (line->lines_end != line->tail)
        mark_end(line, line->head - 1);
}

void tty_line_flush(struct tty_line *line)
{
    forget_ends(line);
    line->head = line->tail = line->lines_end = 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Where what can be read ends. */
static uint32_t readable_end(const struct tty_line *line)
{
    return has_lflag(line, TTY_ICANON) ? line->lines_end : line->head;
}

static bool is_eof(const struct tty_line *line, uint32_t position)
{
    return is_end(line, position) && byte_at(line, position) == 0;
}

bool tty_line_is_ready(const struct tty_line *line)
{
    return readable_end(line) != line->tail;
}

size_t tty_line_count(const struct tty_line *line)
{
    size_t count = readable_end(line) - line->tail;
    for (uint32_t at = line->tail; at != readable_end(line); at++)
        count -= is_eof(line, at);
    return count;
}

struct tty_read tty_line_read(const struct tty_line *line, size_t room)
{
    uint32_t there = readable_end(line) - line->tail, len = 0;
    while (len < there && len < room && !is_end(line, line->tail + len))
        len++;
    if (len == there)
        return (struct tty_read){.len = len, .used = len};
    if (is_eof(line, line->tail + len)) /* also behind the last byte that there is room for */
        return (struct tty_read){.len = len, .used = len + 1};
    if (len < room)
        len++; /* the end belongs to the line */
    return (struct tty_read){.len = len, .used = len};
}

const uint8_t *tty_line_bytes(const struct tty_line *line, size_t offset, size_t *len)
{
    size_t at = (line->tail + offset) % TTY_LINE_SIZE;
    *len = TTY_LINE_SIZE - at;
    return &line->bytes[at];
}

void tty_line_take(struct tty_line *line, size_t used)
{
    for (; used > 0; used--)
        unmark_end(line, line->tail++);
    if (!has_lflag(line, TTY_ICANON))
        line->lines_end = line->tail;
}
