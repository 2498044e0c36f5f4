// SPDX-License-Identifier: MIT
/*
 * Supervisor-mode access prevention: the kernel reaches user memory only between stac and clac, and
 * every entry clears AC (Intel SDM vol 3A, "Access Rights"). The places are three-byte no-ops in
 * the image, listed in .smap_sites, and become instructions once where the CPU has SMAP: no branch
 * is left on the path.
 */
#pragma once

enum smap_kind {
    SMAP_CLAC = 0xca, /* last byte of 0f 01 ca */
    SMAP_STAC = 0xcb,
};

#define SMAP_SITE(kind)                                                                            \
    "771: .byte 0x0f, 0x1f, 0x00\n\t"                                                              \
    ".pushsection .smap_sites, \"a\"\n\t"                                                          \
    ".balign 8\n\t"                                                                                \
    ".quad 771b, " kind "\n\t"                                                                     \
    ".popsection\n\t"
#define SMAP_STAC_SITE SMAP_SITE("0xcb")
#define SMAP_CLAC_SITE SMAP_SITE("0xca")

/* Turn the sites on. Context: boot cpu only, while the kernel text is still writable. */
void smap_patch(void);
