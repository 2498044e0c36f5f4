// SPDX-License-Identifier: MIT
/*
 * Walks the chain of frames that -fno-omit-frame-pointer leaves: rbp points at the caller's rbp,
 * above which the return address lies (System V ABI, AMD64, "The Stack Frame").
 *
 * Nothing on the stack is trusted. A word is read only where a kernel stack is mapped, and rbp may
 * not lie below the stack pointer, which rises with every step. The one step elsewhere is through a
 * trap frame, to the stack that was interrupted; the caller's bound on the number of steps ends
 * even a circle of such.
 */
#include "arch/x86_64/backtrace.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "lib/backtrace.h"

enum { WORD = sizeof(uint64_t) };

extern const char trap_stubs[], trap_stubs_end[], interrupt_entries[], interrupt_entries_end[];

struct place {
    struct arch_call call;
    uint64_t rbp, rsp; /* as they are there, after the return if it is one */
};

static bool stack_word(uint64_t at, uint64_t *value)
{
    if (at % WORD != 0 || !paging_is_stack(at))
        return false;
    *value = *(const uint64_t *)at;
    return true;
}

static bool in_text(uint64_t pc)
{
    return pc >= (uint64_t)text_start && pc < (uint64_t)text_end;
}

static bool returns_between(const struct place *at, const char *start, const char *end)
{
    return at->call.kind == ARCH_CALL_RETURN && at->call.pc >= (uint64_t)start &&
           at->call.pc < (uint64_t)end;
}

/*
 * All calls in stubs.asm are made with the trap frame on top of the stack or, for interrupts,
 * which may be on a stack of their own, with its address in rbp. Returns: is this such a call?
 */
static bool find_trap_frame(const struct place *at, uint64_t *frame)
{
    if (!returns_between(at, trap_stubs, trap_stubs_end))
        return false;
    *frame = returns_between(at, interrupt_entries, interrupt_entries_end) ? at->rbp : at->rsp;
    return true;
}

/* Is there a `mov %rsp, %rbp` in the code before `end`? */
static bool makes_frame(const uint8_t *code, const uint8_t *end)
{
    for (; end - code >= 3; code++) {
        if (code[0] == 0x48 && code[1] == 0x89 && code[2] == 0xe5)
            return true;
    }
    return false;
}

/*
 * Interrupted where rbp is still, or again, the caller's: before the function made its frame, at
 * its `ret`, or after a jump to where no code is.
 */
static bool is_without_frame(const struct place *at)
{
    enum { RET = 0xc3 };
    struct symbol_place place;
    if (at->call.kind != ARCH_CALL_HERE)
        return false;
    if (!backtrace_symbol(at->call.pc, &place))
        return true;
    const uint8_t *code = (const uint8_t *)at->call.pc;
    return *code == RET || !makes_frame(code - place.offset, code);
}

static bool read_trap_frame(uint64_t at, struct trap_frame *frame)
{
    uint64_t *words = (uint64_t *)frame;
    for (size_t i = 0; i < sizeof(*frame) / WORD; i++) {
        if (!stack_word(at + i * WORD, &words[i]))
            return false;
    }
    return true;
}

static struct place place_of(const struct trap_frame *frame, enum arch_call_kind kind)
{
    return (struct place){
        .call = {.pc = frame->rip, .kind = trap_from_user(frame) ? ARCH_CALL_USER : kind},
        .rbp = frame->rbp,
        .rsp = frame->rsp,
    };
}

/* Move *at to the caller, whose return address lies at `slot`. */
static bool return_by(struct place *at, uint64_t slot)
{
    uint64_t pc;
    if (!stack_word(slot, &pc) || !in_text(pc))
        return false;
    at->call = (struct arch_call){.pc = pc, .kind = ARCH_CALL_RETURN};
    at->rsp = slot + WORD;
    return true;
}

/* The same where rbp is the caller's: the return address is on top, or above a saved rbp. */
static bool return_without_frame(struct place *at)
{
    uint64_t top;
    bool saved = stack_word(at->rsp, &top) && top == at->rbp;
    return return_by(at, at->rsp + (saved ? WORD : 0));
}

/* Move *at one step outwards. Returns: false where nothing more is known. */
static bool step_out(struct place *at)
{
    if (at->call.kind == ARCH_CALL_USER)
        return false;
    uint64_t frame_at;
    if (find_trap_frame(at, &frame_at)) {
        struct trap_frame frame;
        if (!read_trap_frame(frame_at, &frame))
            return false;
        *at = place_of(&frame, ARCH_CALL_HERE);
        return true;
    }
    if (is_without_frame(at) && return_without_frame(at))
        return true;
    uint64_t frame = at->rbp;
    return frame >= at->rsp && stack_word(frame, &at->rbp) && return_by(at, frame + WORD);
}

size_t backtrace_from(const struct trap_frame *frame, enum arch_call_kind kind,
                      struct arch_call *calls, size_t max)
{
    struct place at = place_of(frame, kind);
    size_t count = 0;
    do {
        calls[count++] = at.call;
    } while (count < max && step_out(&at));
    return count;
}
