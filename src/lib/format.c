// SPDX-License-Identifier: MIT
/*
 * Formatted text as ISO C defines it ("The fprintf function"), without floating point and %n.
 *
 * Characters beyond the buffer are counted and not stored; a pad of any width costs no more than
 * the buffer has room for.
 */
#include "lib/text.h"

enum {
    NO_PRECISION = -1,
    DIGITS_MAX = 22,     /* 2^64 - 1 in octal */
    POINTER_DIGITS = 16, /* of %p */
};

enum length {
    LENGTH_INT,
    LENGTH_CHAR,
    LENGTH_SHORT,
    LENGTH_LONG, /* and ll, j, z, t: all 64 bits here */
};

struct out {
    char *buf;
    size_t size;
    size_t length; /* of the whole text, stored or not */
};

struct spec {
    bool left, zero, plus, space, alternate;
    int width;
    int precision;
    enum length length;
    char conversion;
};

static void put_char(struct out *out, char c)
{
    if (out->length < out->size)
        out->buf[out->length] = c;
    out->length++;
}

static void put_chars(struct out *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_char(out, s[i]);
}

static void pad(struct out *out, char c, size_t n)
{
    size_t room = out->length < out->size ? out->size - out->length : 0;
    size_t stored = n < room ? n : room;
    if (stored > 0)
        memset(out->buf + out->length, c, stored);
    out->length += n;
}

/* `body` in a field of the conversion's width. */
static void put_field(struct out *out, const struct spec *spec, const char *body, size_t n)
{
    size_t width = (size_t)spec->width;
    size_t blanks = width > n ? width - n : 0;
    if (!spec->left)
        pad(out, ' ', blanks);
    put_chars(out, body, n);
    if (spec->left)
        pad(out, ' ', blanks);
}

/* The digits of value, written to the end of digits[DIGITS_MAX]. Returns: how many. */
static size_t to_digits(uint64_t value, unsigned base, bool upper, char *digits)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t n = 0;
    for (; value != 0; value /= base)
        digits[DIGITS_MAX - ++n] = alphabet[value % base];
    return n;
}

/*
 * A number: blanks, prefix (sign or 0x), zeros, digits, blanks. A precision gives the least
 * number of digits and turns the flag 0 off.
 */
static void put_number(struct out *out, const struct spec *spec, const char *prefix, uint64_t value,
                       unsigned base)
{
    char digits[DIGITS_MAX];
    size_t n = to_digits(value, base, spec->conversion == 'X', digits);
    size_t prefix_length = strlen(prefix);
    size_t least = spec->precision == NO_PRECISION ? 1 : (size_t)spec->precision;
    if (base == 8 && spec->alternate && least <= n)
        least = n + 1;
    size_t zeros = least > n ? least - n : 0;
    size_t used = prefix_length + zeros + n;
    size_t fill = (size_t)spec->width > used ? (size_t)spec->width - used : 0;

    if (spec->zero && !spec->left && spec->precision == NO_PRECISION) {
        zeros += fill;
        fill = 0;
    }
    if (!spec->left)
        pad(out, ' ', fill);
    put_chars(out, prefix, prefix_length);
    pad(out, '0', zeros);
    put_chars(out, digits + DIGITS_MAX - n, n);
    if (spec->left)
        pad(out, ' ', fill);
}

static void put_signed(struct out *out, const struct spec *spec, int64_t value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";
    /* negated as unsigned: the smallest number has no positive twin */
    put_number(out, spec, sign, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void put_hex(struct out *out, const struct spec *spec, uint64_t value)
{
    const char *prefix = spec->conversion == 'X' ? "0X" : "0x";
    put_number(out, spec, spec->alternate && value != 0 ? prefix : "", value, 16);
}

static void put_pointer(struct out *out, const struct spec *spec, const void *pointer)
{
    struct spec hex = *spec;
    hex.precision = POINTER_DIGITS;
    put_number(out, &hex, "0x", (uintptr_t)pointer, 16);
}

static void put_string(struct out *out, const struct spec *spec, const char *s)
{
    size_t most = spec->precision == NO_PRECISION ? SIZE_MAX : (size_t)spec->precision;
    if (s == NULL)
        s = "(null)";
    put_field(out, spec, s, strnlen(s, most));
}

static int64_t next_signed(const struct spec *spec, va_list *ap)
{
    switch (spec->length) {
    case LENGTH_LONG:
        return va_arg(*ap, int64_t);
    case LENGTH_CHAR:
        return (signed char)va_arg(*ap, int);
    case LENGTH_SHORT:
        return (short)va_arg(*ap, int);
    default:
        return va_arg(*ap, int);
    }
}

static uint64_t next_unsigned(const struct spec *spec, va_list *ap)
{
    switch (spec->length) {
    case LENGTH_LONG:
        return va_arg(*ap, uint64_t);
    case LENGTH_CHAR:
        return (unsigned char)va_arg(*ap, unsigned);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(*ap, unsigned);
    default:
        return va_arg(*ap, unsigned);
    }
}

/* Take the flags off the format. Returns: what follows them. */
static const char *parse_flags(const char *fmt, struct spec *spec)
{
    for (;; fmt++) {
        switch (*fmt) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        default:
            return fmt;
        }
    }
}

/* A decimal number or `*`; what exceeds an int counts as the largest. */
static const char *parse_number(const char *fmt, va_list *ap, int *number)
{
    if (*fmt == '*') {
        *number = va_arg(*ap, int);
        return fmt + 1;
    }
    int sum = 0;
    for (; *fmt >= '0' && *fmt <= '9'; fmt++) {
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *fmt - '0', &sum))
            sum = INT32_MAX;
    }
    *number = sum;
    return fmt;
}

static const char *parse_width(const char *fmt, va_list *ap, struct spec *spec)
{
    fmt = parse_number(fmt, ap, &spec->width);
    if (spec->width < 0) { /* a negative `*` is the flag - and its opposite */
        spec->left = true;
        spec->width = spec->width == INT32_MIN ? INT32_MAX : -spec->width;
    }
    if (*fmt != '.')
        return fmt;
    fmt = parse_number(fmt + 1, ap, &spec->precision);
    if (spec->precision < 0)
        spec->precision = NO_PRECISION;
    return fmt;
}

static const char *parse_length(const char *fmt, struct spec *spec)
{
    switch (*fmt) {
    case 'h':
        spec->length = fmt[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return fmt + (fmt[1] == 'h' ? 2 : 1);
    case 'l':
        spec->length = LENGTH_LONG;
        return fmt + (fmt[1] == 'l' ? 2 : 1);
    case 'z':
    case 'j':
    case 't':
        spec->length = LENGTH_LONG;
        return fmt + 1;
    default:
        return fmt;
    }
}

/* Carry out one conversion. Returns: false if there is none of that name. */
static bool convert(struct out *out, const struct spec *spec, va_list *ap)
{
    char c;
    switch (spec->conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, next_signed(spec, ap));
        return true;
    case 'u':
        put_number(out, spec, "", next_unsigned(spec, ap), 10);
        return true;
    case 'o':
        put_number(out, spec, "", next_unsigned(spec, ap), 8);
        return true;
    case 'x':
    case 'X':
        put_hex(out, spec, next_unsigned(spec, ap));
        return true;
    case 'p':
        put_pointer(out, spec, va_arg(*ap, const void *));
        return true;
    case 'c':
        c = (char)va_arg(*ap, int);
        put_field(out, spec, &c, 1);
        return true;
    case 's':
        put_string(out, spec, va_arg(*ap, const char *));
        return true;
    case '%':
        put_char(out, '%');
        return true;
    default:
        return false;
    }
}

/* The conversion whose '%' stands at fmt. Returns: what follows it. */
static const char *format_one(struct out *out, const char *fmt, va_list *ap)
{
    struct spec spec = {.precision = NO_PRECISION, .length = LENGTH_INT};
    const char *start = fmt;
    fmt = parse_flags(fmt + 1, &spec);
    fmt = parse_width(fmt, ap, &spec);
    fmt = parse_length(fmt, &spec);
    spec.conversion = *fmt;
    if (*fmt != '\0')
        fmt++;
    if (!convert(out, &spec, ap))
        put_chars(out, start, (size_t)(fmt - start));
    return fmt;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out out = {.buf = buf, .size = size};
    va_list args;
    va_copy(args, ap); /* only a va_list object of our own has an address that can be passed on */
    while (*fmt != '\0') {
        if (*fmt == '%')
            fmt = format_one(&out, fmt, &args);
        else
            put_char(&out, *fmt++);
    }
    va_end(args);
    if (size > 0)
        buf[out.length < size ? out.length : size - 1] = '\0';
    return out.length < INT32_MAX ? (int)out.length : INT32_MAX;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return length;
}
