// SPDX-License-Identifier: MIT
/*
 * The list of devices that interrupt when they are told to.
 */
#include "irq/line_source.h"

#include <stddef.h>

static struct line_source *sources; /* I: by the boot core, before other cores run */

void line_source_register(struct line_source *source)
{
    struct line_source **link = &sources;
    while (*link != NULL)
        link = &(*link)->next;
    source->next = NULL;
    *link = source;
}

struct line_source *line_source_find(struct line_source *from, bool level)
{
    struct line_source *at = from != NULL ? from : sources;
    while (at != NULL && (level ? at->level_inputs : at->edge_inputs) == 0)
        at = at->next;
    return at;
}
