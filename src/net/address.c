/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses belong to the public internet.
 *
 * Method: IPv4 is public unless it lies in a block of the IANA special-purpose address registry
 * (RFC 6890 and its updates), in multicast or in the reserved end. IPv6 is public only within
 * global unicast, 2000::/3, less the special blocks in there. Forms that carry an IPv4 address
 * inside (v4-mapped, v4-compatible, NAT64, 6to4, Teredo) are refused whatever they carry: a name on
 * the public internet has no need of them, and what they reach depends on the machine.
 *
 * Departure: the few special blocks that the registry calls globally reachable (AS112, AMT, anycast
 * of protocols) are refused too, because no pictures live there.
 */
#include "net/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

typedef struct block4 {
    uint32_t prefix;
    int bits;
} block4;

#define IPV4(a, b, c, d)                                                                           \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const block4 special4[] = {
    {IPV4(0, 0, 0, 0), 8},       /* this network */
    {IPV4(10, 0, 0, 0), 8},      /* private */
    {IPV4(100, 64, 0, 0), 10},   /* shared, behind carriers' translators */
    {IPV4(127, 0, 0, 0), 8},     /* loopback */
    {IPV4(169, 254, 0, 0), 16},  /* link-local, cloud metadata */
    {IPV4(172, 16, 0, 0), 12},   /* private */
    {IPV4(192, 0, 0, 0), 24},    /* protocol assignments */
    {IPV4(192, 0, 2, 0), 24},    /* documentation */
    {IPV4(192, 31, 196, 0), 24}, /* AS112 */
    {IPV4(192, 52, 193, 0), 24}, /* AMT */
    {IPV4(192, 88, 99, 0), 24},  /* 6to4 relays, retired */
    {IPV4(192, 168, 0, 0), 16},  /* private */
    {IPV4(192, 175, 48, 0), 24}, /* AS112 */
    {IPV4(198, 18, 0, 0), 15},   /* benchmarking */
    {IPV4(198, 51, 100, 0), 24}, /* documentation */
    {IPV4(203, 0, 113, 0), 24},  /* documentation */
    {IPV4(224, 0, 0, 0), 4},     /* multicast */
    {IPV4(240, 0, 0, 0), 4},     /* reserved, broadcast */
};

typedef struct block6 {
    uint8_t prefix[16];
    int bits;
} block6;

static const block6 global_unicast6 = {{0x20}, 3};

/* Within global unicast; everything outside it is refused as a whole. */
static const block6 special6[] = {
    {{0x20, 0x01}, 23},                         /* protocol assignments: Teredo, ORCHID, ... */
    {{0x20, 0x01, 0x0D, 0xB8}, 32},             /* documentation */
    {{0x20, 0x02}, 16},                         /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4F, 0x80, 0x00}, 48}, /* AS112 */
    {{0x3F, 0xFF}, 20},                         /* documentation */
};

static bool ipv4_is_public(uint32_t address)
{
    for (size_t i = 0; i < sizeof special4 / sizeof special4[0]; i++)
        if (((address ^ special4[i].prefix) >> (32 - special4[i].bits)) == 0)
            return false;
    return true;
}

static bool ipv6_within(const uint8_t address[16], const block6 *block)
{
    int whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(address, block->prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ block->prefix[whole]) >> (8 - rest) == 0;
}

static bool ipv6_is_public(const uint8_t address[16])
{
    if (!ipv6_within(address, &global_unicast6))
        return false;
    for (size_t i = 0; i < sizeof special6 / sizeof special6[0]; i++)
        if (ipv6_within(address, &special6[i]))
            return false;
    return true;
}

bool vt_address_is_public(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ipv4_is_public(ntohl(v4.s_addr));
    return inet_pton(AF_INET6, address, &v6) == 1 && ipv6_is_public(v6.s6_addr);
}
