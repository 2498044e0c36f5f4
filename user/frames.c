// SPDX-License-Identifier: MIT
/*
 * frames [-c COUNT] [-x]: show the Ethernet frames that arrive, a line each: who to whom, and what
 * is in it (ARP; IPv4 with ICMP, UDP or TCP; IPv6 briefly). -x: with all bytes; those of a frame
 * that says nothing more are shown in any case. COUNT frames, or for ever.
 *
 * Nothing that a frame says of its own lengths is believed: what is missing is shown as "cut".
 */
#include <ctype.h>
#include <unistd.h>

#include "ethernet.h"
#include "number.h"
#include "output.h"

enum {
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_ICMPV6 = 58,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    ICMP_BYTES = 8,
    UDP_BYTES = 8,
    TCP_BYTES = 20,
    LENGTHS_BELOW = 1536, /* IEEE 802.3: a smaller type is a length */
    BYTES_PER_LINE = 16,
};

static void show_bytes(const uint8_t *frame, int length)
{
    for (int line = 0; line < length; line += BYTES_PER_LINE) {
        printf("  %04x ", line);
        for (int i = line; i < line + BYTES_PER_LINE; i++)
            i < length ? printf(" %02x", frame[i]) : printf("   ");
        printf("  ");
        for (int i = line; i < line + BYTES_PER_LINE && i < length; i++)
            putchar(isprint(frame[i]) ? frame[i] : '.');
        putchar('\n');
    }
}

static void show_arp(const uint8_t *frame, int length)
{
    if (!is_arp(frame, length)) {
        printf("ARP, cut or not for IPv4");
        return;
    }
    int operation = get16(frame + ARP_OPERATION);
    struct text sender = ipv4_text(get32(frame + ARP_SENDER + ADDRESS_BYTES));
    struct text target = ipv4_text(get32(frame + ARP_TARGET + ADDRESS_BYTES));
    if (operation == ARP_REQUEST)
        printf("ARP who has %s? tell %s", target.chars, sender.chars);
    else if (operation == ARP_REPLY)
        printf("ARP %s is at %s", sender.chars, address_text(frame + ARP_SENDER).chars);
    else
        printf("ARP operation %d", operation);
}

static void show_icmp(const uint8_t *at, int bytes)
{
    if (bytes < ICMP_BYTES)
        printf("ICMP cut");
    else if (at[0] == 8 || at[0] == 0)
        printf("ICMP echo %s id=%u seq=%u", at[0] == 8 ? "request" : "reply", get16(at + 4),
               get16(at + 6));
    else
        printf("ICMP type %u code %u", at[0], at[1]);
}

static void show_tcp(const uint8_t *at, int bytes)
{
    static const char flags[] = "FSRPAU";
    if (bytes < TCP_BYTES) {
        printf("TCP cut");
        return;
    }
    printf("TCP port %u to %u, ", get16(at), get16(at + 2));
    for (int i = 0; flags[i] != '\0'; i++) {
        if ((at[13] >> i & 1) != 0)
            putchar(flags[i]);
    }
    int header = (at[12] >> 4) * 4;
    if (header < TCP_BYTES || header > bytes)
        printf(", header cut");
    else
        printf(", %d bytes", bytes - header);
}

static void show_inner(int protocol, const uint8_t *at, int bytes)
{
    if (protocol == PROTOCOL_ICMP)
        show_icmp(at, bytes);
    else if (protocol == PROTOCOL_TCP)
        show_tcp(at, bytes);
    else if (protocol == PROTOCOL_UDP && bytes >= UDP_BYTES)
        printf("UDP port %u to %u, %d bytes", get16(at), get16(at + 2), bytes - UDP_BYTES);
    else
        printf("protocol %d, %d bytes", protocol, bytes);
}

static void show_ipv4(const uint8_t *at, int bytes)
{
    enum { FRAGMENT_OFFSET = 0x1fff };
    if (bytes < IPV4_BYTES) {
        printf("IPv4 cut");
        return;
    }
    int header = (at[0] & 0x0f) * 4, total = get16(at + 2),
        fragment = get16(at + 6) & FRAGMENT_OFFSET;
    printf("IPv4 %s to %s ", ipv4_text(get32(at + 12)).chars, ipv4_text(get32(at + 16)).chars);
    if (at[0] >> 4 != 4 || header < IPV4_BYTES || header > total || total > bytes)
        printf("cut");
    else if (checksum(at, (size_t)header) != 0)
        printf("wrong checksum");
    else if (fragment != 0)
        printf("protocol %u, a fragment from byte %d on", at[9], fragment * 8);
    else
        show_inner(at[9], at + header, total - header);
}

static void show_ipv6(const uint8_t *at, int bytes)
{
    if (bytes < IPV6_BYTES) {
        printf("IPv6 cut");
        return;
    }
    for (int end = 0; end < 2; end++) {
        printf("%s", end == 0 ? "IPv6 " : " to ");
        for (int i = 0; i < 16; i += 2)
            printf("%s%x", i == 0 ? "" : ":", get16(at + 8 + 16 * end + i));
    }
    printf(" %s, %u bytes",
           at[6] == PROTOCOL_ICMPV6 ? "ICMPv6"
           : at[6] == PROTOCOL_TCP  ? "TCP"
           : at[6] == PROTOCOL_UDP  ? "UDP"
                                    : "other",
           get16(at + 4));
    if (get16(at + 4) > bytes - IPV6_BYTES)
        printf(", cut");
}

/* Returns: false if its type says nothing more to us. */
static bool show_contents(const uint8_t *frame, int length)
{
    const uint8_t *at = frame + ETHERNET_BYTES;
    int type = get16(frame + ETHERNET_TYPE), bytes = length - ETHERNET_BYTES;
    if (type == TYPE_ARP)
        show_arp(frame, length);
    else if (type == TYPE_IPV4)
        show_ipv4(at, bytes);
    else if (type == TYPE_IPV6)
        show_ipv6(at, bytes);
    else
        printf(type < LENGTHS_BELOW ? "length %d" : "type %#06x", (unsigned)type);
    return type == TYPE_ARP || type == TYPE_IPV4 || type == TYPE_IPV6;
}

static void show_frame(const uint8_t *frame, int length, bool all)
{
    struct text to = address_text(frame), from = address_text(frame + ADDRESS_BYTES);
    printf("%s to %s %4d bytes: ", from.chars,
           memcmp(frame, broadcast, ADDRESS_BYTES) == 0 ? "all" : to.chars, length);
    bool known = show_contents(frame, length);
    putchar('\n');
    if (all || !known)
        show_bytes(frame, length);
}

/* Returns: false if they make no sense. */
static bool read_options(int argc, char **argv, int *limit, bool *all)
{
    for (int option; (option = getopt(argc, argv, "c:x")) != -1;) {
        *all = *all || option == 'x';
        if (option == '?' || (option == 'c' && (!read_number(optarg, limit) || *limit < 1)))
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static uint8_t frame[FRAME_MAX];
    int limit = 0;
    bool all = false;
    if (!read_options(argc, argv, &limit, &all)) {
        fprintf(stderr, "usage: frames [-c COUNT] [-x]\n");
        return 2;
    }
    if (!listen_to_frames("frames"))
        return 1;
    printf("frames: listening\n");
    if (!bring_output_out("frames"))
        return 1;
    for (int seen = 0; limit == 0 || seen < limit; seen++) {
        long length = rcv_frame(frame, sizeof(frame), -1);
        if (length < 0) {
            perror("frames: rcv_frame");
            return 1;
        }
        show_frame(frame, (int)length, all);
        if (!bring_output_out("frames"))
            return 1;
    }
    return 0;
}
