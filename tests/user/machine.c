// SPDX-License-Identifier: MIT
/* What a program is told about the machine and itself: uname, sysinfo, the auxiliary vector,
 * random bytes, thread-local variables, the environment. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "report.h"

enum { PAGE = 4096 };

static void names(void)
{
    struct utsname name;
    SHOW(uname(&name));
    HOLDS(name.sysname[0] != '\0' && name.nodename[0] != '\0' && name.release[0] != '\0');
    HOLDS(name.version[0] != '\0');
    (void)printf("machine %s\n", name.machine);
    int major = atoi(name.release);
    HOLDS(major >= 5); /* programs look there for what the kernel can do */
    SHOW(syscall(SYS_uname, NOWHERE));
}

static void memory(void)
{
    struct sysinfo info;
    SHOW(sysinfo(&info));
    HOLDS(info.mem_unit > 0);
    HOLDS(info.totalram > info.freeram && info.freeram > 0);
    HOLDS(info.totalram * info.mem_unit >= 16 << 20);
    HOLDS(info.procs > 0);
    SHOW(syscall(SYS_sysinfo, NOWHERE));
    HOLDS(sysconf(_SC_PAGESIZE) == PAGE);
}

static void auxiliary_vector(void)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    unsigned edx = 0, eax = 1, ebx, ecx = 0;
    unsigned set = 0;
    SHOW(getauxval(AT_PAGESZ));
    SHOW(getauxval(AT_CLKTCK));
    SHOW(getauxval(AT_PHENT));
    SHOW(getauxval(AT_SECURE));
    HOLDS(getauxval(AT_PHNUM) > 0 && headers != NULL);
    bool has_load = false;
    for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
        has_load |= headers[i].p_type == PT_LOAD;
    HOLDS(has_load);
    HOLDS(getauxval(AT_ENTRY) != 0);
    HOLDS(getauxval(AT_EXECFN) != 0 && *(const char *)getauxval(AT_EXECFN) == '/');
    HOLDS(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
    HOLDS(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    for (int i = 0; i < 16; i++)
        set |= random[i];
    HOLDS(random != NULL && set != 0);
    /* AT_HWCAP is what CPUID's leaf 1 has in edx */
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    HOLDS((getauxval(AT_HWCAP) & 0x07808111) == (edx & 0x07808111)); /* FPU TSC CX8 CMOV MMX.. */
}

static bool differ(const unsigned char *a, const unsigned char *b, size_t bytes)
{
    return memcmp(a, b, bytes) != 0;
}

static void random_numbers(void)
{
    static unsigned char a[70000], b[70000];
    unsigned counts[256] = {0}, low = ~0u, high = 0;
    SHOW(getrandom(a, 16, 0));
    SHOW(getrandom(b, 16, 0));
    HOLDS(differ(a, b, 16));
    SHOW(getrandom(a, 0, 0));
    SHOW(getrandom(a, 1, GRND_NONBLOCK));
    SHOW(getrandom(a, sizeof(a), 0));
    SHOW(getrandom(b, sizeof(b), 0));
    HOLDS(differ(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++)
        counts[a[i]]++;
    for (int i = 0; i < 256; i++) {
        low = counts[i] < low ? counts[i] : low;
        high = counts[i] > high ? counts[i] : high;
    }
    HOLDS(low > 150 && high < 420); /* about 273 each; nine times the deviation */
    SHOW(getrandom(NOWHERE, 16, 0));
    SHOW(getrandom(a, 16, 1 << 20));
}

/* ---- thread-local variables ------------------------------------------------------------------ */

static __thread int initialised = 42;
static __thread long cleared;
static __thread char aligned[100] __attribute__((aligned(64))) = "in the template";

static void thread_local_variables(void)
{
    SHOW(initialised);
    SHOW(cleared);
    (void)printf("'%s'\n", aligned);
    HOLDS((uintptr_t)aligned % 64 == 0);
    initialised++;
    cleared--;
    for (int i = 0; i < 100; i++)
        (void)syscall(SYS_sched_yield); /* other programs run, and their FS base is another */
    SHOW(initialised + cleared);
    uintptr_t base = 0;
    SHOW(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &base));
    HOLDS(*(uintptr_t *)base == base); /* the ABI's first word */
    SHOW(syscall(SYS_arch_prctl, 0x1003, NOWHERE));
    SHOW(syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, (uintptr_t)1 << 63));
    SHOW(syscall(SYS_arch_prctl, 0x7fffffff, 0));
    HOLDS(syscall(SYS_set_tid_address, &initialised) == getpid());
}

static void environment(void)
{
    SHOW(setenv("NAME", "value", 1));
    SHOW(strcmp(getenv("NAME"), "value"));
    SHOW(getenv("none") == NULL);
    SHOW(unsetenv("NAME"));
    SHOW(getenv("NAME") == NULL);
}

/* The state of the vector unit is the program's own across calls and switches. */
static void floating_point(void)
{
    double sum = 0;
    for (int i = 1; i <= 100000; i++) {
        sum += 1.0 / i;
        if (i % 1000 == 0)
            (void)syscall(SYS_sched_yield);
    }
    (void)printf("%a\n", sum);
}

int main(void)
{
    report_by_lines();
    names();
    memory();
    auxiliary_vector();
    random_numbers();
    thread_local_variables();
    environment();
    floating_point();
    return 24;
}
