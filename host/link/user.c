/*
 * host/link/user.c: the network of an ordinary user: passt translates the
 * guest's connections into sockets of the host, without any right. A keeper
 * starts it, on the other end of a pair of sockets, whenever there is none; it
 * ends with us.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/config.h"
#include "host/link/keeper.h"
#include "host/link/link.h"
#include "host/log.h"

#define PROGRAM "passt"

/* Its descriptors: where it finds them, and those of no use to it. */
#define PASST_SOCKET 3

/* It says that it is ready by writing its pid. */
#define START_LIMIT_MS 10000
#define END_LIMIT_MS   1000
#define LOOK_EVERY_NS  2000000
#define RETRY_AFTER_NS 200000000

#define SPEC_SIZE 80 /* ADDRESS/PORT:PORT */
#define MAX_ARGS  (16 + 2 * CONFIG_MAX_FORWARDS)

struct start {
    int socket; /* passt's end */
    int words;  /* what it says */
    char folder[256];
    char pid[272]; /* where it shall write its pid */
    int pid_fd;
    pid_t child;
};

/* What its keeper remembers. */
struct user {
    const struct net_config *config;
    pid_t passt; /* 0: none yet */
};

static void forward_spec(const struct net_forward *forward,
                         char spec[SPEC_SIZE])
{
    if (*forward->address)
        snprintf(spec, SPEC_SIZE, "%s/%u:%u", forward->address,
                 forward->host_port, forward->guest_port);
    else
        snprintf(spec, SPEC_SIZE, "%u:%u", forward->host_port,
                 forward->guest_port);
}

_Noreturn static void become_passt(const struct net_config *config,
                                   struct start *start)
{
    char specs[CONFIG_MAX_FORWARDS][SPEC_SIZE], mtu[16];
    char program[] = PROGRAM, foreground[] = "--foreground", fd[] = "--fd",
         three[] = "3", pid[] = "--pid", mtu_is[] = "--mtu", tcp[] = "-t",
         udp[] = "-u";
    char *args[MAX_ARGS] = {program, foreground, fd, three, pid, start->pid};
    const pid_t parent = getppid();
    unsigned nr = 6;
    sigset_t none;

    if (config->mtu) {
        snprintf(mtu, sizeof mtu, "%u", config->mtu);
        args[nr++] = mtu_is;
        args[nr++] = mtu;
    }
    for (unsigned i = 0; i < config->nr_forwards; i++) {
        forward_spec(&config->forwards[i], specs[i]);
        args[nr++] = config->forwards[i].udp ? udp : tcp;
        args[nr++] = specs[i];
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(start->words, STDOUT_FILENO) < 0 ||
        dup2(start->words, STDERR_FILENO) < 0 ||
        dup2(start->socket, PASST_SOCKET) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
        _exit(126);
    fcntl(PASST_SOCKET, F_SETFD, 0);
    execvp(PROGRAM, args);
    _exit(errno == ENOENT ? 127 : 126);
}

/* The last line of what it said, without its newline. */
static void last_words(const struct start *start, char *line, size_t size)
{
    char text[4096];
    ssize_t len = pread(start->words, text, sizeof text - 1, 0);
    char *last;

    text[len > 0 ? len : 0] = '\0';
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    last = strrchr(text, '\n');
    snprintf(line, size, "%.*s", (int)size - 1, last ? last + 1 : text);
}

/* Why it ended: -EAGAIN in silence if it may do better (again). */
static int judge_end(const struct start *start, int status, bool again)
{
    char line[256];

    if (again && WIFEXITED(status) && WEXITSTATUS(status) == 1)
        return -EAGAIN;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        log_error("--net user needs the program passt: install the package "
                  "passt, or use a tap device");
        return -ENOENT;
    }
    last_words(start, line, sizeof line);
    log_error("passt did not start: %s",
              *line ? line : "it does not say why; run it by hand");
    return -EIO;
}

/* Until it has opened its ports and left its rights behind. */
static int wait_until_ready(const struct start *start, bool again)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};

    for (unsigned ms = 0; ms < START_LIMIT_MS; ms += 2) {
        struct stat st;
        int status;

        if (waitpid(start->child, &status, WNOHANG) == start->child)
            return judge_end(start, status, again);
        if (fstat(start->pid_fd, &st) == 0 && st.st_size > 0)
            return 0;
        nanosleep(&pause, NULL);
    }
    kill(start->child, SIGKILL);
    waitpid(start->child, NULL, 0);
    log_error("passt was not ready after %d seconds; run it by hand to see why",
              START_LIMIT_MS / 1000);
    return -ETIMEDOUT;
}

static int start_once(const struct net_config *config, struct start *start,
                      bool again)
{
    int rc;

    start->child = fork();
    if (start->child == 0)
        become_passt(config, start);
    if (start->child < 0) {
        rc = -errno;
        log_error("cannot start passt: %s", strerror(-rc));
        return rc;
    }
    return wait_until_ready(start, again);
}

/* The passt of a guest that ended just now may not have left its ports yet. */
static int start_passt(const struct net_config *config, struct start *start)
{
    const struct timespec pause = {.tv_nsec = RETRY_AFTER_NS};
    int rc = start_once(config, start, config->nr_forwards > 0);

    if (rc != -EAGAIN)
        return rc;
    nanosleep(&pause, NULL);
    if (ftruncate(start->words, 0) || lseek(start->words, 0, SEEK_SET))
        return -errno;
    return start_once(config, start, false);
}

/*
 * A file for its pid, which it opens after it gave up its rights: in a folder
 * of our own, since others' files in the common one may not be written to.
 */
static int make_pid_file(struct start *start)
{
    const char *folder = getenv("TMPDIR");

    snprintf(start->folder, sizeof start->folder, "%.200s/paravane-XXXXXX",
             folder && *folder ? folder : "/tmp");
    if (!mkdtemp(start->folder)) {
        *start->folder = '\0';
        return -errno;
    }
    snprintf(start->pid, sizeof start->pid, "%s/pid", start->folder);
    start->pid_fd = open(start->pid, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (start->pid_fd < 0 || chmod(start->folder, 0711) ||
        fchmod(start->pid_fd, 0666))
        return -errno;
    return 0;
}

static void remove_pid_file(const struct start *start)
{
    if (start->pid_fd >= 0)
        close(start->pid_fd);
    if (*start->pid)
        unlink(start->pid);
    if (*start->folder)
        rmdir(start->folder);
}

/* It ends by itself when its socket is closed; if not, it is no good. */
static void end_passt(pid_t child)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};

    kill(child, SIGTERM);
    for (unsigned ms = 0; ms < END_LIMIT_MS; ms += 2) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return;
        nanosleep(&pause, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* In the keeper: our end of a new one's socket. */
static int make_passt(void *context)
{
    struct user *user = context;
    struct start start = {.socket = -1, .words = -1, .pid_fd = -1};
    int pair[2] = {-1, -1};
    int rc;

    if (user->passt > 0)
        end_passt(user->passt);
    user->passt = 0;
    rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ? -errno : 0;
    if (rc == 0) {
        start.socket = pair[1];
        start.words = memfd_create("passt", MFD_CLOEXEC);
        rc = start.words < 0 ? -errno : make_pid_file(&start);
    }
    if (rc)
        log_error("cannot prepare for passt: %s", strerror(-rc));
    else
        rc = start_passt(user->config, &start);
    if (rc == 0) {
        user->passt = start.child;
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
    }
    remove_pid_file(&start);
    if (start.words >= 0)
        close(start.words);
    if (pair[1] >= 0)
        close(pair[1]);
    if (rc && pair[0] >= 0)
        close(pair[0]);
    return rc ?: pair[0];
}

int user_open(const struct net_config *config, struct link **link)
{
    struct user user = {.config = config};
    const int keeper = keeper_start(make_passt, &user);
    int fd;

    if (keeper < 0) {
        log_error("cannot make a process for passt: %s: end other processes",
                  strerror(-keeper));
        return keeper;
    }
    fd = keeper_first(keeper);
    if (fd < 0) {
        close(keeper);
        return fd;
    }
    *link = stream_create(config, fd);
    if (*link) {
        stream_keep(*link, keeper);
        return 0;
    }
    log_error("out of memory for a network device: free some memory");
    close(fd);
    close(keeper);
    return -ENOMEM;
}
