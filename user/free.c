// SPDX-License-Identifier: MIT
/* free: how much of the memory is used. */
#include <stdio.h>
#include <sys/sysinfo.h>

int main(void)
{
    struct sysinfo info;
    if (sysinfo(&info) != 0) {
        perror("free");
        return 1;
    }
    unsigned long long unit = info.mem_unit;
    unsigned long long total = info.totalram * unit / 1024;
    unsigned long long unused = info.freeram * unit / 1024;
    printf("%12s %12s %12s  KiB\n", "total", "used", "free");
    printf("%12llu %12llu %12llu\n", total, total - unused, unused);
    return 0;
}
