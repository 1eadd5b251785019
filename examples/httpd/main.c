/*
 * httpd: a web server that is a whole machine. It answers GET and HEAD with a
 * page about the domain it is, on port 80 or the one given as its argument,
 * to any number of visitors at once.
 *
 *   paravane run --net user,hostfwd=tcp::8080-:80 httpd.elf
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pvdrivers/ip.h>
#include <pvguest/clock.h>
#include <pvguest/page.h>

#define MAX_VISITORS 500
#define REQUEST_MAX  4096 /* of a request's head */
#define BACKLOG      128
#define DHCP_NS      UINT64_C(30000000000)

struct visitor {
    char request[REQUEST_MAX];
    size_t len;
};

static struct pollfd polled[1 + MAX_VISITORS]; /* [0]: the listening socket */
static struct visitor *visitors[1 + MAX_VISITORS];
static nfds_t nr = 1;
static unsigned long nr_requests, nr_visits;

static int listen_on(unsigned short port)
{
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                     .sin6_port = htons(port)};
    const int yes = 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        bind(fd, (const struct sockaddr *)&any, sizeof any) ||
        listen(fd, BACKLOG)) {
        perror("httpd");
        exit(1);
    }
    return fd;
}

static void leave(nfds_t i)
{
    close(polled[i].fd);
    free(visitors[i]);
    polled[i] = polled[--nr];
    visitors[i] = visitors[nr];
}

static void welcome(void)
{
    while (nr <= MAX_VISITORS) {
        const int yes = 1;
        int fd = accept4(polled[0].fd, NULL, NULL, SOCK_NONBLOCK);

        if (fd < 0)
            return;
        visitors[nr] = calloc(1, sizeof *visitors[nr]);
        if (!visitors[nr]) {
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        polled[nr++] = (struct pollfd){.fd = fd, .events = POLLIN};
        nr_visits++;
    }
}

static size_t write_page(char *page, size_t size)
{
    char address[64] = "";

    ip_address(address, sizeof address);
    return (size_t)snprintf(
        page, size,
        "<!DOCTYPE html>\n"
        "<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>A Paravane unikernel</title></head>\n"
        "<body><h1>A Paravane unikernel</h1>\n"
        "<p>This page comes from a machine that is nothing but a web server: "
        "no kernel below, no shell beside.</p>\n"
        "<table>\n"
        "<tr><td>address</td><td>%s</td></tr>\n"
        "<tr><td>up for</td><td>%llu ms</td></tr>\n"
        "<tr><td>requests</td><td>%lu</td></tr>\n"
        "<tr><td>visitors</td><td>%lu, now %lu</td></tr>\n"
        "<tr><td>memory free</td><td>%zu KiB</td></tr>\n"
        "</table></body></html>\n",
        address, (unsigned long long)clock_system_ns() / 1000000, nr_requests,
        nr_visits, (unsigned long)nr - 1, page_nr_free() * 4);
}

/* All of it, to who may read slowly; false if it is not wanted. */
static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t some = write(fd, bytes, len);

        if (some < 0 && errno == EAGAIN) {
            struct pollfd one = {.fd = fd, .events = POLLOUT};

            if (poll(&one, 1, 5000) == 1)
                continue;
        }
        if (some < 0)
            return false;
        bytes += some;
        len -= (size_t)some;
    }
    return true;
}

/* Answer the request whose head is (head): false if that was the last one. */
static bool answer(int fd, const char *head)
{
    static char reply[4096], page[2048];
    const bool is_head = !strncmp(head, "HEAD ", 5);
    const bool known = is_head || !strncmp(head, "GET ", 4);
    const bool old = strstr(head, " HTTP/1.0\r\n") != NULL;
    const bool asks_to_stay =
        strcasestr(head, "\r\nConnection: keep-alive\r\n") != NULL;
    const bool asks_to_end =
        strcasestr(head, "\r\nConnection: close\r\n") != NULL;
    const bool stay = known && (old ? asks_to_stay : !asks_to_end);
    const char *status = known ? "200 OK" : "405 Method Not Allowed";
    size_t len = 0;

    nr_requests++;
    if (known)
        len = write_page(page, sizeof page);
    snprintf(reply, sizeof reply,
             "HTTP/1.1 %s\r\n"
             "Content-Type: text/html\r\n"
             "Content-Length: %zu\r\n"
             "Connection: %s\r\n"
             "%s\r\n"
             "%.*s",
             status, len, stay ? "keep-alive" : "close",
             known ? "" : "Allow: GET, HEAD\r\n", is_head ? 0 : (int)len, page);
    return send_all(fd, reply, strlen(reply)) && stay;
}

/* Read what there is and answer what is whole: false if the visitor leaves. */
static bool serve(int fd, struct visitor *v)
{
    ssize_t some = read(fd, v->request + v->len, REQUEST_MAX - 1 - v->len);
    char *end;

    if (some <= 0)
        return some < 0 && errno == EAGAIN;
    v->len += (size_t)some;
    v->request[v->len] = '\0';
    while ((end = strstr(v->request, "\r\n\r\n"))) {
        char *const next = end + 4;

        end[2] = '\0';
        if (!answer(fd, v->request))
            return false;
        v->len -= (size_t)(next - v->request);
        memmove(v->request, next, v->len + 1);
    }
    return v->len < REQUEST_MAX - 1;
}

int main(int argc, char **argv)
{
    const int port = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 80;
    char address[64];

    polled[0] = (struct pollfd){.fd = listen_on((unsigned short)port),
                                .events = POLLIN};
    ip_wait(clock_system_ns() + DHCP_NS);
    if (!ip_address(address, sizeof address)) {
        fputs("httpd: there is no network device: say --net user\n", stderr);
        return 1;
    }
    printf("httpd: http://%s:%d/\n", address, port);
    fflush(stdout);
    for (;;) {
        if (poll(polled, nr, -1) < 0) {
            perror("httpd");
            return 1;
        }
        for (nfds_t i = nr - 1; i > 0; i--)
            if (polled[i].revents && !serve(polled[i].fd, visitors[i]))
                leave(i);
        if (polled[0].revents)
            welcome();
    }
}
