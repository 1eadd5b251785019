/*
 * kernel/main.c: from where the guest library leaves off to the first process.
 */
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include "../machine/machine.h"
#include "console.h"
#include "filesystem.h"
#include "frame.h"
#include "process.h"

#define SHELL   "/bin/sh"
#define FAILURE 1

static void give_up(const char *why)
{
    guest_print("teachos: %s\n", why);
    guest_exit(FAILURE);
}

/* The words behind the image are a command for the shell; without, it asks. */
static int start_shell(void)
{
    const char *command = guest_command_line();
    char *const with_command[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    char *const alone[] = {"sh", NULL};

    while (*command == ' ')
        command++;
    return process_start_first(SHELL, *command ? with_command : alone);
}

void guest_main(void)
{
    struct wait_queue never = WAIT_QUEUE_INIT;
    int rc;

    guest_start_drivers();
    machine_init();
    if (!frame_init() || !console_init())
        give_up("there is too little memory to begin");
    if (!fs_mount())
        give_up("no files, no programs");
    rc = start_shell();
    if (rc) {
        guest_print("teachos: cannot start %s: error %d\n", SHELL, -rc);
        guest_exit(FAILURE);
    }
    thread_wait(&never, UINT64_MAX);
}
