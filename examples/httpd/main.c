/*
 * httpd: a web server that is a whole machine. It serves the files of the tar
 * archive that is its first disk, and at /status (without a disk: everywhere) a
 * page about the domain it is; on port 80 or the one given as its argument, to
 * any number of visitors at once.
 *
 *   tar -cf site.tar -C FOLDER .
 *   paravane run --net user,hostfwd=tcp::8080-:80 \
 *       --disk target=site.tar,vdev=xvda,access=ro httpd.elf
 *
 *   main.c      visitors: whose turn it is
 *   http.c      what they ask, heads of answers
 *   archive.c   the files
 *   page.c      the page about the domain
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pvdrivers/ip.h>
#include <pvguest/clock.h>

#include "archive.h"
#include "http.h"
#include "page.h"

#define MAX_VISITORS 500
#define REQUEST_MAX  4096 /* of a request's head */
#define REPLY_MAX    4096 /* a head, or a head and a page */
#define CHUNK        65536
#define BACKLOG      128
#define DHCP_NS      UINT64_C(30000000000)

struct visitor {
    char request[REQUEST_MAX];
    size_t len;
    /* What is left to send: the reply, then the file. */
    char reply[REPLY_MAX];
    size_t reply_at, reply_len;
    const struct file *file;
    uint64_t file_at;
    bool stays;
    bool parts;       /* all is said: what it still sends is thrown away */
    uint64_t last_ns; /* when it last spoke */
};

static struct pollfd polled[1 + MAX_VISITORS]; /* [0]: the listening socket */
static struct visitor *visitors[1 + MAX_VISITORS];
static nfds_t nr = 1;
static struct page_counters counters;
static long nr_files;

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

/* Who has been silent for longest makes room for others. */
static void leave_most_silent(void)
{
    nfds_t most = 1;

    for (nfds_t i = 2; i < nr; i++)
        if (visitors[i]->last_ns < visitors[most]->last_ns)
            most = i;
    leave(most);
}

static void welcome(void)
{
    for (;;) {
        const int yes = 1;
        int fd = accept4(polled[0].fd, NULL, NULL, SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (nr > MAX_VISITORS)
            leave_most_silent();
        visitors[nr] = calloc(1, sizeof *visitors[nr]);
        if (!visitors[nr]) {
            close(fd);
            return;
        }
        visitors[nr]->last_ns = clock_system_ns();
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        polled[nr++] = (struct pollfd){.fd = fd, .events = POLLIN};
        counters.visits++;
    }
}

/* A head, and the (len) bytes of (page) unless only the head is wanted. */
static void reply_page(struct visitor *v, const struct request *request,
                       int status, const char *page, size_t len)
{
    const struct answer answer = {
        .status = status,
        .type = "text/html; charset=utf-8",
        .length = len,
        .stay = request->stay,
    };
    size_t head = http_write_head(v->reply, sizeof v->reply, &answer);

    if (!request->is_head && len <= sizeof v->reply - head) {
        memcpy(v->reply + head, page, len);
        head += len;
    }
    v->reply_len = head;
}

static void reply_error(struct visitor *v, const struct request *request,
                        int status)
{
    char page[512];

    reply_page(v, request, status, page,
               page_write_error(page, sizeof page, status));
}

static void reply_file(struct visitor *v, const struct request *request,
                       const struct file *file)
{
    const bool known = request->since && file->modified <= request->since;
    const struct answer answer = {
        .status = known ? 304 : 200,
        .type = http_type(file->name),
        .length = file->size,
        .modified = file->modified,
        .stay = request->stay,
    };

    v->reply_len = http_write_head(v->reply, sizeof v->reply, &answer);
    if (!request->is_head && !known && file->size > 0) {
        v->file = file;
        v->file_at = 0;
    }
}

static void reply_moved(struct visitor *v, const struct request *request,
                        const char *folder)
{
    char location[REQUEST_MAX];
    const struct answer answer = {
        .status = 301,
        .type = "text/html; charset=utf-8",
        .location = location,
        .stay = request->stay,
    };

    snprintf(location, sizeof location, "%s/", folder);
    v->reply_len = http_write_head(v->reply, sizeof v->reply, &answer);
    if (v->reply_len >= sizeof v->reply)
        reply_error(v, request, 404);
}

/* What (path) means: a file, a folder's index, the page about the domain. */
static void reply_path(struct visitor *v, const struct request *request,
                       const char *path)
{
    const size_t len = strlen(path);
    char index[REQUEST_MAX + 16], page[3072];
    const struct file *file = archive_find(path);

    snprintf(index, sizeof index, "%s%s", path, "index.html");
    if (!file && (len == 0 || path[len - 1] == '/'))
        file = archive_find(index);
    if (file)
        reply_file(v, request, file);
    else if (!strcmp(path, "status") || (len == 0 && nr_files == 0))
        reply_page(v, request, 200, page,
                   page_write(page, sizeof page, &counters));
    else if (len > 0 && !strpbrk(path, "\r\n") && archive_has_folder(path))
        reply_moved(v, request, path);
    else
        reply_error(v, request, 404);
}

/* Prepare the answer to the request whose head is (head). */
static void reply(struct visitor *v, char *head)
{
    struct request request;

    counters.requests++;
    counters.now = nr - 1;
    http_parse(head, &request);
    v->reply_at = 0;
    v->stays = request.stay;
    if (request.status == 200)
        reply_path(v, &request, request.path);
    else
        reply_error(v, &request, request.status);
}

/*
 * Send what there is to send: 1 when that was all, 0 if the visitor takes no
 * more now, -1 if it is gone or the disk fails.
 */
static int send_rest(int fd, struct visitor *v)
{
    static char bytes[REPLY_MAX + CHUNK];

    while (v->reply_at < v->reply_len || v->file) {
        const size_t head = v->reply_len - v->reply_at;
        const uint64_t left = v->file ? v->file->size - v->file_at : 0;
        const size_t body = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t sent;

        memcpy(bytes, v->reply + v->reply_at, head);
        if (body && !archive_read(v->file, v->file_at, bytes + head, body))
            return -1;
        sent = write(fd, bytes, head + body);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        if ((size_t)sent < head) {
            v->reply_at += (size_t)sent;
            continue;
        }
        v->reply_at = v->reply_len;
        v->file_at += (size_t)sent - head;
        if (v->file && v->file_at == v->file->size)
            v->file = NULL;
    }
    return 1;
}

/*
 * To close at once would take back what was said last, if more comes
 * meanwhile: say that it is the end, and wait for the visitor's.
 */
static void part(struct pollfd *at, struct visitor *v)
{
    v->parts = true;
    at->events = POLLIN;
    shutdown(at->fd, SHUT_WR);
}

/* Answer what was asked, as far as that goes: false if the visitor leaves. */
static bool serve_asked(struct pollfd *at, struct visitor *v)
{
    for (;;) {
        const int rc = send_rest(at->fd, v);
        char *end, *next;

        if (rc < 0)
            return false;
        at->events = rc ? POLLIN : POLLOUT;
        if (rc == 0)
            return true;
        if (v->reply_len > 0 && !v->stays) {
            part(at, v);
            return true;
        }
        v->reply_len = v->reply_at = 0;
        end = strstr(v->request, "\r\n\r\n");
        if (!end)
            return true;
        next = end + 4;
        end[2] = '\0';
        reply(v, v->request);
        v->len -= (size_t)(next - v->request);
        memmove(v->request, next, v->len + 1);
    }
}

/* It has asked something, or takes more: false if it leaves. */
static bool serve(struct pollfd *at, struct visitor *v)
{
    if (at->events & POLLIN) {
        const ssize_t some =
            read(at->fd, v->request + v->len, REQUEST_MAX - 1 - v->len);

        if (some <= 0)
            return some < 0 && errno == EAGAIN;
        v->last_ns = clock_system_ns();
        if (v->parts)
            return true;
        v->len += (size_t)some;
        v->request[v->len] = '\0';
        if (strlen(v->request) < v->len)
            return false; /* a NUL is no text */
    }
    if (!serve_asked(at, v))
        return false;
    if (v->len == REQUEST_MAX - 1 && (at->events & POLLIN) && !v->parts) {
        reply_error(v, &(struct request){.stay = false}, 431);
        v->stays = false;
        v->len = 0;
        *v->request = '\0';
        return serve_asked(at, v);
    }
    return true;
}

int main(int argc, char **argv)
{
    const int port = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 80;
    char address[64];

    nr_files = archive_open();
    if (nr_files < 0)
        return 1;
    polled[0] = (struct pollfd){.fd = listen_on((unsigned short)port),
                                .events = POLLIN};
    ip_wait(clock_system_ns() + DHCP_NS);
    if (!ip_address(address, sizeof address)) {
        fputs("httpd: there is no network device: say --net user\n", stderr);
        return 1;
    }
    printf("httpd: http://%s:%d/, %ld files\n", address, port, nr_files);
    fflush(stdout);
    for (;;) {
        if (poll(polled, nr, -1) < 0) {
            perror("httpd");
            return 1;
        }
        for (nfds_t i = nr - 1; i > 0; i--)
            if (polled[i].revents && !serve(&polled[i], visitors[i]))
                leave(i);
        if (polled[0].revents)
            welcome();
    }
}
