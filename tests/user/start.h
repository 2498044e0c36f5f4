// SPDX-License-Identifier: MIT
/* Starting programs, the own one above all, and telling how they ended. */
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include "report.h"

extern char **environ;
enum { EXIT_NOT_STARTED = 127 };

/* Start a program by its path. Returns: the child's number. */
static inline pid_t start_program(char *const argv[])
{
    pid_t pid = vfork();
    if (pid == 0) {
        (void)execve(argv[0], argv, environ);
        _exit(EXIT_NOT_STARTED);
    }
    return MUST(pid);
}

/* The same with up to two further words; NULL ends them. */
static inline pid_t start_self(const char *self, const char *role, const char *word)
{
    char *const argv[] = {(char *)self, (char *)role, (char *)word, NULL};
    return start_program(argv);
}

/* How a child ended, whatever its number. */
static inline void show_end(const char *what, int status)
{
    if (WIFEXITED(status))
        (void)printf("%s: exited with status %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        (void)printf("%s: killed by signal %d\n", what, WTERMSIG(status));
    else
        (void)printf("%s: ended with %#x\n", what, (unsigned)status);
}

/* Run the own program in a role to its end. Returns: the status of wait(). */
static inline int run_self(const char *self, const char *role, const char *word)
{
    int status = -1;
    pid_t pid = start_self(self, role, word);
    if (waitpid(pid, &status, 0) != pid)
        report_broken("waitpid");
    return status;
}
