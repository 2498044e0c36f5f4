// SPDX-License-Identifier: MIT
/* Puts an A on the console and its core into the kernel's log. For cores 0 to 9. */
#include "test.h"

int main(void)
{
    char text[] = "mark: on core 0";
    text[sizeof(text) - 2] = (char)('0' + raw_getcore());
    return raw_putc('A') == 'A' && raw_klog(text, sizeof(text) - 1) == 0 ? 0 : 1;
}
