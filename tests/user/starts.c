// SPDX-License-Identifier: MIT
/*
 * Programs started from a descriptor: exec, enq_task and exec_ap, their results and errors, and
 * what the started program gets. It is this program again, opened by another name: the name, which
 * is its argv[0], says what it is to do. Needs four cores.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "carillon_raw.h"
#include "expect.h"
#include "scratch.h"
#include "start.h"

enum { HOME_CORE = 2, AWAY_CORE = 1, NUMBER_OF_NONE = 77, FIRST_FREE = 3 };

/* ---- what the started ones do ---------------------------------------------------------------- */

static int do_count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static int do_surroundings(void)
{
    const char *value = getenv("STARTS");
    return access("exit-7", F_OK) == 0 && value != NULL && strcmp(value, "here") == 0 ? 11 : 1;
}

static int do_core(void)
{
    return (int)raw_getcore();
}

/* Writes where it ran and what it may use, whole or not at all. */
static int do_tell(void)
{
    cpu_set_t set;
    FILE *file = fopen("telling", "w");
    MUST(sched_getaffinity(0, sizeof(set), &set));
    (void)fprintf(file, "%ld %d %d\n", raw_getcore(), CPU_COUNT(&set), do_count_descriptors());
    (void)fclose(file);
    return rename("telling", "told");
}

static int do_linger(void)
{
    while (access("go", F_OK) != 0)
        (void)usleep(1000);
    return 0;
}

static int do_exit_7(void)
{
    return 7;
}

static int do_exit_255(void)
{
    return 255;
}

static int do_abort(void)
{
    abort();
}

static int do_fault(void)
{
    volatile int *volatile nowhere = NULL;
    return *nowhere;
}

static const struct deed {
    const char *name;
    int (*function)(void);
} DEEDS[] = {
    {"exit-7", do_exit_7},
    {"exit-255", do_exit_255},
    {"abort", do_abort},
    {"fault", do_fault},
    {"count-descriptors", do_count_descriptors},
    {"surroundings", do_surroundings},
    {"core", do_core},
    {"tell", do_tell},
    {"linger", do_linger},
};
enum { DEED_COUNT = sizeof(DEEDS) / sizeof(DEEDS[0]) };

/* ---- the parent ------------------------------------------------------------------------------ */

static const char *self;

static int opened(const char *name)
{
    return MUST(open(name, O_RDONLY));
}

/* The descriptor that was given is free again, whatever the result. */
static void expect_closed(void)
{
    int fd = opened(".");
    EXPECT(fd, FIRST_FREE);
    (void)close(fd);
}

static void bind_to(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    MUST(sched_setaffinity(0, sizeof(set), &set));
}

static void make_names(void)
{
    for (int i = 0; i < DEED_COUNT; i++)
        MUST(symlink(self, DEEDS[i].name));
    (void)close(MUST(open("not-executable", O_WRONLY | O_CREAT, 0644)));
    int fd = MUST(open("text", O_WRONLY | O_CREAT, 0755));
    MUST(write(fd, "just a text\n", 12));
    (void)close(fd);
}

static void exec_results(void)
{
    EXPECT(raw_exec(opened("exit-7")), 7);
    expect_closed();
    EXPECT(raw_exec(opened("exit-255")), 255);
    EXPECT(raw_exec(opened("abort")), 128 + SIGABRT);
    EXPECT(raw_exec(opened("fault")), 128 + SIGSEGV);
    EXPECT(raw_exec(opened("surroundings")), 11);
    EXPECT(raw_exec(opened("core")), HOME_CORE);
    int more = opened(".");
    EXPECT(raw_exec(opened("count-descriptors")), 3);
    (void)close(more);
    expect_closed();
}

static void exec_errors(void)
{
    EXPECT(raw_exec(-1), -EBADF);
    EXPECT(raw_exec(NUMBER_OF_NONE), -EBADF);
    EXPECT(raw_exec(opened("not-executable")), -EACCES);
    expect_closed();
    EXPECT(raw_exec(opened("text")), -ENOEXEC);
    expect_closed();
    EXPECT(raw_exec(opened(".")) < 0, 1);
    expect_closed();
}

/* exec waits for the one that it has started, and leaves the other children alone. */
static void exec_beside_a_child(void)
{
    int status = 0;
    char *const argv[] = {"exit-255", NULL};
    pid_t pid = start_program(argv);
    EXPECT(raw_exec(opened("exit-7")), 7);
    EXPECT(waitpid(-1, &status, 0), pid);
    EXPECT(WEXITSTATUS(status), 255);
}

static void expect_told(int core, int cores)
{
    int where = -1, affinity = -1, descriptors = -1;
    FILE *file;
    while ((file = fopen("told", "r")) == NULL)
        (void)usleep(1000);
    EXPECT(fscanf(file, "%d %d %d", &where, &affinity, &descriptors), 3);
    (void)fclose(file);
    (void)unlink("told");
    EXPECT(where, core);
    EXPECT(affinity, cores);
    EXPECT(descriptors, 4); /* its own file is the fourth */
}

static void enq_task(void)
{
    EXPECT(raw_enq_task(opened("tell")), 0);
    expect_closed();
    EXPECT(expect_errno(waitpid(-1, NULL, 0)), -ECHILD); /* it is nobody's child */
    expect_told(HOME_CORE, 1);
    EXPECT(raw_enq_task(NUMBER_OF_NONE), -EBADF);
    EXPECT(raw_enq_task(opened("not-executable")), -EACCES);
    EXPECT(raw_enq_task(opened("text")), -ENOEXEC);
    expect_closed();
}

/* The slot of a core is free some time after its program's last words. */
static long exec_ap_when_free(const char *name, int core)
{
    long result;
    while ((result = raw_exec_ap(opened(name), core)) == -EBUSY)
        (void)sched_yield();
    return result;
}

static void exec_ap(void)
{
    EXPECT(raw_exec_ap(opened("tell"), AWAY_CORE), 0);
    expect_closed();
    EXPECT(expect_errno(waitpid(-1, NULL, 0)), -ECHILD);
    expect_told(AWAY_CORE, 1);

    EXPECT(exec_ap_when_free("linger", AWAY_CORE), 0);
    EXPECT(raw_exec_ap(opened("tell"), AWAY_CORE), -EBUSY);
    expect_closed();
    EXPECT(raw_exec_ap(opened("tell"), HOME_CORE), 0); /* another core's slot */
    expect_told(HOME_CORE, 1);
    (void)close(MUST(open("go", O_WRONLY | O_CREAT, 0644)));
    EXPECT(exec_ap_when_free("tell", AWAY_CORE), 0);
    expect_told(AWAY_CORE, 1);
}

static void exec_ap_errors(void)
{
    EXPECT(raw_exec_ap(opened("tell"), -1), -EINVAL);
    expect_closed();
    EXPECT(raw_exec_ap(opened("tell"), (int)raw_ncores()), -EINVAL);
    expect_closed();
    EXPECT(raw_exec_ap(NUMBER_OF_NONE, -1), -EINVAL);
    EXPECT(raw_exec_ap(NUMBER_OF_NONE, AWAY_CORE), -EBADF);
    EXPECT(exec_ap_when_free("not-executable", AWAY_CORE), -EACCES);
    EXPECT(exec_ap_when_free("text", AWAY_CORE), -ENOEXEC);
    EXPECT(access("told", F_OK), -1); /* none of them ran */
    expect_closed();
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    report_by_lines();
    for (int i = 0; i < DEED_COUNT; i++) {
        if (strcmp(name, DEEDS[i].name) == 0)
            return DEEDS[i].function();
    }
    self = argv[0];
    if (getenv("STARTS") == NULL) { /* what it passes on is the environment that it began with */
        char *environment[] = {"STARTS=here", NULL};
        MUST(execve(self, argv, environment));
    }
    scratch_enter(argc, argv);
    make_names();
    bind_to(HOME_CORE);
    exec_results();
    exec_errors();
    exec_beside_a_child();
    enq_task();
    exec_ap();
    exec_ap_errors();
    return expect_end("starts");
}
