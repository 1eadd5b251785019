/*
 * echo: the small services of old, over TCP and UDP, IPv4 and IPv6:
 *
 *    7  echo      what comes goes back (RFC 862)
 *    9  discard   what comes is forgotten (RFC 863)
 *   19  chargen   TCP only: characters without end (RFC 864)
 *
 * Each connection has a thread of its own, and so has each UDP port: ordinary
 * C with blocking sockets.
 *
 *   paravane run --net user,hostfwd=tcp::7007-:7 echo.elf
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pvdrivers/ip.h>
#include <pvguest/clock.h>

#define BACKLOG    128
#define BUFFER     65536
#define LINE_CHARS 72 /* RFC 864: lines of these, each a character on */
#define DHCP_NS    UINT64_C(30000000000)

typedef void (*serve_fn)(int fd, char *buffer);

static void echo(int fd, char *buffer)
{
    ssize_t len;

    while ((len = read(fd, buffer, BUFFER)) > 0)
        for (ssize_t at = 0, some; at < len; at += some) {
            some = write(fd, buffer + at, (size_t)(len - at));
            if (some < 0)
                return;
        }
}

static void discard(int fd, char *buffer)
{
    while (read(fd, buffer, BUFFER) > 0)
        ;
}

/* The lines repeat after as many as there are characters. */
static void chargen(int fd, char *buffer)
{
    const int first = ' ', nr = '~' - ' ' + 1;
    size_t len = 0;

    for (int line = 0; line < nr; line++) {
        for (int i = 0; i < LINE_CHARS; i++)
            buffer[len++] = (char)(first + (line + i) % nr);
        buffer[len++] = '\r';
        buffer[len++] = '\n';
    }
    for (;;)
        for (size_t at = 0; at < len;) {
            const ssize_t some = write(fd, buffer + at, len - at);

            if (some <= 0)
                return;
            at += (size_t)some;
        }
}

static void echo_datagrams(int fd, char *buffer)
{
    for (;;) {
        struct sockaddr_in6 from;
        socklen_t from_len = sizeof from;
        const ssize_t len = recvfrom(fd, buffer, BUFFER, 0,
                                     (struct sockaddr *)&from, &from_len);

        if (len >= 0)
            sendto(fd, buffer, (size_t)len, 0, (struct sockaddr *)&from,
                   from_len);
    }
}

static void discard_datagrams(int fd, char *buffer)
{
    for (;;)
        recv(fd, buffer, BUFFER, 0);
}

static struct service {
    const char *name;
    uint16_t port;
    int type;
    serve_fn serve;
    int fd;
} services[] = {
    {"echo", 7, SOCK_STREAM, echo, -1},
    {"echo", 7, SOCK_DGRAM, echo_datagrams, -1},
    {"discard", 9, SOCK_STREAM, discard, -1},
    {"discard", 9, SOCK_DGRAM, discard_datagrams, -1},
    {"chargen", 19, SOCK_STREAM, chargen, -1},
};

struct visit {
    serve_fn serve;
    int fd;
};

static void *serve(void *arg)
{
    struct visit *visit = arg;
    char *buffer = malloc(BUFFER);

    if (buffer)
        visit->serve(visit->fd, buffer);
    close(visit->fd);
    free(buffer);
    free(visit);
    return NULL;
}

/* Have a thread (serve) (fd), and close it. */
static void attend(serve_fn fn, int fd)
{
    struct visit *visit = malloc(sizeof *visit);
    pthread_t thread;

    if (visit)
        *visit = (struct visit){fn, fd};
    if (!visit || pthread_create(&thread, NULL, serve, visit)) {
        free(visit); /* too many at once */
        close(fd);
        return;
    }
    pthread_detach(thread);
}

static int bind_to(const struct service *service)
{
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                     .sin6_port = htons(service->port)};
    int fd = socket(AF_INET6, service->type, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) ||
        (service->type == SOCK_STREAM && listen(fd, BACKLOG))) {
        perror(service->name);
        exit(1);
    }
    return fd;
}

static void *welcome(void *arg)
{
    const struct service *service = arg;
    const int yes = 1;

    for (;;) {
        int visitor = accept(service->fd, NULL, NULL);

        if (visitor < 0)
            continue;
        setsockopt(visitor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        attend(service->serve, visitor);
    }
    return NULL;
}

int main(void)
{
    char address[64];
    pthread_t last;
    int rc = 0;

    ip_wait(clock_system_ns() + DHCP_NS);
    if (!ip_address(address, sizeof address)) {
        fputs("echo: there is no network device: say --net user\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        struct service *service = &services[i];

        service->fd = bind_to(service);
        if (service->type == SOCK_DGRAM)
            attend(service->serve, service->fd);
        else
            rc |= pthread_create(&last, NULL, welcome, service);
    }
    if (rc) {
        fputs("echo: there is too little memory: say --memory 32M\n", stderr);
        return 1;
    }
    printf("echo: listening on %s\n", address);
    fflush(stdout);
    pthread_join(last, NULL);
}
