// SPDX-License-Identifier: MIT
/*
 * Source: POSIX.1-2017, "Signal Concepts" and <signal.h>; Linux man-pages, signal(7)
 */
#include "proc/signals.h"

#include "lib/errno.h"
#include "proc/process.h"

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

static bool has_no_effect(int signal)
{
    return signal == SIGNAL_CHLD || signal == SIGNAL_CONT || signal == SIGNAL_URG ||
           signal == SIGNAL_WINCH;
}

static bool stops(int signal)
{
    return signal == SIGNAL_STOP || signal == SIGNAL_TSTP || signal == SIGNAL_TTIN ||
           signal == SIGNAL_TTOU;
}

int signal_self(int signal)
{
    struct signals *signals = &process_current()->signals;
    if (signal < 1 || signal > SIGNAL_MAX)
        return -EINVAL;
    if (has_no_effect(signal) || (signals->ignored & bit(signal)) != 0)
        return 0;
    if (stops(signal))
        return -ENOSYS;
    if ((signals->blocked & bit(signal)) == 0)
        process_kill_self(signal);
    signals->pending |= bit(signal);
    return 0;
}

void signals_block(uint64_t set)
{
    struct signals *signals = &process_current()->signals;
    signals->blocked = set & ~(bit(SIGNAL_KILL) | bit(SIGNAL_STOP));
    uint64_t due = signals->pending & ~signals->blocked;
    if (due != 0)
        process_kill_self(__builtin_ctzll(due) + 1);
}

int signal_ignore(int signal, bool ignore)
{
    struct signals *signals = &process_current()->signals;
    if (signal < 1 || signal > SIGNAL_MAX || signal == SIGNAL_KILL || signal == SIGNAL_STOP)
        return -EINVAL;
    if (ignore) {
        signals->ignored |= bit(signal);
        signals->pending &= ~bit(signal);
    } else {
        signals->ignored &= ~bit(signal);
    }
    return 0;
}
