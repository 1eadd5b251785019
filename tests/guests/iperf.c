/*
 * Talks to the real iperf3, as its server does: TCP, any number of streams,
 * either way (-P, -R), on port 5201, one test after the other. Says what it
 * counted of each test. (iperf3's protocol: iperf_api.h of its sources)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <pvdrivers/ip.h>
#include <pvguest/clock.h>

#define PORT        5201
#define COOKIE_SIZE 37
#define MAX_STREAMS 64
#define MAX_TEXT    4096
#define BUFFER      (128 << 10)
#define DHCP_NS     UINT64_C(30000000000)
#define LOOK_US     200000 /* how often a stream looks whether it is over */

enum state {
    TEST_START = 1,
    TEST_RUNNING = 2,
    TEST_END = 4,
    PARAM_EXCHANGE = 9,
    CREATE_STREAMS = 10,
    EXCHANGE_RESULTS = 13,
    DISPLAY_RESULTS = 14,
    IPERF_DONE = 16,
    ACCESS_DENIED = -1,
};

struct stream {
    int fd;
    bool sends;
    uint64_t bytes;
    pthread_t thread;
};

static char buffer[BUFFER];
static struct stream streams[MAX_STREAMS];
static uint64_t started;
static bool over;

static bool read_all(int fd, void *to, size_t len)
{
    char *at = to;

    while (len > 0) {
        const ssize_t some = read(fd, at, len);

        if (some <= 0)
            return false;
        at += some;
        len -= (size_t)some;
    }
    return true;
}

static bool say(int fd, enum state state)
{
    const int8_t byte = (int8_t)state;

    return write(fd, &byte, 1) == 1;
}

static bool hear(int fd, enum state state)
{
    int8_t byte;

    return read_all(fd, &byte, 1) && byte == (int8_t)state;
}

/* JSON goes behind its length. */
static bool read_text(int fd, char text[MAX_TEXT])
{
    uint32_t len;

    if (!read_all(fd, &len, sizeof len) || ntohl(len) >= MAX_TEXT)
        return false;
    text[ntohl(len)] = '\0';
    return read_all(fd, text, ntohl(len));
}

static bool write_text(int fd, const char *text)
{
    const size_t len = strlen(text);
    const uint32_t length = htonl((uint32_t)len);

    return write(fd, &length, sizeof length) == sizeof length &&
           write(fd, text, len) == (ssize_t)len;
}

/* The number behind (key), or (otherwise). */
static long number(const char *text, const char *key, long otherwise)
{
    const char *at = strstr(text, key);

    return at ? strtol(at + strlen(key), NULL, 10) : otherwise;
}

/* Until the client says that it is enough, or has closed it. */
static void *run_stream(void *arg)
{
    struct stream *stream = arg;
    ssize_t len;

    do {
        errno = 0;
        len = stream->sends ? write(stream->fd, buffer, sizeof buffer)
                            : read(stream->fd, buffer, sizeof buffer);
        if (len > 0)
            stream->bytes += (uint64_t)len;
    } while (!over && (len > 0 || errno == EAGAIN));
    return NULL;
}

static bool take_streams(int listener, const char *cookie, long nr, bool sends)
{
    const struct timeval look = {.tv_usec = LOOK_US};
    const int yes = 1;

    for (long i = 0; i < nr; i++) {
        char word[COOKIE_SIZE];

        streams[i] =
            (struct stream){.fd = accept(listener, NULL, NULL), .sends = sends};
        if (streams[i].fd < 0 || !read_all(streams[i].fd, word, sizeof word) ||
            memcmp(word, cookie, sizeof word) != 0)
            return false;
        setsockopt(streams[i].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        setsockopt(streams[i].fd, SOL_SOCKET, SO_SNDTIMEO, &look, sizeof look);
        setsockopt(streams[i].fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look);
    }
    return true;
}

static bool write_results(int fd, long nr)
{
    static char text[MAX_TEXT + MAX_STREAMS * 256];
    const double seconds = (double)(clock_system_ns() - started) / 1e9;
    size_t len = (size_t)sprintf(
        text, "{\"cpu_util_total\":0,\"cpu_util_user\":0,\"cpu_util_system\":0,"
              "\"sender_has_retransmits\":0,\"streams\":[");

    for (long i = 0; i < nr; i++)
        len += (size_t)sprintf(
            text + len,
            "%s{\"id\":%ld,\"bytes\":%llu,\"retransmits\":0,\"jitter\":0,"
            "\"errors\":0,\"packets\":0,\"start_time\":0,\"end_time\":%.6f}",
            i ? "," : "", i ? i + 2 : 1, (unsigned long long)streams[i].bytes,
            seconds);
    strcpy(text + len, "]}");
    return write_text(fd, text);
}

static bool run_streams(int fd, long nr)
{
    if (!say(fd, TEST_START) || !say(fd, TEST_RUNNING))
        return false;
    started = clock_system_ns();
    over = false;
    for (long i = 0; i < nr; i++)
        if (pthread_create(&streams[i].thread, NULL, run_stream, &streams[i]))
            exit(1);
    return hear(fd, TEST_END);
}

static void end_streams(long nr)
{
    uint64_t bytes = 0;

    over = true;
    for (long i = 0; i < nr; i++) {
        pthread_join(streams[i].thread, NULL);
        close(streams[i].fd);
        bytes += streams[i].bytes;
    }
    printf("iperf: %ld streams, %llu bytes\n", nr, (unsigned long long)bytes);
    fflush(stdout);
}

static bool run_test(int listener, int fd)
{
    char cookie[COOKIE_SIZE], text[MAX_TEXT];
    bool fine;
    long nr;

    if (!read_all(fd, cookie, sizeof cookie) || !say(fd, PARAM_EXCHANGE) ||
        !read_text(fd, text))
        return false;
    nr = number(text, "\"parallel\":", 1);
    if (strstr(text, "\"udp\"") || nr < 1 || nr > MAX_STREAMS)
        return say(fd, ACCESS_DENIED) && false;
    if (!say(fd, CREATE_STREAMS) ||
        !take_streams(listener, cookie, nr,
                      strstr(text, "\"reverse\":true") != NULL))
        return false;
    fine = run_streams(fd, nr) && say(fd, EXCHANGE_RESULTS) &&
           read_text(fd, text) && write_results(fd, nr) &&
           say(fd, DISPLAY_RESULTS) && hear(fd, IPERF_DONE);
    end_streams(nr);
    return fine;
}

int main(void)
{
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                     .sin6_port = htons(PORT)};
    int listener = socket(AF_INET6, SOCK_STREAM, 0);
    char address[64];

    ip_wait(clock_system_ns() + DHCP_NS);
    if (!ip_address(address, sizeof address)) {
        fputs("iperf: there is no network device\n", stderr);
        return 1;
    }
    if (bind(listener, (const struct sockaddr *)&any, sizeof any) ||
        listen(listener, MAX_STREAMS)) {
        perror("iperf");
        return 1;
    }
    printf("iperf: listening on %s\n", address);
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (!run_test(listener, fd)) {
            puts("iperf: a test went wrong");
            fflush(stdout);
        }
        close(fd);
    }
}
