// SPDX-License-Identifier: MIT
/*
 * Which mode the Local APICs of this machine are to be in. Decided once, by the boot core, from
 * what the firmware left; pure, and tested on the host.
 *
 * Source: Intel SDM vol 3A, "Extended XAPIC (x2APIC)", "x2APIC State Transitions".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/params.h"

enum apic_mode { APIC_MODE_XAPIC, APIC_MODE_X2APIC };

struct apic_situation {
    bool cpu_has_x2apic;    /* CPUID leaf 1 */
    bool firmware_x2apic;   /* the boot core's IA32_APIC_BASE has EXTD set */
    uint32_t highest_id;    /* of the enabled cores */
    enum param_apic wanted; /* apic= */
};

struct apic_decision {
    enum apic_mode mode;
    const char *why; /* for the log, as in "x2APIC (%s)" */
};

enum { XAPIC_ID_MAX = 254 }; /* 255 is the broadcast */

/*
 * The mode to use. x2APIC is never left: where the firmware locked it (LEGACY_XAPIC_DISABLED) that
 * would fault. Without interrupt remapping, which this kernel does not drive, x2APIC is turned
 * on only if every id fits an xAPIC destination, because devices can address no other.
 * Context: any. Sleeps: no.
 */
struct apic_decision apic_mode_decide(const struct apic_situation *situation);
