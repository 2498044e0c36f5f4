// SPDX-License-Identifier: MIT
/*
 * From an address in the kernel's text to the function that it lies in, for people who read a
 * panic. The table is in the image (tools/symbols makes it).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One function. The assembler writes this layout: two 32-bit words. */
struct symbol {
    uint32_t offset; /* from the table's `start` */
    uint32_t name;   /* offset into the table's `names` */
};

struct symbol_table {
    uintptr_t start, end;         /* the text that is described */
    const struct symbol *symbols; /* sorted by offset */
    size_t count;
    const char *names; /* terminated, one behind the other */
};

/* An address as people read it: name+offset. */
struct symbol_place {
    const char *name;
    size_t offset;
};

/*
 * The last function of `table` that begins at or below `address`.
 * Returns: false if there is none, or the address is outside the table's text.
 * Context: any. Sleeps: no. Locks: none.
 */
bool symbols_find(const struct symbol_table *table, uintptr_t address, struct symbol_place *place);
