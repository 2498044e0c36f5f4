// SPDX-License-Identifier: MIT
/*
 * The order of the questions is the order of what cannot be changed: x2APIC once it is on, what the
 * CPU can, ids that devices could not address, the user's word, and last the preference for x2APIC.
 */
#include "arch/x86_64/apic_mode.h"

static struct apic_decision decide(enum apic_mode mode, const char *why)
{
    return (struct apic_decision){.mode = mode, .why = why};
}

struct apic_decision apic_mode_decide(const struct apic_situation *s)
{
    if (s->firmware_x2apic)
        return decide(APIC_MODE_X2APIC, s->wanted == PARAM_APIC_XAPIC
                                            ? "the firmware's choice, which apic= cannot undo"
                                            : "the firmware's choice");
    if (!s->cpu_has_x2apic)
        return decide(APIC_MODE_XAPIC, "the CPU has no other mode");
    if (s->wanted == PARAM_APIC_XAPIC)
        return decide(APIC_MODE_XAPIC, "by apic=");
    if (s->highest_id > XAPIC_ID_MAX)
        return decide(APIC_MODE_XAPIC, "ids above 254, and no interrupt remapping");
    if (s->wanted == PARAM_APIC_X2APIC)
        return decide(APIC_MODE_X2APIC, "by apic=");
    return decide(APIC_MODE_X2APIC, "the CPU offers it");
}
