/*
 * The native side of the network's rows:
 *
 *   wire pingpong ADDRESS PORT COUNT   64-byte datagrams, one at a time, to an
 *                                      echo service: {"ns": one round trip}
 *   wire flood ADDRESS PORT SECONDS    as many as come back: {"rate": a second}
 *   wire end ADDRESS PORT              a datagram that says "end"
 *   wire echo PORT                     an echo service
 *   wire turn TAP                      turns packets round on the tap device
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "turn.h"

#define SIZE     64
#define BURST    32
#define UNDERWAY 256
#define SECOND   UINT64_C(1000000000)

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_to(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof to))
        fail(address);
    return fd;
}

static int pingpong(int fd, unsigned long count)
{
    const struct timeval patience = {.tv_usec = 200000};
    char datagram[SIZE] = "";
    uint64_t start = now_ns(), lost = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (unsigned long i = 0; i < count; i++)
        if (send(fd, datagram, sizeof datagram, 0) < 0 ||
            recv(fd, datagram, sizeof datagram, 0) < 0)
            lost++;
    printf("{\"ns\": %.0f, \"lost\": %llu}\n",
           (double)(now_ns() - start) / (double)count,
           (unsigned long long)lost);
    return lost > count / 100;
}

static int flood(int fd, unsigned long seconds)
{
    static char bytes[BURST][SIZE];
    struct iovec parts[BURST];
    struct mmsghdr messages[BURST];
    uint64_t sent = 0, got = 0, start = now_ns(), last = start, now = start;

    for (unsigned i = 0; i < BURST; i++) {
        parts[i] = (struct iovec){bytes[i], SIZE};
        messages[i] = (struct mmsghdr){
            .msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    while (now - start < seconds * SECOND) {
        int some;

        if (sent - got + BURST <= UNDERWAY) {
            some = sendmmsg(fd, messages, BURST, 0);
            sent += some > 0 ? (uint64_t)some : 0;
        }
        some = recvmmsg(fd, messages, BURST, MSG_DONTWAIT, NULL);
        now = now_ns();
        if (some > 0) {
            got += (uint64_t)some;
            last = now;
        } else if (now - last > SECOND / 100) {
            sent = got; /* the rest is lost */
            last = now;
        } else {
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
        }
    }
    printf("{\"rate\": %.0f}\n",
           (double)got / ((double)(now - start) / (double)SECOND));
    return 0;
}

_Noreturn static void echo(const char *port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any))
        fail("echo");
    puts("ready");
    fflush(stdout);
    for (;;) {
        char bytes[2048];
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t some = recvfrom(fd, bytes, sizeof bytes, 0,
                                (struct sockaddr *)&from, &len);

        if (some >= 0)
            sendto(fd, bytes, (size_t)some, 0, (struct sockaddr *)&from, len);
    }
}

_Noreturn static void turn(const char *name)
{
    static struct {
        struct virtio_net_hdr header;
        uint8_t bytes[65536];
    } frame;
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) ||
        ioctl(fd, TUNSETOFFLOAD, (unsigned long)TUN_F_CSUM))
        fail(name);
    puts("ready");
    fflush(stdout);
    for (;;) {
        const ssize_t len = read(fd, &frame, sizeof frame);

        if (len < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
            continue;
        }
        if (len < 0)
            fail("read");
        if (turn_frame(frame.bytes, (size_t)len - sizeof frame.header) &&
            write(fd, &frame, (size_t)len) < 0)
            fail("write");
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "pingpong"))
        return pingpong(connect_to(argv[2], argv[3]),
                        strtoul(argv[4], NULL, 10));
    if (argc == 5 && !strcmp(argv[1], "flood"))
        return flood(connect_to(argv[2], argv[3]), strtoul(argv[4], NULL, 10));
    if (argc == 4 && !strcmp(argv[1], "end"))
        return send(connect_to(argv[2], argv[3]), "end", 3, 0) != 3;
    if (argc == 3 && !strcmp(argv[1], "echo"))
        echo(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "turn"))
        turn(argv[2]);
    fputs("usage: see tests/bench/wire.c\n", stderr);
    return 2;
}
