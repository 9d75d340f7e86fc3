/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of this process alone, so that what is reached at public addresses can be tested
 * without any: call namespace_works() and then namespace_enter() before the first thread.
 */
#ifndef VT_TESTS_NET_NAMESPACE_H
#define VT_TESTS_NET_NAMESPACE_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char public_address[] = "93.184.216.34";

/* A namespace whose loopback interface is up and also has the public address. */
static inline bool namespace_enter(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    request.ifr_flags = IFF_UP;
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    inet_pton(AF_INET, public_address, &address.sin_addr);
    request = (struct ifreq){.ifr_name = "lo:1"};
    memcpy(&request.ifr_addr, &address, sizeof address);
    ok = ok && ioctl(fd, SIOCSIFADDR, &request) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Tried in a child first: a namespace that is entered but cannot be set up has no way back. */
static inline bool namespace_works(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(namespace_enter() ? 0 : 1);
    int result = 1;
    return child > 0 && waitpid(child, &result, 0) == child && result == 0;
}

#endif
