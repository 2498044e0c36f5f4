// SPDX-License-Identifier: MIT
/* puta: an A on the console, and nothing else. */
#include <carillon.h>

int main(void)
{
    return carillon_putc('A') == 'A' ? 0 : 1;
}
