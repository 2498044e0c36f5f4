// SPDX-License-Identifier: MIT
/*
 * What the network programs share: Ethernet, ARP and IPv4 headers as bytes, the card's address, and
 * asking for a host's one. Numbers on the wire are big-endian; here an IPv4 address is a uint32_t
 * in the machine's order, 10.0.2.15 being 0x0a00020f.
 *
 * Source: IEEE 802.3; RFC 826 "An Ethernet Address Resolution Protocol"; RFC 791 "Internet
 * Protocol"; RFC 1071 "Computing the Internet Checksum"
 */
#pragma once

#include <carillon.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ADDRESS_BYTES = 6,
    FRAME_MAX = 1514,
    ETHERNET_TYPE = 12, /* offset; addresses of destination and source are before it */
    ETHERNET_BYTES = 14,
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IPV6 = 0x86dd,

    ARP_OPERATION = ETHERNET_BYTES + 6, /* offsets in the frame */
    ARP_SENDER = ETHERNET_BYTES + 8,    /* address, then IPv4 address */
    ARP_TARGET = ETHERNET_BYTES + 18,
    ARP_FRAME_BYTES = ETHERNET_BYTES + 28,
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
};
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static const uint8_t broadcast[ADDRESS_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* The Internet checksum of a header, or of a message; of a right one that holds its own: 0. */
static inline uint16_t checksum(const uint8_t *at, size_t bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += get16(at + i);
    if (bytes % 2 != 0)
        sum += (uint32_t)at[bytes - 1] << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Room for an address as text. */
struct text {
    char chars[24];
};

static inline struct text address_text(const uint8_t *a)
{
    struct text text;
    snprintf(text.chars, sizeof(text.chars), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2],
             a[3], a[4], a[5]);
    return text;
}

static inline struct text ipv4_text(uint32_t address)
{
    struct text text;
    snprintf(text.chars, sizeof(text.chars), "%u.%u.%u.%u", address >> 24, address >> 16 & 0xff,
             address >> 8 & 0xff, address & 0xff);
    return text;
}

/* Read `text`, all of it, as four decimal numbers with dots. */
static inline bool read_ipv4(const char *text, uint32_t *address)
{
    unsigned part[4];
    int used = 0;
    if (strspn(text, "0123456789.") != strlen(text) || /* sscanf also takes blanks and signs */
        sscanf(text, "%3u.%3u.%3u.%3u%n", &part[0], &part[1], &part[2], &part[3], &used) != 4 ||
        text[used] != '\0')
        return false;
    *address = 0;
    for (int i = 0; i < 4; i++) {
        if (part[i] > 0xff)
            return false;
        *address = *address << 8 | part[i];
    }
    return true;
}

/* The same of the host that a program was given. Returns: false, having said why. */
static inline bool read_host(const char *program, const char *text, uint32_t *address)
{
    if (read_ipv4(text, address))
        return true;
    fprintf(stderr, "%s: %s: not an IPv4 address; names are not looked up\n", program, text);
    return false;
}

/* ---- the card -------------------------------------------------------------------------------- */

#define CARD_FILE "/proc/net/eth0"

/* The card's own address. Returns: false, having said why. */
static inline bool read_card_address(const char *program, uint8_t address[ADDRESS_BYTES])
{
    FILE *file = fopen(CARD_FILE, "r");
    char line[128];
    bool found = false;
    if (file == NULL) {
        fprintf(stderr, "%s: %s: there is no network card\n", program, CARD_FILE);
        return false;
    }
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "address %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &address[0], &address[1],
                       &address[2], &address[3], &address[4], &address[5]) == ADDRESS_BYTES;
    fclose(file);
    if (!found)
        fprintf(stderr, "%s: %s names no address\n", program, CARD_FILE);
    return found;
}

/* ---- time ------------------------------------------------------------------------------------ */

static inline int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/*
 * The next frame until `deadline_ns`. Returns: its length, or -1: none came (errno is ETIMEDOUT),
 * or the call failed.
 */
static inline int receive_until(uint8_t frame[FRAME_MAX], int64_t deadline_ns)
{
    int64_t left = deadline_ns - now_ns();
    if (left <= 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    return (int)rcv_frame(frame, FRAME_MAX, left);
}

/* Begin to listen: what arrives from now on waits for the next rcv_frame. Returns: false, having
 * said why. */
static inline bool listen_to_frames(const char *program)
{
    uint8_t frame[FRAME_MAX];
    if (rcv_frame(frame, sizeof(frame), 0) >= 0 || errno == EAGAIN)
        return true;
    fprintf(stderr, "%s: %s\n", program,
            errno == ENODEV ? "there is no network card" : strerror(errno));
    return false;
}

/* ---- ARP ------------------------------------------------------------------------------------- */

/* Who is asking, and for whom. */
struct host {
    uint8_t address[ADDRESS_BYTES];
    uint32_t ipv4;
};

static inline void put_ethernet(uint8_t *frame, const uint8_t *to, const uint8_t *from, int type)
{
    memcpy(frame, to, ADDRESS_BYTES);
    memcpy(frame + ADDRESS_BYTES, from, ADDRESS_BYTES);
    put16(frame + ETHERNET_TYPE, (unsigned)type);
}

/* An ARP frame for IPv4 over Ethernet; `to` is the target's address, in a request unknown (zeros).
 */
static inline void put_arp(uint8_t frame[ARP_FRAME_BYTES], int operation, const struct host *from,
                           const struct host *to)
{
    static const uint8_t kinds[] = {0, 1, 8, 0, ADDRESS_BYTES, 4}; /* Ethernet, IPv4, their sizes */
    put_ethernet(frame, operation == ARP_REQUEST ? broadcast : to->address, from->address,
                 TYPE_ARP);
    memcpy(frame + ETHERNET_BYTES, kinds, sizeof(kinds));
    put16(frame + ARP_OPERATION, (unsigned)operation);
    memcpy(frame + ARP_SENDER, from->address, ADDRESS_BYTES);
    put32(frame + ARP_SENDER + ADDRESS_BYTES, from->ipv4);
    memcpy(frame + ARP_TARGET, to->address, ADDRESS_BYTES);
    put32(frame + ARP_TARGET + ADDRESS_BYTES, to->ipv4);
}

/* Is this an ARP frame for IPv4 over Ethernet? */
static inline bool is_arp(const uint8_t *frame, int length)
{
    static const uint8_t kinds[] = {0, 1, 8, 0, ADDRESS_BYTES, 4};
    return length >= ARP_FRAME_BYTES && get16(frame + ETHERNET_TYPE) == TYPE_ARP &&
           memcmp(frame + ETHERNET_BYTES, kinds, sizeof(kinds)) == 0;
}

/* Answer a request for `self`. */
static inline void answer_arp(const uint8_t *frame, int length, const struct host *self)
{
    if (!is_arp(frame, length) || get16(frame + ARP_OPERATION) != ARP_REQUEST ||
        get32(frame + ARP_TARGET + ADDRESS_BYTES) != self->ipv4)
        return;
    uint8_t reply[ARP_FRAME_BYTES];
    struct host asker = {.ipv4 = get32(frame + ARP_SENDER + ADDRESS_BYTES)};
    memcpy(asker.address, frame + ARP_SENDER, ADDRESS_BYTES);
    put_arp(reply, ARP_REPLY, self, &asker);
    snd_frame(reply, sizeof(reply));
}

/* Is this the answer that tells who->ipv4's address? It is put into *who then. */
static inline bool take_arp_answer(const uint8_t *frame, int length, struct host *who)
{
    if (!is_arp(frame, length) || get16(frame + ARP_OPERATION) != ARP_REPLY ||
        get32(frame + ARP_SENDER + ADDRESS_BYTES) != who->ipv4)
        return false;
    memcpy(who->address, frame + ARP_SENDER, ADDRESS_BYTES);
    return true;
}

/* Ask once for the address of who->ipv4, and wait for it. Returns: 0, or an errno. */
static inline int ask_arp(const struct host *self, struct host *who, int64_t wait_ns)
{
    uint8_t frame[FRAME_MAX];
    int64_t deadline = now_ns() + wait_ns;
    memset(who->address, 0, ADDRESS_BYTES);
    put_arp(frame, ARP_REQUEST, self, who);
    if (snd_frame(frame, ARP_FRAME_BYTES) != 0)
        return errno;
    for (;;) {
        int length = receive_until(frame, deadline);
        if (length < 0)
            return errno;
        if (take_arp_answer(frame, length, who))
            return 0;
        answer_arp(frame, length, self);
    }
}
