/*
 * Looks up each name it is given, and says what it is; then connects to the
 * first by TCP, at the port of the last argument, and says what it hears.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pvdrivers/ip.h>

static void say(const char *name)
{
    const struct addrinfo hints = {.ai_family = AF_INET,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char text[INET_ADDRSTRLEN];
    int rc = getaddrinfo(name, NULL, &hints, &found);

    if (rc) {
        printf("%s: %s\n", name, gai_strerror(rc));
        return;
    }
    inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text,
              sizeof text);
    printf("%s: %s\n", name, text);
    freeaddrinfo(found);
}

static int hear(const char *name, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_INET,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char text[64];
    ssize_t len;
    int fd;

    if (getaddrinfo(name, port, &hints, &found))
        return 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen)) {
        perror("connect");
        return 1;
    }
    while ((len = read(fd, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)len, stdout);
    close(fd);
    freeaddrinfo(found);
    return len < 0;
}

int main(int argc, char **argv)
{
    int nr = argc - 2; /* argv[1] is "ip=..." */

    if (nr < 2 || !ip_wait(UINT64_MAX))
        return 2;
    for (int i = 2; i < argc - 1; i++)
        say(argv[i]);
    return hear(argv[2], argv[argc - 1]);
}
