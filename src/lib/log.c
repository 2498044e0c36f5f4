// SPDX-License-Identifier: MIT
/*
 * The log's ring: any context writes, nobody waits, no line is ever read torn.
 *
 * Positions count slots without end (modulo 2^36); position p lives in slot p % LOG_SLOTS, so each
 * slot serves one position a lap. A line of text takes as many slots in a row as it needs. One
 * exchange of log_head claims them and numbers the line; what it held is the line's claim word:
 *
 *     bits 0..35   position of the line's first slot
 *     bits 36..63  number of the line
 *
 * Claim words add up: the next line's is this one's plus one line plus its slots. Therefore the
 * difference between the claim found and the claim expected gives the lines missed, wraps included.
 *
 * A slot's state holds the position that it serves and a stage, BUSY or DONE. Writer:
 *
 *     W1  claim the positions
 *     W2  take the slot: from never used, or from DONE of an older lap, to BUSY of ours. A slot
 *         that is BUSY for an older lap belongs to a writer that was interrupted while the others
 *         went once round the ring: leave it alone, note in `skipped` that our position will not
 *         come, and drop the fragment. A slot of a newer lap: drop it too
 *     W3  fill it
 *     W4  publish: DONE. The first slot comes last, so that a line whose first slot is DONE has
 *         no slot left that may still become DONE
 *
 * Reader:
 *
 *     R1  at the head: the end. Too far behind it: lost, go on nearer to it
 *     R2  look at the state: DONE of this position is ready; a newer one, or one skipped, is lost;
 *         else the writer is not through, and the log ends here for now
 *     R3  copy
 *     R4  look at the state again: unchanged, or the copy is worthless
 *
 * models/log.pml goes through all interleavings of these steps.
 *
 * A line of which one slot is lost is lost as a whole. Nobody but its writer moves a BUSY slot on.
 * Everything shared is atomic, the text too, word by word; there are no locks, and an NMI that
 * interrupts a writer finds nothing that it has to wait for.
 *
 * The stamps are kept in ticks and turned into seconds when read, so that lines put in before the
 * clock was calibrated come out right.
 */
#include "lib/log.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "arch/arch.h"
#include "lib/console.h"
#include "lib/console_internal.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/text.h"

enum {
    SLOT_BYTES = 128,
    LOG_SLOTS = LOG_RING_BYTES / SLOT_BYTES,
    FRAGMENT_WORDS = 12,
    FRAGMENT_MAX = FRAGMENT_WORDS * 8, /* characters of text in a slot */
    RESTART_LEAD = LOG_SLOTS / 8,      /* slots that a reader who was overtaken leaves free */
    DRAIN_LINES = 16,                  /* lines shown under one hold of the console lock */
    DRAIN_HOLDS = 8,                   /* of it, in one call of log_drain() */

    ESCAPE_MAX = 4, /* "\xhh" */
    LINE_TEXT_MAX = ESCAPE_MAX * LOG_TEXT_MAX,

    LEVEL_PREFIX = 3, /* "<l>", which dmesg shows and consoles do not */
    PREFIX_MAX = 31,  /* "<l>[sssssssssss.uuuuuu] " and its end */
    MISSED_MAX = 48,  /* "nnn lines missed\n" and its end */
    NS_PER_US = 1000,
    US_PER_S = 1000000,
};

enum stage {
    STAGE_NEVER = 0, /* only as the whole state: not used yet */
    STAGE_BUSY = 1,
    STAGE_DONE = 2,
    STAGE_SKIPPED = 3, /* in `skipped` only */
    STAGE_BITS = 2,
    STAGE_MASK = (1 << STAGE_BITS) - 1,
};

/* Of the console lock, by who drains, when others want it: a screen that scrolls may take tens of
 * milliseconds for a line. Each console shows one line at least. */
#define HOLD_NS UINT64_C(100000000)

enum { POSITION_BITS = 36 };
#define POSITION_MASK ((UINT64_C(1) << POSITION_BITS) - 1)
#define ONE_LINE (UINT64_C(1) << POSITION_BITS)

/* A slot's word about its fragment: number of the line, index in the line, level, length of all. */
enum {
    ABOUT_LENGTH_BITS = 16, /* of the whole line's text */
    ABOUT_LEVEL_SHIFT = ABOUT_LENGTH_BITS,
    ABOUT_LEVEL_BITS = 4,
    ABOUT_INDEX_SHIFT = ABOUT_LEVEL_SHIFT + ABOUT_LEVEL_BITS,
    ABOUT_INDEX_BITS = 16,
    ABOUT_LINE_SHIFT = ABOUT_INDEX_SHIFT + ABOUT_INDEX_BITS,
};

struct slot {
    _Atomic uint64_t state;
    _Atomic uint64_t skipped; /* newest position that was dropped here; 0: none */
    _Atomic uint64_t ticks;   /* since the kernel's entry */
    _Atomic uint64_t about;
    _Atomic uint64_t text[FRAGMENT_WORDS];
} __attribute__((aligned(SLOT_BYTES)));

/* A slot's content in a writer's or reader's own memory. */
struct fragment {
    uint64_t ticks;
    uint64_t about;
    union {
        char text[FRAGMENT_MAX];
        uint64_t words[FRAGMENT_WORDS];
    };
};

_Static_assert(sizeof(struct slot) == SLOT_BYTES, "a slot fills its bytes");
_Static_assert((LOG_SLOTS & (LOG_SLOTS - 1)) == 0, "a position finds its slot when it wraps, too");
_Static_assert(LINE_TEXT_MAX < 1 << ABOUT_LENGTH_BITS, "the longest line's length fits");
_Static_assert(LINE_TEXT_MAX / FRAGMENT_MAX < RESTART_LEAD, "a line is far from filling the ring");
_Static_assert(ABOUT_LINE_SHIFT + 64 - POSITION_BITS <= 64, "the line's number fits");

static struct slot ring[LOG_SLOTS];

/*
 * The claim word of the next line. It begins one lap up, so that the positions below are older
 * than the log: a slot that was never used has none of them.
 */
static _Atomic uint64_t log_head = LOG_SLOTS;

static _Atomic int console_level = LOG_INFO;

static char console_text[LOG_FORMATTED_MAX]; /* L: the console lock */

/* ---- positions and words --------------------------------------------------------------------- */

static uint64_t position_add(uint64_t position, uint64_t n)
{
    return (position + n) & POSITION_MASK;
}

/* How far `a` comes after `b` in the order of positions (negative: before it), wraps included. */
static int64_t position_diff(uint64_t a, uint64_t b)
{
    enum { UNUSED_BITS = 64 - POSITION_BITS };
    return (int64_t)((a - b) << UNUSED_BITS) >> UNUSED_BITS;
}

static uint64_t head_position(void)
{
    /* relaxed: what a slot holds is told by the slot's own state */
    return atomic_load_explicit(&log_head, memory_order_relaxed) & POSITION_MASK;
}

static struct slot *slot_of(uint64_t position)
{
    return &ring[position % LOG_SLOTS];
}

static uint64_t state_of(uint64_t position, enum stage stage)
{
    return position << STAGE_BITS | stage;
}

/* Does the state or skip mark belong to a position after this one (or to this one)? */
static bool state_reaches(uint64_t state, uint64_t position)
{
    return state != STAGE_NEVER && position_diff(state >> STAGE_BITS, position) >= 0;
}

static size_t slots_for(size_t length)
{
    return length == 0 ? 1 : (length + FRAGMENT_MAX - 1) / FRAGMENT_MAX;
}

static uint64_t about_encode(uint64_t claim, size_t index, enum log_level level, size_t length)
{
    return claim >> POSITION_BITS << ABOUT_LINE_SHIFT | (uint64_t)index << ABOUT_INDEX_SHIFT |
           (uint64_t)level << ABOUT_LEVEL_SHIFT | length;
}

static size_t about_length(uint64_t about)
{
    return about & ((1 << ABOUT_LENGTH_BITS) - 1);
}

static unsigned about_level(uint64_t about)
{
    return about >> ABOUT_LEVEL_SHIFT & ((1 << ABOUT_LEVEL_BITS) - 1);
}

static size_t about_index(uint64_t about)
{
    return about >> ABOUT_INDEX_SHIFT & ((1 << ABOUT_INDEX_BITS) - 1);
}

/* The claim word of a line whose first slot, at `position`, has this word. */
static uint64_t about_claim(uint64_t about, uint64_t position)
{
    return about >> ABOUT_LINE_SHIFT << POSITION_BITS | position;
}

/* ---- escapes --------------------------------------------------------------------------------- */

/* Text on its way into the ring, character by character. */
struct source {
    const char *text;
    size_t left;
    char escape[ESCAPE_MAX]; /* of the byte before `text`: its last `escape_left` characters wait */
    unsigned escape_left;
};

static bool needs_escape(char c)
{
    enum { FIRST_PRINTABLE = 0x20, DELETE = 0x7f };
    return (unsigned char)c < FIRST_PRINTABLE || c == DELETE;
}

static size_t escaped_length(const char *text, size_t len)
{
    size_t sum = len;
    for (size_t i = 0; i < len; i++) {
        if (needs_escape(text[i]))
            sum += ESCAPE_MAX - 1;
    }
    return sum;
}

static char next_char(struct source *from)
{
    static const char hex[] = "0123456789abcdef";
    if (from->escape_left > 0)
        return from->escape[ESCAPE_MAX - from->escape_left--];

    char c = *from->text++;
    from->left--;
    if (!needs_escape(c))
        return c;
    from->escape[1] = 'x';
    from->escape[2] = hex[(unsigned char)c >> 4];
    from->escape[3] = hex[(unsigned char)c & 0xf];
    from->escape_left = ESCAPE_MAX - 1;
    return '\\';
}

static void next_chars(struct source *from, char buf[FRAGMENT_MAX])
{
    size_t n = 0;
    while (n < FRAGMENT_MAX && (from->escape_left > 0 || from->left > 0))
        buf[n++] = next_char(from);
    memset(buf + n, 0, FRAGMENT_MAX - n);
}

/* ---- writers --------------------------------------------------------------------------------- */

/* Note that `position` will not come. */
static void mark_skipped(struct slot *slot, uint64_t position)
{
    uint64_t seen = atomic_load_explicit(&slot->skipped, memory_order_relaxed);
    while (!state_reaches(seen, position)) {
        /* relaxed: the mark carries nothing with it; a reader that sees it late waits a bit more */
        if (atomic_compare_exchange_weak_explicit(&slot->skipped, &seen,
                                                  state_of(position, STAGE_SKIPPED),
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

/* step W2: take the slot. Returns: false if the fragment has to be dropped. */
static bool take_slot(struct slot *slot, uint64_t position)
{
    uint64_t busy = state_of(position, STAGE_BUSY);
    delay_at(DELAY_LOG_W2);
    uint64_t seen = atomic_load_explicit(&slot->state, memory_order_relaxed);
    do {
        if (state_reaches(seen, position))
            return false;
        if ((seen & STAGE_MASK) == STAGE_BUSY) {
            mark_skipped(slot, position);
            return false;
        }
        /* acquire: pairs with publish() of the lap before, whose words come before ours */
    } while (!atomic_compare_exchange_weak_explicit(&slot->state, &seen, busy, memory_order_acquire,
                                                    memory_order_relaxed));
    /* release: who copies a word of ours sees BUSY in step R4 (acquire fence in copy_slot) */
    atomic_thread_fence(memory_order_release);
    return true;
}

/* step W3: fill the slot */
static void fill_slot(struct slot *slot, const struct fragment *from)
{
    atomic_store_explicit(&slot->ticks, from->ticks, memory_order_relaxed);
    atomic_store_explicit(&slot->about, from->about, memory_order_relaxed);
    delay_at(DELAY_LOG_W3);
    for (int i = 0; i < FRAGMENT_WORDS; i++)
        atomic_store_explicit(&slot->text[i], from->words[i], memory_order_relaxed);
}

/* step W4: publish the slot */
static void publish(struct slot *slot, uint64_t position)
{
    delay_at(DELAY_LOG_W4);
    /* release: pairs with the acquire in look_at; a plain store, since a BUSY slot is ours alone */
    atomic_store_explicit(&slot->state, state_of(position, STAGE_DONE), memory_order_release);
}

/* Ticks since the kernel's entry; a core whose counter lags behind the boot core's starts at 0. */
static uint64_t stamp_now(void)
{
    uint64_t now = arch_ticks_ordered(), boot = arch_boot_ticks();
    return now > boot ? now - boot : 0;
}

/*
 * Step W1: claim `count` positions, and a stamp for the line. The stamp is read between the look at
 * the head and the exchange that succeeds only if nobody claimed in between, so that the stamps
 * are in the order of the lines. Relaxed: the slots tell what is in them.
 */
static uint64_t claim_line(size_t count, uint64_t *ticks)
{
    delay_at(DELAY_LOG_W1);
    uint64_t claim = atomic_load_explicit(&log_head, memory_order_relaxed);
    do {
        *ticks = stamp_now();
    } while (!atomic_compare_exchange_weak_explicit(&log_head, &claim, claim + ONE_LINE + count,
                                                    memory_order_relaxed, memory_order_relaxed));
    return claim;
}

/* One line; len is at most LOG_TEXT_MAX. */
static void put_line(enum log_level level, const char *text, size_t len)
{
    struct source from = {.text = text, .left = len};
    struct fragment fragment;
    size_t length = escaped_length(text, len);
    size_t count = slots_for(length);
    uint64_t claim = claim_line(count, &fragment.ticks);
    bool first_taken = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t position = position_add(claim, i);
        struct slot *slot = slot_of(position);
        next_chars(&from, fragment.text);
        fragment.about = about_encode(claim, i, level, length);
        if (!take_slot(slot, position))
            continue;
        fill_slot(slot, &fragment);
        if (i == 0)
            first_taken = true;
        else
            publish(slot, position);
    }
    if (first_taken)
        publish(slot_of(claim), claim & POSITION_MASK);
    arch_work_note(); /* after it: who does the work finds the line */
}

static enum log_level valid_level(enum log_level level)
{
    return (unsigned)level <= LOG_DEBUG ? level : LOG_DEBUG;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char text[LOG_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int wanted = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_line(valid_level(level), text, wanted < LOG_LINE_MAX ? (size_t)wanted : LOG_LINE_MAX - 1);
}

void log_text(enum log_level level, const char *text, size_t len)
{
    if (len > LOG_TEXT_MAX)
        len = LOG_TEXT_MAX;
    while (len > 0) {
        size_t n = 0;
        while (n < len && text[n] != '\n')
            n++;
        put_line(valid_level(level), text, n);
        n += n < len; /* the newline */
        text += n;
        len -= n;
    }
}

/* ---- readers --------------------------------------------------------------------------------- */

enum look { LOOK_READY, LOOK_LOST, LOOK_UNFINISHED };

/* step R2: what has become of this position, which lies at most a lap behind the head? */
static enum look look_at(uint64_t position)
{
    struct slot *slot = slot_of(position);
    delay_at(DELAY_LOG_R2);
    /* acquire: pairs with publish(); the words that we copy are those of this position */
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (state == state_of(position, STAGE_DONE))
        return LOOK_READY;
    if (state == state_of(position, STAGE_BUSY))
        return LOOK_UNFINISHED;
    if (state_reaches(state, position))
        return LOOK_LOST;
    if (state == STAGE_NEVER && position < LOG_SLOTS) /* older than the log: see log_head */
        return LOOK_LOST;
    if (state_reaches(atomic_load_explicit(&slot->skipped, memory_order_relaxed), position))
        return LOOK_LOST;
    return LOOK_UNFINISHED;
}

/* Returns: true if the slot is ready and the copy is whole. */
static bool copy_slot(uint64_t position, struct fragment *to)
{
    struct slot *slot = slot_of(position);
    if (look_at(position) != LOOK_READY)
        return false;

    /* step R3: copy */
    to->ticks = atomic_load_explicit(&slot->ticks, memory_order_relaxed);
    to->about = atomic_load_explicit(&slot->about, memory_order_relaxed);
    delay_at(DELAY_LOG_R3);
    for (int i = 0; i < FRAGMENT_WORDS; i++)
        to->words[i] = atomic_load_explicit(&slot->text[i], memory_order_relaxed);

    delay_at(DELAY_LOG_R4);
    /* step R4: still the same? acquire: pairs with the release fence in take_slot */
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->state, memory_order_relaxed) ==
           state_of(position, STAGE_DONE);
}

/*
 * Move at->slot to the next slot that begins a line, and copy that slot. `final`: no writer will
 * go on, so what is unfinished is lost.
 * Returns: false at the end of the log, with at->slot after all that was lost.
 */
static bool find_line(struct log_cursor *at, struct fragment *first, bool final)
{
    for (;; at->slot = position_add(at->slot, 1)) {
        delay_at(DELAY_LOG_R1);
        /* step R1: at the end, or overtaken? */
        uint64_t head = head_position();
        int64_t behind = position_diff(head, at->slot);
        if (behind <= 0)
            return false;
        if (behind > LOG_SLOTS)
            at->slot = position_add(head, RESTART_LEAD - (uint64_t)LOG_SLOTS);

        if (!final && look_at(at->slot) == LOOK_UNFINISHED)
            return false;
        if (copy_slot(at->slot, first) && about_index(first->about) == 0)
            return true;
    }
}

/* `<level>[stamp] ` into buf. Returns: its length. */
static size_t format_prefix(char buf[PREFIX_MAX], unsigned level, uint64_t ticks)
{
    uint64_t us = arch_ticks_to_ns(ticks) / NS_PER_US;
    return (size_t)snprintf(buf, PREFIX_MAX, "<%u>[%5llu.%06llu] ", level,
                            (unsigned long long)(us / US_PER_S),
                            (unsigned long long)(us % US_PER_S));
}

/*
 * The line that begins at `position` with the fragment `first`.
 * Returns: its length, -EMSGSIZE, or 0 if a part of it is lost.
 */
static long format_line(uint64_t position, const struct fragment *first, char *buf, size_t size)
{
    char prefix[PREFIX_MAX];
    size_t used = format_prefix(prefix, about_level(first->about), first->ticks);
    size_t left = about_length(first->about);
    if (used + left + 1 > size)
        return -EMSGSIZE;
    memcpy(buf, prefix, used);

    struct fragment fragment = *first;
    for (size_t i = 0;;) {
        size_t n = left < FRAGMENT_MAX ? left : FRAGMENT_MAX;
        memcpy(buf + used, fragment.text, n);
        used += n;
        left -= n;
        if (left == 0)
            break;
        if (!copy_slot(position_add(position, ++i), &fragment))
            return 0;
    }
    buf[used++] = '\n';
    return (long)used;
}

/* The report in place of `missed` lines, stamped as the line that follows. Returns: as log_read. */
static long format_missed(uint64_t missed, uint64_t ticks, char *buf, size_t size)
{
    char text[PREFIX_MAX + MISSED_MAX];
    size_t used = format_prefix(text, LOG_WARNING, ticks);
    used += (size_t)snprintf(text + used, MISSED_MAX, "%llu lines missed\n",
                             (unsigned long long)missed);
    if (used > size)
        return -EMSGSIZE;
    memcpy(buf, text, used);
    return (long)used;
}

/* log_read(), and with `final` the same when no writer will go on. */
static long read_line(struct log_cursor *cursor, char *buf, size_t size, bool final)
{
    struct log_cursor at = *cursor;
    bool fresh = at.line == 0;
    struct fragment first;

    if (fresh)
        at.slot = position_add(head_position(), -(uint64_t)LOG_SLOTS);
    for (; find_line(&at, &first, final); at.slot = position_add(at.slot, 1)) {
        uint64_t claim = about_claim(first.about, at.slot);
        uint64_t missed =
            fresh ? 0 : log_lines_between(at, (struct log_cursor){.slot = at.slot, .line = claim});
        if (missed > 0) {
            long used = format_missed(missed, first.ticks, buf, size);
            if (used > 0)
                *cursor = (struct log_cursor){.slot = at.slot, .line = claim};
            return used;
        }
        long used = format_line(at.slot, &first, buf, size);
        if (used < 0)
            return used;
        if (used > 0) {
            cursor->line = claim + ONE_LINE + slots_for(about_length(first.about));
            cursor->slot = cursor->line & POSITION_MASK;
            return used;
        }
    }
    if (!fresh)
        cursor->slot = at.slot; /* no need to look at the lost ones again */
    return 0;
}

struct log_cursor log_end(void)
{
    uint64_t claim = atomic_load_explicit(&log_head, memory_order_relaxed);
    return (struct log_cursor){.slot = claim & POSITION_MASK, .line = claim};
}

bool log_is_before(struct log_cursor at, struct log_cursor end)
{
    return at.line == 0 || (int64_t)(end.line - at.line) > 0;
}

uint64_t log_lines_between(struct log_cursor from, struct log_cursor to)
{
    return (to.line - from.line) >> POSITION_BITS;
}

long log_read(struct log_cursor *cursor, char *buf, size_t size)
{
    return read_line(cursor, buf, size, false);
}

/* ---- consoles -------------------------------------------------------------------------------- */

void log_set_console_level(int level)
{
    atomic_store_explicit(&console_level, level, memory_order_relaxed);
}

int log_console_level(void)
{
    return atomic_load_explicit(&console_level, memory_order_relaxed);
}

/* Up to here every console has shown the log, if not further: who finds the head there need not
 * ask each of them, on each way to ring 3. L: console for changes. */
static _Atomic uint64_t shown_by_all;

static inline bool all_have_shown(void)
{
    return head_position() == atomic_load_explicit(&shown_by_all, memory_order_relaxed);
}

void log_console_begins(void)
{
    atomic_store_explicit(&shown_by_all, 0, memory_order_relaxed); /* the next drain finds out */
}

static void move_to(struct console *console, struct log_cursor to)
{
    console->shown = to;
    atomic_store_explicit(&console->log_slot, to.slot, memory_order_relaxed);
}

void log_begin_console(struct console *console)
{
    move_to(console, (struct log_cursor){.slot = LOG_SLOTS, .line = LOG_SLOTS});
}

void log_begin_console_now(struct console *console)
{
    move_to(console, log_end());
}

/* Is the level of this line, as log_read() gives it, one that the consoles show? */
static bool is_shown(const char *line)
{
    return line[1] - '0' <= log_console_level();
}

static void show_line(struct console *console, const char *line, long len)
{
    if (len > LEVEL_PREFIX)
        console_write_line(console, line + LEVEL_PREFIX, (size_t)len - LEVEL_PREFIX);
}

/* How far a drain goes. */
enum drain {
    DRAIN_WHAT_FITS, /* no wait for the device, unless a line is longer than its buffer */
    DRAIN_WAITING,   /* all, with such waits */
    DRAIN_FINAL,     /* all, and no writer will go on */
};

/*
 * Show one line, if its level is shown. The cursor moves afterwards: a panic in the midst of it
 * shows the line again, whole. Returns: false at the end of the log, or if the line does not fit.
 */
static bool drain_one(struct console *console, enum drain how)
{
    struct log_cursor next = console->shown;
    long len = read_line(&next, console_text, sizeof(console_text), how == DRAIN_FINAL);
    if (len > 0 && is_shown(console_text)) {
        if (how == DRAIN_WHAT_FITS && !console_is_ready(console, (size_t)len))
            return false;
        show_line(console, console_text, len);
    }
    move_to(console, next);
    return len > 0;
}

static inline bool is_behind(const struct console *console)
{
    uint64_t slot = atomic_load_explicit(&console->log_slot, memory_order_relaxed);
    int64_t behind = position_diff(head_position(), slot);
    return behind > 0 && (behind > LOG_SLOTS || look_at(slot) != LOOK_UNFINISHED);
}

bool log_is_behind(const struct console *console)
{
    return is_behind(console);
}

/* Which consoles are asked. */
enum pending {
    PENDING_UNHELD,
    PENDING_READY, /* and the device has room for any line */
};

/* Is there a line to show? */
static inline bool any_pending(enum pending where)
{
    if (all_have_shown())
        return false;
    console_for_each (c) {
        if (!console_takes_log(c) || !is_behind(c))
            continue;
        if (console_is_held(c))
            continue;
        if (where != PENDING_READY || console_is_ready(c, LOG_FORMATTED_MAX))
            return true;
    }
    return false;
}

bool log_pending(void)
{
    return any_pending(PENDING_UNHELD);
}

/* Locks: caller holds console. */
static void drain_some(void)
{
    uint64_t least = head_position(), since_ns = arch_clock_ns();
    console_for_each (c) {
        if (!console_takes_log(c))
            continue;
        for (int i = 0; i < DRAIN_LINES && !console_is_held(c) && drain_one(c, DRAIN_WHAT_FITS);
             i++) {
            if (console_wanted() && arch_clock_ns() - since_ns > HOLD_NS)
                break;
        }
        if (position_diff(least, c->shown.slot) > 0)
            least = c->shown.slot;
    }
    atomic_store_explicit(&shown_by_all, least, memory_order_relaxed);
}

void log_drain(void)
{
    /* The first look passes over nothing, since `held` is sure under the lock alone. What is still
     * held, or has no room, after giving the lock back is left to who ends that (console.c). */
    bool more = !all_have_shown();
    for (int holds = 0; more && holds < DRAIN_HOLDS; holds++) {
        if (!console_try_lock())
            return;
        drain_some();
        console_unlock();
        if (console_wanted())
            return; /* let it in; it drains when it is through */
        if (arch_work_due())
            return; /* this core has more to do than to print; it comes back */
        more = any_pending(PENDING_READY);
    }
    if (more)
        arch_work_note(); /* lines come as fast as they are shown: the caller has to go on */
}

/* Slots that the console has not shown; a line has at least one. */
static int64_t slots_behind(const struct console *console)
{
    int64_t slots = position_diff(head_position(), console->shown.slot);
    return slots > LOG_SLOTS ? LOG_SLOTS : slots;
}

void log_drain_locked(void)
{
    console_for_each (c) {
        if (!console_takes_log(c))
            continue;
        for (int64_t slots = slots_behind(c); slots > 0 && drain_one(c, DRAIN_WAITING); slots--)
            continue;
    }
}

void log_settle(void)
{
    console_lock();
    log_drain_locked();
    console_unlock();
    log_drain();
}

void log_flush_in_panic(void)
{
    console_for_each (c) {
        /* a core that did not stop may still log */
        for (int64_t slots = slots_behind(c); slots > 0 && drain_one(c, DRAIN_FINAL); slots--)
            continue;
    }
    console_flush();
}

/*
 * Find the newest lines above the consoles' level: last[n % LOG_HIDDEN_LINES] becomes the place of
 * the n-th such line. Returns: how many there are in the ring.
 */
static unsigned find_hidden(struct log_cursor last[LOG_HIDDEN_LINES])
{
    struct log_cursor cursor = {0};
    unsigned found = 0;
    for (;;) {
        struct log_cursor at = cursor;
        if (read_line(&cursor, console_text, sizeof(console_text), true) <= 0)
            return found;
        if (!is_shown(console_text))
            last[found++ % LOG_HIDDEN_LINES] = at;
    }
}

void log_show_hidden_in_panic(void)
{
    struct log_cursor last[LOG_HIDDEN_LINES];
    unsigned found = find_hidden(last);
    if (found == 0)
        return;
    log_line(LOG_EMERG, "last lines of the log:");
    log_flush_in_panic();
    for (unsigned n = found > LOG_HIDDEN_LINES ? found - LOG_HIDDEN_LINES : 0; n < found; n++) {
        long len = read_line(&last[n % LOG_HIDDEN_LINES], console_text, sizeof(console_text), true);
        console_for_each (c)
            show_line(c, console_text, len);
    }
    console_flush();
}
