// SPDX-License-Identifier: MIT
/*
 * sh: a small shell. It runs a program, or two with | between them, and & behind them lets them run
 * on their own, with nothing to read but what < gives them; ; and & part one such job from the next
 * on the same line:
 *
 *     PROGRAM WORD... [< FILE] [> FILE | >> FILE] [| PROGRAM WORD... [> FILE]] [& | ;]
 *
 * Quotes '...' and "..." and a backslash keep blanks and signs in a word; $? is the last status; #
 * begins a comment. Its own commands: cd [DIRECTORY], exit [STATUS], poweroff. Programs are looked
 * for in the directories of PATH, which are / and /bin if it is not set. `sh -c LINE` runs one
 * line.
 *
 * A program is started by vfork: the child runs in the shell's own memory until its execve, so
 * between the two it only makes system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 256, COMMANDS_MAX = 2 };
enum { STATUS_USAGE = 2, STATUS_NOT_RUN = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

struct command {
    char *words[WORDS_MAX + 1]; /* the last is NULL */
    int count;
    const char *in;
    const char *out;
    bool append;
};

struct job {
    struct command commands[COMMANDS_MAX];
    int count;
    bool background;
};

static int last_status;
static bool interactive;

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns: false, for the caller to return. */
static bool complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("sh: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return false;
}

/* ---- reading a line -------------------------------------------------------------------------- */

/* The words of a line are copied to a second buffer, each with its end. `to` has room for them. */
struct reader {
    const char *at;
    char *to;
};

static const char blanks[] = " \t\r\n";
static const char signs[] = "|&;<>";

/* Put the last status where $? was. It may be longer than the two characters of `$?`. */
static void put_status(struct reader *reader)
{
    reader->at += 2;
    reader->to += sprintf(reader->to, "%d", last_status);
}

/* Copy up to the closing quote. Returns: false if there is none. */
static bool read_quoted(struct reader *reader)
{
    char quote = *reader->at++;
    while (*reader->at != quote) {
        if (*reader->at == '\0')
            return complain("a %c without its partner", quote);
        if (quote == '"' && reader->at[0] == '$' && reader->at[1] == '?') {
            put_status(reader);
            continue;
        }
        if (quote == '"' && *reader->at == '\\' && strchr("\"\\$", reader->at[1]) != NULL &&
            reader->at[1] != '\0')
            reader->at++;
        *reader->to++ = *reader->at++;
    }
    reader->at++;
    return true;
}

/* Copy one word. Returns: it, or NULL after a complaint. */
static char *read_word(struct reader *reader)
{
    char *word = reader->to;
    while (*reader->at != '\0' && strchr(blanks, *reader->at) == NULL &&
           strchr(signs, *reader->at) == NULL) {
        if (*reader->at == '\'' || *reader->at == '"') {
            if (!read_quoted(reader))
                return NULL;
        } else if (reader->at[0] == '$' && reader->at[1] == '?') {
            put_status(reader);
        } else {
            if (reader->at[0] == '\\' && reader->at[1] != '\0' && reader->at[1] != '\n')
                reader->at++;
            *reader->to++ = *reader->at++;
        }
    }
    *reader->to++ = '\0';
    return word;
}

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, blanks);
    if (*reader->at == '#')
        reader->at += strlen(reader->at);
}

/* Read `< FILE`, `> FILE` or `>> FILE`. */
static bool read_redirection(struct reader *reader, struct command *command)
{
    char sign = *reader->at++;
    bool twice = sign == '>' && *reader->at == '>';
    if (twice)
        reader->at++;
    skip_blanks(reader);
    if (*reader->at == '\0' || strchr(signs, *reader->at) != NULL)
        return complain("no file name behind %c", sign);
    const char *file = read_word(reader);
    if (sign == '<') {
        command->in = file;
    } else {
        command->out = file;
        command->append = twice;
    }
    return file != NULL;
}

static bool add_word(struct reader *reader, struct command *command)
{
    if (command->count == WORDS_MAX)
        return complain("more than %d words", WORDS_MAX);
    char *word = read_word(reader);
    command->words[command->count++] = word;
    return word != NULL;
}

/* Read one command, up to | or & or ; or the end. */
static bool read_command(struct reader *reader, struct command *command)
{
    memset(command, 0, sizeof(*command));
    for (skip_blanks(reader); *reader->at != '\0'; skip_blanks(reader)) {
        if (strchr("|&;", *reader->at) != NULL)
            break;
        bool good = *reader->at == '<' || *reader->at == '>' ? read_redirection(reader, command)
                                                             : add_word(reader, command);
        if (!good)
            return false;
    }
    return true;
}

static bool is_empty(const struct command *command)
{
    return command->count == 0 && command->in == NULL && command->out == NULL;
}

/* Read the next job of the line. Returns: false after a complaint; job->count is 0 where there is
 * nothing but the line's end. */
static bool read_job(struct reader *reader, struct job *job)
{
    job->background = false;
    for (job->count = 0; job->count < COMMANDS_MAX;) {
        struct command *command = &job->commands[job->count++];
        if (!read_command(reader, command))
            return false;
        if (job->count == 1 && *reader->at == '\0' && is_empty(command)) {
            job->count = 0;
            return true;
        }
        if (command->count == 0)
            return complain("a command is missing");
        if (*reader->at != '|')
            break;
        if (job->count == COMMANDS_MAX)
            return complain("more than one |");
        reader->at++;
    }
    job->background = *reader->at == '&';
    if (*reader->at != '\0')
        reader->at++;
    return true;
}

/* ---- running it ------------------------------------------------------------------------------ */

/* In the child: make `fd` the file. Nothing is kept open beside it. */
static void redirect(int fd, const char *file, int flags)
{
    int opened = open(file, flags, 0666);
    if (opened < 0 || dup2(opened, fd) < 0) {
        dprintf(STDERR_FILENO, "sh: %s: %s\n", file, strerror(errno));
        _exit(1);
    }
    close(opened);
}

/* In the child: become the program. `ends` are those of the pipe, or -1. */
static void become(struct command *command, const int ends[2], int own_end)
{
    if (ends[own_end] >= 0) {
        /* the write end is the standard output's, number 1; the read end the input's, 0 */
        (void)dup2(ends[own_end], own_end);
        close(ends[0]);
        close(ends[1]);
    }
    if (command->in != NULL)
        redirect(STDIN_FILENO, command->in, O_RDONLY);
    if (command->out != NULL)
        redirect(STDOUT_FILENO, command->out,
                 O_WRONLY | O_CREAT | (command->append ? O_APPEND : O_TRUNC));
    execvp(command->words[0], command->words);
    bool is_missing = errno == ENOENT;
    dprintf(STDERR_FILENO, "sh: %s: %s\n", command->words[0],
            is_missing ? "command not found" : strerror(errno));
    _exit(is_missing ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

/* Returns: the child's process number, or -1 after a complaint. */
static pid_t start(struct command *command, const int ends[2], int own_end)
{
    pid_t child = vfork(); /* NOLINT: become() keeps to what a child of vfork may do */
    if (child == 0)
        become(command, ends, own_end); /* NOLINT */
    if (child < 0)
        complain("%s: %s", command->words[0], strerror(errno));
    return child;
}

/* The status as $? has it; a death by a signal is told. */
static int status_of(const char *name, int wait_status)
{
    if (!WIFSIGNALED(wait_status))
        return WEXITSTATUS(wait_status);
    complain("%s: killed by signal %d", name, WTERMSIG(wait_status));
    return STATUS_SIGNAL + WTERMSIG(wait_status);
}

static int wait_for(pid_t child, const char *name)
{
    int status;
    if (child < 0)
        return STATUS_NOT_RUN;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            complain("%s: wait: %s", name, strerror(errno));
            return STATUS_NOT_RUN;
        }
    }
    return status_of(name, status);
}

/* Say how programs in the background ended. */
static void reap(void)
{
    char name[32];
    int status;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
        snprintf(name, sizeof(name), "[%d]", (int)child);
        int code = status_of(name, status);
        if (interactive)
            fprintf(stderr, "%s ended with status %d\n", name, code);
    }
}

static int run_programs(struct job *job)
{
    pid_t children[COMMANDS_MAX];
    int ends[2] = {-1, -1};
    /* what is typed is the shell's, and so are the terminal's modes: see POSIX, Shell Command
     * Language, "Asynchronous Lists" */
    if (job->background && job->commands[0].in == NULL)
        job->commands[0].in = "/dev/null";
    if (job->count == 2 && pipe(ends) != 0) {
        complain("pipe: %s", strerror(errno));
        return STATUS_NOT_RUN;
    }
    for (int i = 0; i < job->count; i++)
        children[i] = start(&job->commands[i], ends, i == 0 ? STDOUT_FILENO : STDIN_FILENO);
    if (job->count == 2) {
        close(ends[0]);
        close(ends[1]);
    }
    if (job->background) {
        if (interactive)
            fprintf(stderr, "[%d]\n", (int)children[job->count - 1]);
        return 0;
    }
    int status = 0;
    for (int i = 0; i < job->count; i++)
        status = wait_for(children[i], job->commands[i].words[0]);
    return status;
}

/* ---- the shell's own commands ---------------------------------------------------------------- */

static int change_directory(const struct command *command)
{
    const char *to = command->count > 1 ? command->words[1] : "/";
    if (command->count <= 2 && chdir(to) == 0)
        return 0;
    complain("cd: %s: %s", to, command->count > 2 ? "one directory at a time" : strerror(errno));
    return 1;
}

static int exit_shell(const struct command *command)
{
    char *end = NULL;
    long status = command->count > 1 ? strtol(command->words[1], &end, 10) : last_status;
    if (command->count <= 2 && (end == NULL || (end != command->words[1] && *end == '\0')))
        exit((int)(status & 0xff));
    complain("exit: usage: exit [STATUS]");
    return STATUS_USAGE;
}

static int power_off(const struct command *command)
{
    (void)command;
    (void)reboot(RB_POWER_OFF);
    complain("poweroff: %s", strerror(errno));
    return 1;
}

static const struct own_command {
    const char *name;
    int (*run)(const struct command *command);
} own_commands[] = {{"cd", change_directory}, {"exit", exit_shell}, {"poweroff", power_off}};

static int run(struct job *job)
{
    for (size_t i = 0; job->count == 1 && i < sizeof(own_commands) / sizeof(own_commands[0]); i++) {
        if (strcmp(job->commands[0].words[0], own_commands[i].name) == 0)
            return own_commands[i].run(&job->commands[0]);
    }
    return run_programs(job);
}

/* Run what a line of text asks for, up to its end or its first mistake. */
static void run_line(const char *text)
{
    static struct job job;
    /* of two characters at most four come: `$?` is a number of up to three digits, and each word
     * has its end */
    char *words = malloc(2 * strlen(text) + 2);
    if (words == NULL) {
        complain("this line is too long for the memory");
        last_status = STATUS_NOT_RUN;
        return;
    }
    struct reader reader = {text, words};
    while (*reader.at != '\0') {
        if (!read_job(&reader, &job)) {
            last_status = STATUS_USAGE;
            break;
        }
        if (job.count == 0)
            break;
        last_status = run(&job);
        if (interactive && last_status != 0)
            fprintf(stderr, "[status %d]\n", last_status);
    }
    free(words);
}

/* Is somebody typing? If the kernel cannot tell, then yes. */
static bool is_terminal(int fd)
{
    return isatty(fd) != 0 || errno != ENOTTY;
}

int main(int argc, char **argv)
{
    if (getenv("PATH") == NULL)
        (void)setenv("PATH", "/:/bin", 0);
    if (argc == 3 && strcmp(argv[1], "-c") == 0) {
        run_line(argv[2]);
        return last_status;
    }
    if (argc > 1) {
        complain("usage: sh [-c LINE]");
        return STATUS_USAGE;
    }
    interactive = is_terminal(STDIN_FILENO);
    char *text = NULL;
    size_t room = 0;
    for (;;) {
        reap();
        if (interactive) {
            fputs("carillon$ ", stdout);
            fflush(stdout);
        }
        if (getline(&text, &room, stdin) < 0)
            break;
        run_line(text);
    }
    if (interactive)
        putchar('\n');
    free(text);
    return last_status;
}
