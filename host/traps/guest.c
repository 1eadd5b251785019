/* host/traps/guest.c: the guest that paravane carries, on an engine. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/traps/traps.h"

#define SECONDS 30
#define MEMORY  (UINT64_C(16) << 20)

/* The image, where everything else is closed. */
#define IMAGE_FD   3
#define IMAGE_PATH "/proc/self/fd/3"

extern const uint8_t probe_image[], probe_image_end[];

static int image_file(void)
{
    const size_t size = (size_t)(probe_image_end - probe_image);
    const int fd = memfd_create("probe", 0);

    if (fd >= 0 && write(fd, probe_image, size) != (ssize_t)size) {
        close(fd);
        return -1;
    }
    return fd;
}

struct machine {
    const char *engine;
    enum abi abi;
};

static int run(const struct machine *machine)
{
    struct domain_config config = {
        .image = IMAGE_PATH,
        .engine = machine->engine,
        .abi = machine->abi,
        .name = "traps",
        .memory_bytes = MEMORY,
        .nr_vcpus = 1,
    };
    struct domain *dom = calloc(1, sizeof *dom);

    if (!dom || domain_create(dom, &config))
        return EXIT_FAILURE;
    close(IMAGE_FD);
    if (domain_run(dom))
        return EXIT_FAILURE;
    return domain_exit_status(dom);
}

/* Its sentences go the same way as what the guest says. */
static int child(const void *arg, int to)
{
    const int image = image_file();
    const int nothing = open("/dev/null", O_RDONLY);
    int status = EXIT_FAILURE;

    if (image >= 0 && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
        dup2(to, STDOUT_FILENO) >= 0 && dup2(to, STDERR_FILENO) >= 0 &&
        (image == IMAGE_FD || dup2(image, IMAGE_FD) >= 0)) {
        syscall(SYS_close_range, IMAGE_FD + 1, ~0U, 0);
        status = run(arg);
    }
    return status;
}

/* False: this host cannot, and (why) says what is missing. */
static bool can_run(const char *name, enum abi abi, char *why, size_t size)
{
    const struct engine_ops *engine = engine_find(name);
    char what[256];

    if (!engine) {
        snprintf(why, size, "it is not built in");
        return false;
    }
    if (engine->probe(why, size))
        return false;
    if (abi == ABI_PVH && engine->is_slow &&
        engine->is_slow(abi, what, sizeof what)) {
        snprintf(why, size, "%s", what);
        return false;
    }
    return true;
}

static void judge(int status, struct traps_place *place)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFEXITED(status))
        snprintf(place->why, sizeof place->why,
                 "the guest that tries them ended with status %d",
                 WEXITSTATUS(status));
    else
        snprintf(place->why, sizeof place->why,
                 "the guest that tries them did not end, or by signal %d",
                 WTERMSIG(status));
}

void traps_try_guest(const char *engine, enum abi abi,
                     struct traps_place *place)
{
    const struct machine machine = {.engine = engine, .abi = abi};
    int status;

    *place = (struct traps_place){0};
    if (can_run(engine, abi, place->why, sizeof place->why) &&
        traps_run(child, &machine, SECONDS, place, &status))
        judge(status, place);
}
