/*
 * kernel/pipe.h: a pipe: bytes that one process writes and another reads.
 */
#ifndef TEACHOS_PIPE_H
#define TEACHOS_PIPE_H

#include "file.h"

/* Its two ends as files, each of which one has: 0, or E_NOMEM. */
int pipe_create(struct file **reader, struct file **writer);

#endif
