// SPDX-License-Identifier: MIT
/* Rings each core once, then prints the whole kernel log between two lines of its own. */
#include "test.h"

enum { VECTOR = 100, ALL = -1, READ_ALL = 3, LOG_BYTES = 1 << 20 };

static char text[LOG_BYTES];

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)raw_register_ipi(VECTOR);
    (void)raw_send_ipi(ALL, VECTOR);
    (void)raw_unregister_ipi(VECTOR);
    long bytes = raw_syslog(READ_ALL, text, sizeof(text));
    say("dmesg: %d bytes", bytes);
    if (bytes > 0)
        (void)raw_write(STDOUT, text, (size_t)bytes);
    say("dmesg: end");
    return bytes > 0 ? 0 : 1;
}
