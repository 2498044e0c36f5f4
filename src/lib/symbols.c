// SPDX-License-Identifier: MIT
/*
 * A binary search in a sorted table, and nothing else: tested on the host.
 */
#include "lib/symbols.h"

/* How many symbols begin at or below `offset`. */
static size_t count_up_to(const struct symbol_table *table, size_t offset)
{
    size_t low = 0, high = table->count; /* the answer is in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->symbols[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool symbols_find(const struct symbol_table *table, uintptr_t address, struct symbol_place *place)
{
    if (address < table->start || address >= table->end)
        return false;
    size_t offset = address - table->start;
    size_t count = count_up_to(table, offset);
    if (count == 0)
        return false;
    const struct symbol *symbol = &table->symbols[count - 1];
    *place = (struct symbol_place){
        .name = table->names + symbol->name,
        .offset = offset - symbol->offset,
    };
    return true;
}
