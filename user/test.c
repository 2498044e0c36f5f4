// SPDX-License-Identifier: MIT
/* test: register vector 100 and ring it on core 1, by number alone; then look at dmesg. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    syscall(318, 100);
    syscall(317, 1, 100);
}
