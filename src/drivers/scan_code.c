// SPDX-License-Identifier: MIT
/*
 * A key's code comes when it goes down, again and again while it is held, and with 0x80 added when
 * it comes up. 0xe0 before a code says that the key is one of those that a keyboard of 83 keys did
 * not have, 0xe1 that two more codes follow (Pause).
 */
#include "drivers/scan_code.h"

#include <stdbool.h>

#include "lib/text.h"

/* clang-format off */
enum {
    CODE_UP = 0x80, /* added: the key came up */
    CODE_LATER_KEY = 0xe0,
    CODE_PAUSE = 0xe1,
        PAUSE_FOLLOWS = 2,
    CODE_ERROR = 0x00,     /* too many keys at once */
    CODE_ERROR_SET2 = 0xff,

    CODE_TAB = 0x0f,
    CODE_CONTROL = 0x1d,
    CODE_SHIFT_LEFT = 0x2a,
    CODE_SLASH = 0x35,
    CODE_SHIFT_RIGHT = 0x36,
    CODE_ALT = 0x38,
    CODE_CAPS_LOCK = 0x3a,
    CODE_F1 = 0x3b,
    CODE_NUM_LOCK = 0x45,
    CODE_PAD_FIRST = 0x47, /* the key pad's 7, up to its point */
    CODE_PAD_LAST = 0x53,
    CODE_ENTER = 0x1c,
};

enum {
    MODIFIER_SHIFT_LEFT = 1 << 0,
    MODIFIER_SHIFT_RIGHT = 1 << 1,
        MODIFIER_SHIFT = 3 << 0,
    MODIFIER_CONTROL_LEFT = 1 << 2,
    MODIFIER_CONTROL_RIGHT = 1 << 3,
        MODIFIER_CONTROL = 3 << 2,
    MODIFIER_ALT_LEFT = 1 << 4,
    MODIFIER_ALT_RIGHT = 1 << 5,
        MODIFIER_ALT = 3 << 4,
    MODIFIER_CAPS_LOCK = 1 << 6,
    MODIFIER_NUM_LOCK = 1 << 7,
        MODIFIER_LOCKS = 3 << 6,
};
/* clang-format on */

enum { ESCAPE = 0x1b, DELETE = 0x7f };

/* Keys that type a character, by their codes; 0: not such a key. */
static const char plain[] = {0,   ESCAPE, '1',    '2',  '3',  '4', '5', '6',  '7', '8', '9', '0',
                             '-', '=',    DELETE, '\t', 'q',  'w', 'e', 'r',  't', 'y', 'u', 'i',
                             'o', 'p',    '[',    ']',  '\r', 0,   'a', 's',  'd', 'f', 'g', 'h',
                             'j', 'k',    'l',    ';',  '\'', '`', 0,   '\\', 'z', 'x', 'c', 'v',
                             'b', 'n',    'm',    ',',  '.',  '/', 0,   '*',  0,   ' '};
static const char shifted[] = {0,   ESCAPE, '!',    '@',  '#',  '$', '%', '^', '&', '*', '(', ')',
                               '_', '+',    DELETE, '\t', 'Q',  'W', 'E', 'R', 'T', 'Y', 'U', 'I',
                               'O', 'P',    '{',    '}',  '\r', 0,   'A', 'S', 'D', 'F', 'G', 'H',
                               'J', 'K',    'L',    ':',  '"',  '~', 0,   '|', 'Z', 'X', 'C', 'V',
                               'B', 'N',    'M',    '<',  '>',  '?', 0,   '*', 0,   ' '};
_Static_assert(sizeof(plain) == 0x3a && sizeof(shifted) == 0x3a, "up to the space bar");

/* The key pad, from CODE_PAD_FIRST on: as digits, and as what the same keys were before there were
 * any others. */
static const char pad_digits[] = "789-456+1230.";
static const char *const pad_keys[] = {"\x1b[1~", "\x1b[A",  "\x1b[5~", "-",       "\x1b[D",
                                       "\x1b[G",  "\x1b[C",  "+",       "\x1b[4~", "\x1b[B",
                                       "\x1b[6~", "\x1b[2~", "\x1b[3~"};

/* F1 to F10, and then F11 and F12. */
static const char *const function_keys[] = {"\x1b[[A",  "\x1b[[B",  "\x1b[[C",  "\x1b[[D",
                                            "\x1b[[E",  "\x1b[17~", "\x1b[18~", "\x1b[19~",
                                            "\x1b[20~", "\x1b[21~"};
static const struct {
    uint8_t code;
    const char *text;
} other_keys[] = {{0x56, "\\"}, {0x57, "\x1b[23~"}, {0x58, "\x1b[24~"}};

static uint16_t modifier_of(uint8_t code, bool later)
{
    switch (code) {
    case CODE_SHIFT_LEFT:
        return later ? 0 : MODIFIER_SHIFT_LEFT; /* with 0xe0: made up by the keyboard */
    case CODE_SHIFT_RIGHT:
        return later ? 0 : MODIFIER_SHIFT_RIGHT;
    case CODE_CONTROL:
        return later ? MODIFIER_CONTROL_RIGHT : MODIFIER_CONTROL_LEFT;
    case CODE_ALT:
        return later ? MODIFIER_ALT_RIGHT : MODIFIER_ALT_LEFT;
    case CODE_CAPS_LOCK:
        return MODIFIER_CAPS_LOCK;
    case CODE_NUM_LOCK:
        return MODIFIER_NUM_LOCK;
    default:
        return 0;
    }
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

/* The character of a key that types one; 0: it does not. */
static char character_of(const struct keyboard *keyboard, uint8_t code)
{
    if (code >= sizeof(plain))
        return 0;
    bool shift = (keyboard->held & MODIFIER_SHIFT) != 0;
    if (is_letter(plain[code]) && (keyboard->switched & MODIFIER_CAPS_LOCK) != 0)
        shift = !shift;
    return shift ? shifted[code] : plain[code];
}

/* What Control makes of it; some characters have none and stay. */
static char control_of(char c)
{
    if (c >= '@' && c < DELETE)
        return (char)(c & 0x1f);
    if (c == ' ')
        return 0;
    if (c == DELETE)
        return '\b';
    return c == '/' || c == '-' ? 0x1f : c;
}

/* What a key sends that types no single character; NULL: nothing. */
static const char *text_of(const struct keyboard *keyboard, uint8_t code)
{
    if (code >= CODE_PAD_FIRST && code <= CODE_PAD_LAST)
        return pad_keys[code - CODE_PAD_FIRST];
    if (code >= CODE_F1 && code < CODE_F1 + sizeof(function_keys) / sizeof(function_keys[0]))
        return function_keys[code - CODE_F1];
    for (size_t i = 0; i < sizeof(other_keys) / sizeof(other_keys[0]); i++) {
        if (other_keys[i].code == code)
            return code == 0x56 && (keyboard->held & MODIFIER_SHIFT) != 0 ? "|"
                                                                          : other_keys[i].text;
    }
    return NULL;
}

static size_t type_text(const char *from, char text[SCAN_CODE_TEXT_MAX])
{
    size_t length = from == NULL ? 0 : strnlen(from, SCAN_CODE_TEXT_MAX);
    if (length > 0)
        memcpy(text, from, length);
    return length;
}

/* With Alt an ESC comes first, as on Linux's console. */
static size_t type_character(const struct keyboard *keyboard, char c, char text[SCAN_CODE_TEXT_MAX])
{
    size_t length = 0;
    if ((keyboard->held & MODIFIER_ALT) != 0)
        text[length++] = ESCAPE;
    text[length++] = (keyboard->held & MODIFIER_CONTROL) != 0 ? control_of(c) : c;
    return length;
}

static size_t key_down(const struct keyboard *keyboard, uint8_t code, bool later,
                       char text[SCAN_CODE_TEXT_MAX])
{
    bool pad = code >= CODE_PAD_FIRST && code <= CODE_PAD_LAST;
    if (later && !pad && code != CODE_ENTER && code != CODE_SLASH)
        return 0;
    if (pad && !later && (keyboard->switched & MODIFIER_NUM_LOCK) != 0)
        return type_character(keyboard, pad_digits[code - CODE_PAD_FIRST], text);
    if (code == CODE_TAB && (keyboard->held & MODIFIER_SHIFT) != 0)
        return type_text("\x1b[Z", text);
    char c = later && code == CODE_SLASH ? '/' : character_of(keyboard, code);
    return c != 0 ? type_character(keyboard, c, text) : type_text(text_of(keyboard, code), text);
}

size_t scan_code_take(struct keyboard *keyboard, uint8_t code, char text[SCAN_CODE_TEXT_MAX])
{
    if (keyboard->skip > 0) {
        keyboard->skip--;
        return 0;
    }
    if (code == CODE_LATER_KEY) {
        keyboard->prefix = code;
        return 0;
    }
    if (code == CODE_PAUSE)
        keyboard->skip = PAUSE_FOLLOWS;
    bool later = keyboard->prefix == CODE_LATER_KEY;
    keyboard->prefix = 0;
    if (code == CODE_PAUSE || code == CODE_ERROR || code == CODE_ERROR_SET2)
        return 0;

    bool up = (code & CODE_UP) != 0;
    uint8_t key = code & (uint8_t)~CODE_UP;
    uint16_t modifier = modifier_of(key, later);
    if (!up && (keyboard->held & modifier) == 0) /* not by its repetition */
        keyboard->switched ^= modifier & MODIFIER_LOCKS;
    keyboard->held = (uint16_t)(up ? keyboard->held & ~modifier : keyboard->held | modifier);
    return up || modifier != 0 ? 0 : key_down(keyboard, key, later, text);
}
