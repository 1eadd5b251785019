/*
 * kernel/console.c: keys become lines. Backspace takes a character back,
 * Control-U the line, Control-D ends the input, Control-C what runs.
 */
#include "console.h"

#include <string.h>

#include <pvguest/guest.h>

#define CONTROL(letter) ((letter) - '@')
#define DELETE          0x7f

#define LINE  256
#define READY 1024

static char line[LINE]; /* being typed */
static size_t line_len;

static char ready[READY]; /* whole lines, to be read */
static size_t ready_start, ready_nr;
static bool at_end;  /* of the input, for the next who reads all there is */
static bool is_deaf; /* nothing will ever be typed */

static struct wait_queue typed;
static int front;

void console_set_front(int process)
{
    front = process;
}

static void echo(const char *text)
{
    guest_write(text, strlen(text));
}

/* What does not fit, because nobody reads, is lost. */
static void deliver_line(void)
{
    for (size_t i = 0; i < line_len && ready_nr < READY; i++, ready_nr++)
        ready[(ready_start + ready_nr) % READY] = line[i];
    line_len = 0;
    thread_wake_all(&typed);
}

static void take_back(void)
{
    line_len--;
    echo("\b \b");
}

static void interrupt(void)
{
    line_len = 0;
    echo("^C\n");
    if (front)
        process_kill_family(front);
}

static void hear(char key)
{
    if (key == CONTROL('C')) {
        interrupt();
    } else if (key == CONTROL('D')) {
        at_end = line_len == 0;
        deliver_line();
    } else if (key == '\b' || key == DELETE) {
        if (line_len)
            take_back();
    } else if (key == CONTROL('U')) {
        while (line_len)
            take_back();
    } else if (key == '\r' || key == '\n') {
        echo("\n");
        line[line_len++] = '\n';
        deliver_line();
    } else if ((unsigned char)key >= ' ' && line_len < LINE - 1) {
        guest_write(&key, 1);
        line[line_len++] = key;
    }
}

static void listen(void *arg)
{
    const struct guest_console *console = guest_get_console();
    char keys[64];
    long nr;

    (void)arg;
    while (console && (nr = console->read(keys, sizeof keys)) > 0)
        for (long i = 0; i < nr; i++)
            hear(keys[i]);
    is_deaf = true;
    thread_wake_all(&typed);
}

bool console_init(void)
{
    return thread_start(listen, NULL) != NULL;
}

/* A line, or what of it there is room for. */
static long console_read(struct file *file, void *to, size_t len)
{
    char *bytes = to;
    size_t done = 0;

    (void)file;
    while (!ready_nr && !at_end && !is_deaf)
        if (!process_wait_in(&typed, UINT64_MAX))
            return E_INTR;
    while (done < len && ready_nr) {
        bytes[done] = ready[ready_start];
        ready_start = (ready_start + 1) % READY;
        ready_nr--;
        if (bytes[done++] == '\n')
            break;
    }
    if (!done)
        at_end = false;
    return (long)done;
}

static long console_write(struct file *file, const void *from, size_t len)
{
    (void)file;
    guest_write(from, len);
    return (long)len;
}

const struct file_kind console_file = {
    .type = TYPE_CONSOLE,
    .read = console_read,
    .write = console_write,
};
