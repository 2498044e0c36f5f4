// SPDX-License-Identifier: MIT
/*
 * The text screen: bytes to characters, characters and control sequences to cells.
 */
#include "drivers/screen_text.h"

enum {
    INK = 7, /* at first: white on black */
    GROUND = 0,
    BRIGHT = 8,
    TAB = 8,
    PARAMETER_MAX = 9999,
    REPLACEMENT = 0xfffd,
    CODE_MAX = 0x10ffff,
    BYTE_DELETE = 0x7f,
};

/* What has been read of a control sequence. */
enum {
    STATE_TEXT,     /* nothing */
    STATE_ESCAPE,   /* ESC */
    STATE_SEQUENCE, /* ESC [ and parameters */
    STATE_ONE_MORE, /* ESC ( and the like, which one byte ends */
    STATE_STRING,   /* ESC ] and a text for others, which BEL, ESC or a line's end ends */
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static struct screen_cell *cell_at(const struct screen_text *text, unsigned x, unsigned y)
{
    unsigned line = (text->top + y) % text->rows;
    return &text->cells[line * text->columns + least(x, text->columns - 1u)];
}

static void note_change(struct screen_text *text, unsigned first, unsigned end)
{
    if (text->changed_first >= text->changed_end) {
        text->changed_first = (uint16_t)first;
        text->changed_end = (uint16_t)end;
        return;
    }
    text->changed_first = (uint16_t)least(text->changed_first, first);
    if (end > text->changed_end)
        text->changed_end = (uint16_t)end;
}

static struct screen_cell cell_of(const struct screen_text *text, uint16_t code)
{
    uint8_t ink = (uint8_t)(text->ink | (text->bright ? BRIGHT : 0));
    return text->reverse ? (struct screen_cell){.code = code, .ink = text->ground, .ground = ink}
                         : (struct screen_cell){.code = code, .ink = ink, .ground = text->ground};
}

/* Blanks on columns [from, end) of line y. */
static void erase(struct screen_text *text, unsigned y, unsigned from, unsigned end)
{
    struct screen_cell blank = {.code = ' ', .ink = text->ink, .ground = text->ground};
    for (unsigned x = from; x < end; x++)
        *cell_at(text, x, y) = blank;
    note_change(text, y, y + 1);
}

static void erase_lines(struct screen_text *text, unsigned from, unsigned end)
{
    for (unsigned y = from; y < end; y++)
        erase(text, y, 0, text->columns);
}

static void move_to(struct screen_text *text, unsigned x, unsigned y)
{
    text->x = (uint16_t)least(x, text->columns - 1u);
    text->y = (uint16_t)least(y, text->rows - 1u);
    text->full = false;
}

static void next_line(struct screen_text *text)
{
    if (text->y + 1u < text->rows) {
        move_to(text, 0, text->y + 1u);
        return;
    }
    text->top = (uint16_t)((text->top + 1u) % text->rows);
    erase(text, text->rows - 1u, 0, text->columns);
    note_change(text, 0, text->rows);
    move_to(text, 0, text->y);
}

static void put_code(struct screen_text *text, uint32_t code)
{
    if (text->full)
        next_line(text);
    *cell_at(text, text->x, text->y) =
        cell_of(text, code <= UINT16_MAX ? (uint16_t)code : REPLACEMENT);
    note_change(text, text->y, text->y + 1u);
    if (text->x + 1u < text->columns)
        text->x++;
    else
        text->full = true;
}

static void put_control(struct screen_text *text, uint8_t byte)
{
    switch (byte) {
    case '\n':
        next_line(text);
        break;
    case '\r':
        move_to(text, 0, text->y);
        break;
    case '\b':
        move_to(text, text->x > 0 ? text->x - 1u : 0, text->y);
        break;
    case '\t':
        move_to(text, (text->x / TAB + 1u) * TAB, text->y);
        break;
    default: /* BEL too: there is nothing to ring */
        break;
    }
}

/* ---- control sequences ----------------------------------------------------------------------- */

static void set_plain(struct screen_text *text)
{
    text->ink = INK;
    text->ground = GROUND;
    text->bright = false;
    text->reverse = false;
}

void screen_text_recover(struct screen_text *text)
{
    set_plain(text);
    text->state = STATE_TEXT;
    text->code_left = 0;
    text->cursor_hidden = false;
    move_to(text, text->x, text->y);
    note_change(text, 0, text->rows);
}

static void reset(struct screen_text *text)
{
    screen_text_recover(text);
    text->kept_x = 0;
    text->kept_y = 0;
    erase_lines(text, 0, text->rows);
    move_to(text, 0, 0);
}

static void keep_place(struct screen_text *text)
{
    text->kept_x = text->x;
    text->kept_y = text->y;
}

/* A parameter of the sequence; one that is missing or 0 counts as `otherwise`. */
static unsigned parameter(const struct screen_text *text, unsigned index, unsigned otherwise)
{
    unsigned value = index < text->parameter_count ? text->parameters[index] : 0;
    return value != 0 ? value : otherwise;
}

static void erase_display(struct screen_text *text, unsigned what)
{
    if (what == 0) {
        erase(text, text->y, text->x, text->columns);
        erase_lines(text, text->y + 1u, text->rows);
    } else if (what == 1) {
        erase_lines(text, 0, text->y);
        erase(text, text->y, 0, text->x + 1u);
    } else {
        erase_lines(text, 0, text->rows);
    }
}

static void erase_line(struct screen_text *text, unsigned what)
{
    erase(text, text->y, what == 0 ? text->x : 0, what == 1 ? text->x + 1u : text->columns);
}

/* One of the palette of 256 colours, or a mixture: of these only the first 16 can be shown.
 * Returns: how many parameters it took beside the first. */
static unsigned set_palette(const struct screen_text *text, unsigned at, uint8_t *colour)
{
    if (parameter(text, at + 1, 0) != 5)
        return 4;
    unsigned wanted = parameter(text, at + 2, 0);
    if (wanted < 2 * BRIGHT)
        *colour = (uint8_t)wanted;
    return 2;
}

/* Parameter number `at` of `m`. Returns: how many parameters behind it belong to it. */
static unsigned set_rendition(struct screen_text *text, unsigned at)
{
    unsigned wanted = parameter(text, at, 0);
    if (wanted == 0)
        set_plain(text);
    else if (wanted == 1 || wanted == 22)
        text->bright = wanted == 1;
    else if (wanted == 7 || wanted == 27)
        text->reverse = wanted == 7;
    else if (wanted == 38)
        return set_palette(text, at, &text->ink);
    else if (wanted == 48)
        return set_palette(text, at, &text->ground);
    else if (wanted >= 30 && wanted <= 39)
        text->ink = wanted < 38 ? (uint8_t)(wanted - 30) : INK;
    else if (wanted >= 40 && wanted <= 49)
        text->ground = wanted < 48 ? (uint8_t)(wanted - 40) : GROUND;
    else if (wanted >= 90 && wanted <= 97)
        text->ink = (uint8_t)(wanted - 90 + BRIGHT);
    else if (wanted >= 100 && wanted <= 107)
        text->ground = (uint8_t)(wanted - 100 + BRIGHT);
    return 0;
}

static void set_renditions(struct screen_text *text)
{
    if (text->parameter_count == 0)
        set_plain(text);
    for (unsigned i = 0; i < text->parameter_count; i++)
        i += set_rendition(text, i);
}

static void move_by(struct screen_text *text, uint8_t direction)
{
    unsigned n = parameter(text, 0, 1), x = text->x, y = text->y;
    if (direction == 'A')
        y -= least(n, y);
    else if (direction == 'B')
        y += n;
    else if (direction == 'C')
        x += n;
    else
        x -= least(n, x);
    move_to(text, x, y);
}

static void end_sequence(struct screen_text *text, uint8_t byte)
{
    text->state = STATE_TEXT;
    if (text->private) {
        if ((byte == 'h' || byte == 'l') && parameter(text, 0, 0) == 25)
            text->cursor_hidden = byte == 'l';
        return;
    }
    switch (byte) {
    case 'A':
    case 'B':
    case 'C':
    case 'D':
        move_by(text, byte);
        break;
    case 'G':
        move_to(text, parameter(text, 0, 1) - 1, text->y);
        break;
    case 'H':
    case 'f':
        move_to(text, parameter(text, 1, 1) - 1, parameter(text, 0, 1) - 1);
        break;
    case 'J':
        erase_display(text, parameter(text, 0, 0));
        break;
    case 'K':
        erase_line(text, parameter(text, 0, 0));
        break;
    case 'm':
        set_renditions(text);
        break;
    case 's':
        keep_place(text);
        break;
    case 'u':
        move_to(text, text->kept_x, text->kept_y);
        break;
    default: /* one that is not known is read to its end and does nothing */
        break;
    }
}

static void begin_sequence(struct screen_text *text)
{
    text->state = STATE_SEQUENCE;
    text->private = false;
    text->parameters_full = false;
    text->parameter_count = 0;
}

/* A byte of ESC [ ... ; numbers beyond the last place for one are dropped. */
static void in_sequence(struct screen_text *text, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (text->parameter_count == 0)
            text->parameters[text->parameter_count++] = 0;
        uint16_t *at = &text->parameters[text->parameter_count - 1];
        if (!text->parameters_full)
            *at = (uint16_t)least(*at * 10u + byte - '0', PARAMETER_MAX);
    } else if (byte == ';') {
        if (text->parameter_count == 0)
            text->parameters[text->parameter_count++] = 0;
        if (text->parameter_count < SCREEN_PARAMETERS_MAX)
            text->parameters[text->parameter_count++] = 0;
        else
            text->parameters_full = true;
    } else if (byte >= 0x40 && byte < BYTE_DELETE) {
        end_sequence(text, byte);
    } else if (byte >= 0x3c && byte <= 0x3f) {
        text->private = true;
    }
}

static void after_escape(struct screen_text *text, uint8_t byte)
{
    text->state = STATE_TEXT;
    if (byte == '[')
        begin_sequence(text);
    else if (byte == ']' || byte == 'P' || byte == '^' || byte == '_')
        text->state = STATE_STRING;
    else if (byte >= 0x20 && byte <= 0x2f)
        text->state = STATE_ONE_MORE;
    else if (byte == '7')
        keep_place(text);
    else if (byte == '8')
        move_to(text, text->kept_x, text->kept_y);
    else if (byte == 'c')
        reset(text);
}

/* ---- characters ------------------------------------------------------------------------------ */

/* The first byte of a character in UTF-8. Source: RFC 3629, "UTF-8 definition" */
static void begin_code(struct screen_text *text, uint8_t byte)
{
    static const struct {
        uint8_t first, last, left;
        uint32_t min;
    } lengths[] = {
        {0xc2, 0xdf, 1, 0x80},
        {0xe0, 0xef, 2, 0x800},
        {0xf0, 0xf4, 3, 0x10000},
    };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (byte >= lengths[i].first && byte <= lengths[i].last) {
            text->code_left = lengths[i].left;
            text->code_min = lengths[i].min;
            text->code = byte & (0x3fu >> lengths[i].left);
            return;
        }
    }
    put_code(text, REPLACEMENT);
}

static bool is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdfff;
}

/* A byte from 0x80 on. */
static void put_high(struct screen_text *text, uint8_t byte)
{
    if (text->code_left == 0) {
        begin_code(text, byte);
        return;
    }
    text->code = text->code << 6 | (byte & 0x3fu);
    if (--text->code_left > 0)
        return;
    bool wrong = text->code < text->code_min || text->code > CODE_MAX || is_surrogate(text->code);
    put_code(text, wrong ? REPLACEMENT : text->code);
}

/* A character that ends too early shows as one replacement character. */
static void drop_code(struct screen_text *text)
{
    text->code_left = 0;
    put_code(text, REPLACEMENT);
}

static void put_text(struct screen_text *text, uint8_t byte)
{
    if (text->code_left > 0 && (byte & 0xc0) != 0x80)
        drop_code(text);
    if (byte >= 0x80)
        put_high(text, byte);
    else if (byte < ' ')
        put_control(text, byte);
    else if (byte != BYTE_DELETE)
        put_code(text, byte);
}

static void put_byte(struct screen_text *text, uint8_t byte)
{
    enum { ESCAPE = 0x1b, BELL = 0x07 };
    if (byte == ESCAPE) {
        if (text->code_left > 0)
            drop_code(text);
        text->state = STATE_ESCAPE;
    } else if (text->state == STATE_STRING) {
        if (byte == BELL || byte == '\n')
            text->state = STATE_TEXT;
    } else if (text->state == STATE_TEXT || byte < ' ') {
        put_text(text, byte);
    } else if (text->state == STATE_ESCAPE) {
        after_escape(text, byte);
    } else if (text->state == STATE_SEQUENCE) {
        in_sequence(text, byte);
    } else {
        text->state = STATE_TEXT; /* the one more */
    }
}

void screen_text_write(struct screen_text *text, const char *bytes, size_t count)
{
    note_change(text, text->y, text->y + 1u); /* the cursor leaves */
    for (size_t i = 0; i < count; i++)
        put_byte(text, (uint8_t)bytes[i]);
    note_change(text, text->y, text->y + 1u); /* and is here now */
}

void screen_text_init(struct screen_text *text, struct screen_cell *cells, uint16_t columns,
                      uint16_t rows)
{
    *text = (struct screen_text){.columns = columns, .rows = rows, .cells = cells};
    reset(text);
}

const struct screen_cell *screen_text_line(const struct screen_text *text, unsigned y)
{
    return cell_at(text, 0, y);
}

unsigned screen_text_cursor(const struct screen_text *text, unsigned y)
{
    return y == text->y && !text->cursor_hidden ? text->x : text->columns;
}

struct screen_cell screen_text_under_cursor(struct screen_cell cell)
{
    return (struct screen_cell){.code = cell.code, .ink = cell.ground, .ground = cell.ink};
}

bool screen_text_take_changes(struct screen_text *text, unsigned *first, unsigned *end)
{
    *first = text->changed_first;
    *end = least(text->changed_end, text->rows);
    text->changed_first = 0;
    text->changed_end = 0;
    return *first < *end;
}
