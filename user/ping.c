// SPDX-License-Identifier: MIT
/*
 * ping [-c COUNT] [-w MS] [-s OWN] [-n BITS] [-g GATEWAY] HOST: ask an IPv4 host to answer (ICMP
 * echo), COUNT times, each time when the answer has come or MS milliseconds are over.
 *
 * The machine has no network of its own: ARP, IPv4 and ICMP are here. OWN/BITS is its address and
 * GATEWAY what leads to hosts that are not in its net; the defaults are those of QEMU's user
 * network. The status is 0 if the host answered at least once.
 *
 * Source: RFC 791 "Internet Protocol", RFC 792 "Internet Control Message Protocol"
 */
#include <unistd.h>

#include "ethernet.h"
#include "number.h"
#include "output.h"

enum {
    COUNT = 3,
    WAIT_MS = 1000,
    ARP_TRIES = 3,
    NET_BITS = 24,

    IPV4 = ETHERNET_BYTES, /* offsets in the frame */
    IPV4_BYTES = 20,
    ICMP = IPV4 + IPV4_BYTES,
    ICMP_BYTES = 8,
    DATA_BYTES = 56,
    PING_FRAME_BYTES = ICMP + ICMP_BYTES + DATA_BYTES,

    IPV4_VERSION_4_WORDS_5 = 0x45,
    IPV4_TIME_TO_LIVE = 64,
    PROTOCOL_ICMP = 1,
    ICMP_ECHO_REPLY = 0,
    ICMP_ECHO_REQUEST = 8,
};
#define OWN UINT32_C(0x0a00020f)     /* 10.0.2.15 */
#define GATEWAY UINT32_C(0x0a000202) /* 10.0.2.2 */

struct ping {
    struct host self;
    struct host next; /* whom the frames go to: the host, or the gateway */
    uint32_t host;
    uint32_t gateway;
    int bits; /* of the net's part in addresses */
    int count;
    int wait_ms;
};

static int usage(void)
{
    fprintf(stderr, "usage: ping [-c COUNT] [-w MS] [-s OWN] [-n BITS] [-g GATEWAY] HOST\n");
    return 2;
}

static void put_request(uint8_t *frame, const struct ping *ping, int sequence)
{
    uint8_t *ipv4 = frame + IPV4, *icmp = frame + ICMP;
    memset(frame, 0, PING_FRAME_BYTES);
    put_ethernet(frame, ping->next.address, ping->self.address, TYPE_IPV4);
    ipv4[0] = IPV4_VERSION_4_WORDS_5;
    put16(ipv4 + 2, PING_FRAME_BYTES - IPV4);
    put16(ipv4 + 4, (unsigned)sequence);
    ipv4[8] = IPV4_TIME_TO_LIVE;
    ipv4[9] = PROTOCOL_ICMP;
    put32(ipv4 + 12, ping->self.ipv4);
    put32(ipv4 + 16, ping->host);
    put16(ipv4 + 10, checksum(ipv4, IPV4_BYTES));
    icmp[0] = ICMP_ECHO_REQUEST;
    put16(icmp + 4, (unsigned)getpid());
    put16(icmp + 6, (unsigned)sequence);
    for (int i = 0; i < DATA_BYTES; i++)
        icmp[ICMP_BYTES + i] = (uint8_t)i;
    put16(icmp + 2, checksum(icmp, ICMP_BYTES + DATA_BYTES));
}

/* Is it the answer to the request `sequence`? All that it says of its own length is checked. */
static bool is_answer(const uint8_t *frame, int length, const struct ping *ping, int sequence)
{
    const uint8_t *ipv4 = frame + IPV4;
    if (length < ICMP + ICMP_BYTES || get16(frame + ETHERNET_TYPE) != TYPE_IPV4)
        return false;
    int header = (ipv4[0] & 0x0f) * 4, total = get16(ipv4 + 2);
    if (ipv4[0] >> 4 != 4 || header < IPV4_BYTES || total < header + ICMP_BYTES ||
        total > length - IPV4 || checksum(ipv4, (size_t)header) != 0)
        return false;
    const uint8_t *icmp = ipv4 + header;
    return ipv4[9] == PROTOCOL_ICMP && get32(ipv4 + 12) == ping->host &&
           get32(ipv4 + 16) == ping->self.ipv4 && icmp[0] == ICMP_ECHO_REPLY &&
           get16(icmp + 4) == (uint16_t)getpid() && get16(icmp + 6) == (uint16_t)sequence &&
           checksum(icmp, (size_t)(total - header)) == 0;
}

/* Returns: did it answer? */
static bool ping_once(const struct ping *ping, int sequence)
{
    uint8_t frame[FRAME_MAX];
    int64_t began = now_ns(), deadline = began + ping->wait_ms * NS_PER_MS;
    put_request(frame, ping, sequence);
    if (snd_frame(frame, PING_FRAME_BYTES) != 0) {
        printf("snd_frame: %s\n", strerror(errno));
        return false;
    }
    int length;
    while ((length = receive_until(frame, deadline)) >= 0) {
        int64_t us = (now_ns() - began) / 1000;
        if (is_answer(frame, length, ping, sequence)) {
            printf("%d bytes from %s: seq=%d time=%lld.%03lld ms\n",
                   get16(frame + IPV4 + 2) - IPV4_BYTES, ipv4_text(ping->host).chars, sequence,
                   (long long)us / 1000, (long long)us % 1000);
            return true;
        }
        answer_arp(frame, length, &ping->self);
    }
    printf("seq=%d: %s\n", sequence, errno == ETIMEDOUT ? "no answer" : strerror(errno));
    return false;
}

/* Find out to whom the frames are to go. */
static bool find_next(struct ping *ping)
{
    uint32_t mask = ping->bits == 0 ? 0 : UINT32_MAX << (32 - ping->bits);
    bool near = (ping->host & mask) == (ping->self.ipv4 & mask);
    ping->next.ipv4 = near ? ping->host : ping->gateway;
    int error = ETIMEDOUT;
    for (int i = 0; i < ARP_TRIES && error == ETIMEDOUT; i++)
        error = ask_arp(&ping->self, &ping->next, ping->wait_ms * NS_PER_MS);
    if (error != 0)
        fprintf(stderr, "ping: %s: %s\n", ipv4_text(ping->next.ipv4).chars,
                error == ETIMEDOUT ? "nobody there answers ARP" : strerror(error));
    return error == 0;
}

static bool read_arguments(struct ping *ping, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:w:s:n:g:")) != -1) {
        bool ok = option == 'c'   ? read_number(optarg, &ping->count) && ping->count > 0
                  : option == 'w' ? read_number(optarg, &ping->wait_ms) && ping->wait_ms > 0
                  : option == 's' ? read_ipv4(optarg, &ping->self.ipv4)
                  : option == 'n'
                      ? read_number(optarg, &ping->bits) && ping->bits >= 0 && ping->bits <= 32
                  : option == 'g' ? read_ipv4(optarg, &ping->gateway)
                                  : false;
        if (!ok)
            return false;
    }
    return optind == argc - 1;
}

int main(int argc, char **argv)
{
    struct ping ping = {
        .self.ipv4 = OWN, .gateway = GATEWAY, .bits = NET_BITS, .count = COUNT, .wait_ms = WAIT_MS};
    int answers = 0;
    if (!read_arguments(&ping, argc, argv))
        return usage();
    if (!read_host("ping", argv[optind], &ping.host))
        return 2;
    if (!read_card_address("ping", ping.self.address) || !listen_to_frames("ping") ||
        !find_next(&ping))
        return 1;
    for (int sequence = 1; sequence <= ping.count; sequence++)
        answers += ping_once(&ping, sequence);
    printf("%s: %d sent, %d answered\n", ipv4_text(ping.host).chars, ping.count, answers);
    return bring_output_out("ping") && answers > 0 ? 0 : 1;
}
