// SPDX-License-Identifier: MIT
/* What rings.c and ringer.c agree on. */
#pragma once

#define PLACE "/tmp/rings"
/* Longer than a ring ever takes: if none comes, one is lost. */
#define WAIT_NS INT64_C(20000000000)

enum {
    CORES = 4,
    VECTOR = 100,
    RINGS = 100000, /* from each core to each other one, unless rings is told otherwise */
    TAKE_EACH = 97,
};
