// SPDX-License-Identifier: MIT
/*
 * The one place where the kernel changes its own text: before the final page tables, which make it
 * read-only for good, are in use.
 */
#include "arch/x86_64/smap.h"

#include <stdint.h>

#include "arch/x86_64/cpu.h"

struct smap_site {
    uint8_t *at;
    uint64_t kind; /* enum smap_kind: the last byte of the instruction */
};
extern const struct smap_site smap_sites_start[], smap_sites_end[];

void smap_patch(void)
{
    if (!cpu_features.smap)
        return;
    for (const struct smap_site *site = smap_sites_start; site < smap_sites_end; site++) {
        site->at[0] = 0x0f;
        site->at[1] = 0x01;
        site->at[2] = (uint8_t)site->kind;
    }
    (void)cpuid(0, 0); /* serialises: no stale bytes are run */
}
