/*
 * A plain driver for fuzz targets, for any compiler: replays each file of the
 * folders it is given, then changed copies of them, then pseudo-random inputs,
 * always the same ones.
 *
 *     fuzz_NAME [-runs=N] [FILE | FOLDER]...
 *
 * An input that kills the target is written to crash-NAME in the working
 * folder; give that file as FILE to see it again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"

#define MAX_LEN    4096
#define MAX_CORPUS 1024

struct seed {
    uint8_t *data;
    size_t len;
};

static struct seed corpus[MAX_CORPUS];
static size_t nr_corpus;

static char crash_name[64];
static const uint8_t *running;
static size_t running_len;

/* For a handler of signals: no stdio. */
static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* there is nobody left to tell */
}

/* Present if the address sanitizer is. */
void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));

static void save_input(void)
{
    int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    if (fd < 0 || write(fd, running, running_len) != (ssize_t)running_len)
        return;
    say("the input is in ");
    say(crash_name);
    say("\n");
    close(fd);
}

static void on_signal(int signal_nr)
{
    save_input();
    signal(signal_nr, SIG_DFL);
    raise(signal_nr);
}

static void catch_deaths(const char *program)
{
    const int deaths[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    const char *slash = strrchr(program, '/');

    snprintf(crash_name, sizeof crash_name, "crash-%s",
             slash ? slash + 1 : program);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
        signal(deaths[i], on_signal);
}

/* From a heap block of the right size, so that overreading is seen. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    memcpy(copy, data, len);
    running = copy;
    running_len = len;
    alarm(20); /* for one input, which takes microseconds */
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void add_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    struct seed *seed = &corpus[nr_corpus];

    if (fd < 0 || fstat(fd, &st) || nr_corpus == MAX_CORPUS) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    seed->data = malloc((size_t)st.st_size + 1);
    if (!seed->data || read(fd, seed->data, (size_t)st.st_size) != st.st_size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    seed->len = (size_t)st.st_size;
    nr_corpus++;
    close(fd);
}

static void add(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir) {
        add_file(path);
        return;
    }
    while ((entry = readdir(dir))) {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        add_file(file);
    }
    closedir(dir);
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

/* Bytes which code likes to compare with, more often than by chance. */
static uint8_t random_byte(void)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x10, 0x20};

    return random_below(3) ? (uint8_t)random_below(256)
                           : edges[random_below(sizeof edges)];
}

static void run_random(void)
{
    uint8_t data[MAX_LEN];
    size_t len = random_below(random_below(4) ? 256 : MAX_LEN);

    for (size_t i = 0; i < len; i++)
        data[i] = random_byte();
    run(data, len);
}

static void run_changed(const struct seed *seed)
{
    uint8_t data[MAX_LEN];
    size_t len = seed->len < sizeof data ? seed->len : sizeof data;

    memcpy(data, seed->data, len);
    for (uint32_t changes = 1 + random_below(8); len && changes; changes--)
        data[random_below((uint32_t)len)] = random_byte();
    if (len && !random_below(4))
        len = random_below((uint32_t)len);
    run(data, len);
}

int main(int argc, char **argv)
{
    unsigned long runs = 2000;

    catch_deaths(argv[0]);
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "-runs=", 6))
            runs = strtoul(argv[i] + 6, NULL, 10);
        else
            add(argv[i]);
    }

    for (size_t i = 0; i < nr_corpus; i++)
        run(corpus[i].data, corpus[i].len);
    for (unsigned long i = 0; i < runs; i++) {
        if (nr_corpus && i % 2)
            run_changed(&corpus[random_below((uint32_t)nr_corpus)]);
        else
            run_random();
    }
    printf("%zu files and %lu further inputs\n", nr_corpus, runs);

    for (size_t i = 0; i < nr_corpus; i++)
        free(corpus[i].data);
    return 0;
}
