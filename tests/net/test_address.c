/* SPDX-License-Identifier: Apache-2.0 */
/* Public and special addresses: the first and last of every block, and their neighbours outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/fetch.h"

static const char *const refused[] = {
    /* IPv4, first and last address of each block */
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.31.196.0",
    "192.31.196.255",
    "192.52.193.1",
    "192.88.99.0",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    /* IPv6 */
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::1",
    "100::",
    "100::1",
    "1fff:ffff::1",
    "2001::",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ffff::1",
    /* no addresses */
    "",
    "localhost",
    "8.8.8.8 ",
    " 8.8.8.8",
    "8.8.8",
    "8.8.8.8:80",
    "134744072",
    "0x08080808",
    "8.8.8.08.1",
    "[2606:4700::1]",
    "2606:4700::1%eth0",
    "example.com",
};

static const char *const permitted[] = {
    "1.0.0.0",          "9.255.255.255",     "11.0.0.0",
    "100.63.255.255",   "100.128.0.0",       "126.255.255.255",
    "128.0.0.0",        "169.253.255.255",   "169.255.0.0",
    "172.15.255.255",   "172.32.0.0",        "191.255.255.255",
    "192.0.1.0",        "192.0.3.0",         "192.31.195.255",
    "192.31.197.0",     "192.88.98.255",     "192.88.100.0",
    "192.167.255.255",  "192.169.0.0",       "198.17.255.255",
    "198.20.0.0",       "198.51.99.255",     "198.51.101.0",
    "203.0.112.255",    "203.0.114.0",       "223.255.255.255",
    "8.8.8.8",          "2000::1",           "2001:200::1",
    "2001:db7:ffff::1", "2001:db9::1",       "2001:4860:4860::8888",
    "2003::1",          "2606:4700::1111",   "2620:4f:7fff::1",
    "2620:4f:8001::1",  "2a00:1450:4001::1", "3ffe::1",
    "3fff:1000::1",
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (vt_address_is_public(refused[i]))
            fail_msg("\"%s\" counts as public", refused[i]);
}

static void test_permitted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof permitted / sizeof permitted[0]; i++)
        if (!vt_address_is_public(permitted[i]))
            fail_msg("\"%s\" does not count as public", permitted[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_permitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
