// SPDX-License-Identifier: MIT
/*
 * rcv_frame and snd_frame with a card, held to their results and errors. The tester at the other
 * end of the wire answers each frame that is sent here with as many frames as its byte 14 says, of
 * the length in bytes 15 and 16, numbered in byte 17 (tests/test_frames.py).
 *
 * With the argument `again` it is its own successor by execve: what it finds then.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "carillon_raw.h"
#include "expect.h"

enum {
    LONGEST = 1514,
    SHORTEST = 14,
    WANTED_COUNT = 14, /* offsets in a frame */
    WANTED_LENGTH = 15,
    NUMBER = 17,
    REQUEST_BYTES = 60,
    QUEUE_FRAMES = 128,
    SURPLUS = 50,
};
#define ENDLESS INT64_C(-1)
#define MS INT64_C(1000000)

static uint8_t frame[LONGEST + 1];
static const uint8_t read_only[LONGEST] = {1};

/* Have the tester send `count` frames of `length` bytes. */
static void ask_for(int count, int length)
{
    uint8_t request[REQUEST_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2, 3,
                                      0x88, 0xb5};
    request[WANTED_COUNT] = (uint8_t)count;
    request[WANTED_LENGTH] = (uint8_t)(length >> 8);
    request[WANTED_LENGTH + 1] = (uint8_t)length;
    EXPECT(raw_snd_frame(request, REQUEST_BYTES), 0);
}

/* The numbers of this process in /proc/net/queues. Returns: is it there? */
static int find_queue(int *waiting, long *taken, long *dropped)
{
    FILE *file = fopen("/proc/net/queues", "r");
    char line[128];
    int pid, found = 0;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "%d %d %ld %ld", &pid, waiting, taken, dropped) == 4 && pid == getpid();
    if (file != NULL)
        fclose(file);
    return found;
}

static void form_of_arguments(void)
{
    static const uintptr_t bad[] = {0, 0x1000, 0x10000000, 0x7ffffffff000, 0x800000000000, 0xffffffff80200000};
    static const int lengths[] = {0, 1, SHORTEST - 1, LONGEST + 1, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT(raw_rcv_frame((void *)bad[i], 100, -2), -EINVAL);
        EXPECT(raw_rcv_frame((void *)bad[i], 100, ENDLESS), -EFAULT);
        EXPECT(raw_snd_frame((void *)bad[i], LONGEST + 1), -EINVAL);
        EXPECT(raw_snd_frame((void *)bad[i], SHORTEST), -EFAULT);
    }
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        EXPECT(raw_snd_frame(frame, lengths[i]), -EINVAL);
    EXPECT(raw_rcv_frame(frame, LONGEST, INT64_MIN), -EINVAL);
}

static void nothing_yet(void)
{
    int waiting;
    long taken, dropped;
    EXPECT(find_queue(&waiting, &taken, &dropped), 0);
    EXPECT(raw_rcv_frame(frame, LONGEST, 0), -EAGAIN);
    EXPECT(raw_rcv_frame(frame, LONGEST, MS), -ETIMEDOUT);
    EXPECT(find_queue(&waiting, &taken, &dropped), 1);
    EXPECT(waiting, 0);
}

/* A frame that does not fit, or cannot be put there, stays. */
static void kept(void)
{
    ask_for(1, 100);
    EXPECT(raw_rcv_frame(frame, 99, ENDLESS), -EMSGSIZE);
    EXPECT(raw_rcv_frame(frame, 0, ENDLESS), -EMSGSIZE);
    EXPECT(raw_rcv_frame((void *)(uintptr_t)read_only, LONGEST, ENDLESS), -EFAULT);
    memset(frame, 0xa5, sizeof(frame));
    EXPECT(raw_rcv_frame(frame, 100, ENDLESS), 100);
    EXPECT(frame[99], 99);
    EXPECT(frame[100], 0xa5);
    EXPECT(raw_rcv_frame(frame, LONGEST, 0), -EAGAIN);
    ask_for(1, LONGEST);
    EXPECT(raw_rcv_frame(frame, LONGEST, ENDLESS), LONGEST);
}

/* What comes while the queue is full is dropped and counted; what was there before stays. */
static void overflow(void)
{
    int waiting = 0;
    long taken = 0, dropped = 0;
    ask_for(QUEUE_FRAMES + SURPLUS, 200);
    while (waiting + dropped < QUEUE_FRAMES + SURPLUS && find_queue(&waiting, &taken, &dropped))
        continue;
    EXPECT(waiting, QUEUE_FRAMES);
    EXPECT(dropped, SURPLUS);
    for (int i = 0; i < QUEUE_FRAMES; i++) {
        EXPECT(raw_rcv_frame(frame, LONGEST, 0), 200);
        EXPECT(frame[NUMBER], i);
    }
    EXPECT(raw_rcv_frame(frame, LONGEST, 0), -EAGAIN);
}

/* A child has no queue, and its own does not outlive it. */
static void child(void)
{
    int status;
    ask_for(1, 60);
    EXPECT(raw_rcv_frame(frame, 0, ENDLESS), -EMSGSIZE);
    pid_t pid = vfork();
    if (pid == 0)
        _exit(raw_rcv_frame(frame, LONGEST, 0) == -EAGAIN ? 7 : 8);
    waitpid(pid, &status, 0);
    EXPECT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 7);
    EXPECT(raw_rcv_frame(frame, LONGEST, 0), 60);
}

static void after_execve(void)
{
    int waiting;
    long taken, dropped;
    EXPECT(find_queue(&waiting, &taken, &dropped), 0);
    EXPECT(raw_rcv_frame(frame, LONGEST, 0), -EAGAIN);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "again") == 0) {
        after_execve();
    } else {
        form_of_arguments();
        nothing_yet();
        kept();
        overflow();
        child();
        ask_for(1, 60);
        EXPECT(raw_rcv_frame(frame, 0, ENDLESS), -EMSGSIZE);
    }
    int status = expect_end("frame_calls");
    fflush(stdout);
    if (argc == 1 && status == 0)
        execl(argv[0], argv[0], "again", NULL);
    return status;
}
