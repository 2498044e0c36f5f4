// SPDX-License-Identifier: MIT
/*
 * A program did what ends it.
 */
#include "arch/arch.h"
#include "lib/log.h"
#include "lib/signal.h"
#include "lib/text.h"
#include "proc/process.h"

static const char *signal_name(int signal)
{
    switch (signal) {
    case SIGNAL_ILL:
        return "SIGILL";
    case SIGNAL_TRAP:
        return "SIGTRAP";
    case SIGNAL_BUS:
        return "SIGBUS";
    case SIGNAL_FPE:
        return "SIGFPE";
    case SIGNAL_KILL:
        return "SIGKILL";
    case SIGNAL_SEGV:
        return "SIGSEGV";
    default:
        return "signal";
    }
}

void proc_user_fault(const struct user_fault *fault)
{
    const struct process *process = process_current();
    char where[96] = "";
    if (fault->has_address)
        (void)snprintf(where, sizeof(where), ": %s 0x%llx, %s", fault->access,
                       (unsigned long long)fault->address, fault->cause);
    else if (fault->error != 0)
        (void)snprintf(where, sizeof(where), ": error code 0x%llx",
                       (unsigned long long)fault->error);
    log_err("%s[%d]: killed by %s on core %u: %s %s at rip 0x%llx%s", process->name, process->pid,
            signal_name(fault->signal), arch_cpu(), fault->mnemonic, fault->name,
            (unsigned long long)fault->pc, where);
    process_kill_self(fault->signal);
}
