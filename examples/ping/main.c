/*
 * ping: ask a host for an echo, as the program of that name does, and say how
 * long it took. Ends with 0 if any answer came.
 *
 *   paravane run --net user ping.elf -- HOST [COUNT]
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pvdrivers/ip.h>
#include <pvguest/clock.h>

#define DHCP_NS  UINT64_C(30000000000)
#define SECOND   UINT64_C(1000000000)
#define DATA_LEN 56
#define IDENTITY 0x7076

/* An echo request; ICMPv6's has the same fields. (RFC 792, RFC 4443) */
struct message {
    uint8_t type, code;
    uint16_t checksum, id, sequence;
    uint8_t data[DATA_LEN];
};

static struct addrinfo *host;
static char address[INET6_ADDRSTRLEN];

/* RFC 1071. The stack does ICMPv6's, which covers the addresses. */
static uint16_t checksum(const struct message *message)
{
    const uint16_t *words = (const uint16_t *)message;
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof *message / 2; i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static bool is_ipv6(void)
{
    return host->ai_family == AF_INET6;
}

static bool ask(int fd, uint16_t sequence)
{
    struct message message = {
        .type = is_ipv6() ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
        .id = htons(IDENTITY),
        .sequence = htons(sequence),
    };

    for (unsigned i = 0; i < DATA_LEN; i++)
        message.data[i] = (uint8_t)i;
    if (!is_ipv6())
        message.checksum = checksum(&message);
    return sendto(fd, &message, sizeof message, 0, host->ai_addr,
                  host->ai_addrlen) == sizeof message;
}

/* The answer to (sequence), until (deadline): its length, or 0. */
static size_t await(int fd, uint16_t sequence, uint64_t deadline)
{
    uint8_t packet[1500];
    struct message answer;

    for (;;) {
        const uint64_t now = clock_system_ns();
        const uint64_t left = deadline > now ? deadline - now : 1;
        const struct timeval limit = {
            .tv_sec = (time_t)(left / SECOND),
            .tv_usec = (suseconds_t)(left % SECOND / 1000) + 1,
        };
        ssize_t len;
        size_t header;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        len = recv(fd, packet, sizeof packet, 0);
        if (len <= 0)
            return 0;
        header = is_ipv6() ? 40 : (packet[0] & 15u) * 4;
        if ((size_t)len < header + sizeof answer)
            continue;
        memcpy(&answer, packet + header, sizeof answer);
        if (answer.type == (is_ipv6() ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
            answer.id == htons(IDENTITY) && answer.sequence == htons(sequence))
            return (size_t)len - header;
    }
}

static void ping_once(int fd, uint16_t sequence, unsigned *answered)
{
    const uint64_t start = clock_system_ns();
    size_t len;

    if (!ask(fd, sequence)) {
        perror("ping");
        return;
    }
    len = await(fd, sequence, start + SECOND);
    if (len == 0) {
        printf("no answer to %u\n", sequence);
        return;
    }
    ++*answered;
    printf("%zu bytes from %s: seq=%u time=%.3f ms\n", len, address, sequence,
           (double)(clock_system_ns() - start) / 1e6);
}

static int ping(unsigned count)
{
    int fd = socket(host->ai_family, SOCK_RAW,
                    is_ipv6() ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    unsigned answered = 0;

    if (fd < 0) {
        perror("ping");
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint64_t next = clock_system_ns() + SECOND;
        uint64_t now;

        ping_once(fd, (uint16_t)i, &answered);
        fflush(stdout);
        now = clock_system_ns();
        if (i + 1 < count && now < next)
            nanosleep(&(struct timespec){.tv_nsec = (long)(next - now)}, NULL);
    }
    printf("%u sent, %u answered\n", count, answered);
    close(fd);
    return answered ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *words[2] = {NULL, "4"}; /* beside ip=... */
    unsigned nr = 0, count;
    int rc;

    for (int i = 1; i < argc; i++)
        if (!strchr(argv[i], '=') && nr < 2)
            words[nr++] = argv[i];
    count = (unsigned)strtoul(words[1], NULL, 10);
    if (!words[0] || count == 0) {
        fputs("usage: ping HOST [COUNT]\n", stderr);
        return 2;
    }
    ip_wait(clock_system_ns() + DHCP_NS);
    if (!ip_address(address, sizeof address)) {
        fputs("ping: there is no network device: say --net user\n", stderr);
        return 1;
    }
    rc = getaddrinfo(words[0], NULL, NULL, &host);
    if (rc) {
        fprintf(stderr, "ping: %s: %s\n", words[0], gai_strerror(rc));
        return 1;
    }
    getnameinfo(host->ai_addr, host->ai_addrlen, address, sizeof address, NULL,
                0, NI_NUMERICHOST);
    return ping(count);
}
