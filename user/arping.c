// SPDX-License-Identifier: MIT
/*
 * arping [-c COUNT] [-w MS] [-s OWN] HOST: ask for the Ethernet address of an IPv4 address, by ARP,
 * COUNT times with a second in between.
 * OWN is this machine's IPv4 address, by default the one that QEMU's user network gives. The status
 * is 0 if the host answered each time.
 */
#include <unistd.h>

#include "ethernet.h"
#include "number.h"
#include "output.h"

enum { COUNT = 1, WAIT_MS = 1000 };
#define OWN UINT32_C(0x0a00020f) /* 10.0.2.15 */

static int usage(void)
{
    fprintf(stderr, "usage: arping [-c COUNT] [-w MS] [-s OWN] HOST\n");
    return 2;
}

/* Returns: did it answer? */
static bool ask_once(const struct host *self, struct host *who, int wait_ms)
{
    int64_t began = now_ns();
    int error = ask_arp(self, who, wait_ms * NS_PER_MS);
    int64_t us = (now_ns() - began) / 1000;
    struct text ipv4 = ipv4_text(who->ipv4);
    if (error == 0)
        printf("%s is at %s, %lld us\n", ipv4.chars, address_text(who->address).chars,
               (long long)us);
    else if (error == ETIMEDOUT)
        printf("%s: no answer within %d ms\n", ipv4.chars, wait_ms);
    else
        printf("%s: %s\n", ipv4.chars, strerror(error));
    return error == 0;
}

int main(int argc, char **argv)
{
    struct host self = {.ipv4 = OWN}, who = {0};
    int count = COUNT, wait_ms = WAIT_MS, answers = 0, option;
    while ((option = getopt(argc, argv, "c:w:s:")) != -1) {
        bool ok = option == 'c'   ? read_number(optarg, &count) && count > 0
                  : option == 'w' ? read_number(optarg, &wait_ms) && wait_ms > 0
                  : option == 's' ? read_ipv4(optarg, &self.ipv4)
                                  : false;
        if (!ok)
            return usage();
    }
    if (optind != argc - 1)
        return usage();
    if (!read_host("arping", argv[optind], &who.ipv4))
        return 2;
    if (!read_card_address("arping", self.address) || !listen_to_frames("arping"))
        return 1;
    for (int i = 0; i < count; i++) {
        if (i > 0)
            (void)sleep(1);
        answers += ask_once(&self, &who, wait_ms);
    }
    return bring_output_out("arping") && answers == count ? 0 : 1;
}
