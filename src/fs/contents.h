// SPDX-License-Identifier: MIT
/*
 * The contents of a file: its frames, found by their number, in a tree of tables as a CPU has for
 * its pages. So a file grows by a frame at a time whatever its size, and a hole costs nothing.
 *
 * Context: thread, for all of this file. Sleeps: contents_cut may. Locks: the caller's, whatever
 * guards the file.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct contents {
    void *root;              /* a table, or with height 0 the only frame; NULL: nothing */
    unsigned height;         /* of tables above the frames */
    _Atomic uint64_t frames; /* in use, tables not counted */
};

/* The frame of number `index` (below 2^51), or NULL for a hole. */
char *contents_find(const struct contents *contents, uint64_t index);

/* The same, made of zeros if it is not there. Returns: it; NULL without memory, nothing changed. */
char *contents_make(struct contents *contents, uint64_t index);

/* Free the frames from number `first` on; with 0, all that the contents hold. */
void contents_cut(struct contents *contents, uint64_t first);
