/*
 * host/control.h: words to a running domain, by a FIFO that the user named with
 * --control: a line each, named as xl's commands are.
 *
 *     mem-set SIZE           the memory that its balloon shall leave it
 *     shutdown               ask it to power off
 *     reboot                 ask it to reboot
 *     sysrq KEY              send a letter to the kernel's debugging keys
 *     block-detach VDEV      ask it to let go of a disk, for good
 *     network-detach NUMBER  ask it to let go of a network device, for good
 *
 * The guest obeys in its own time or never. Whoever may write to the FIFO may
 * say all of this; a wrong line is a warning and changes nothing.
 */
#ifndef HOST_CONTROL_H
#define HOST_CONTROL_H

#include <stddef.h>

struct domain;

#define CONTROL_LINE 128

struct control {
    int fd; /* -1: there is none */
    char line[CONTROL_LINE];
    size_t length;
    int too_long; /* the rest of the line is dropped */
};

/*
 * Open dom->config->control, made if there is nothing, and listen: 0, or -errno
 * with a sentence logged. Nothing if it is NULL.
 */
int control_create(struct domain *dom);
void control_destroy(struct domain *dom);

/* What one line says, without its end. */
void control_obey(struct domain *dom, const char *line);

#endif
