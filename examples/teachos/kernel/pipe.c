#include "pipe.h"

#include "heap.h"

#define SIZE 4096u

struct pipe {
    char bytes[SIZE];
    size_t start, nr; /* what is in it */
    bool has_reader, has_writer;
    struct wait_queue changed;
};

static long pipe_read(struct file *file, void *to, size_t len)
{
    struct pipe *pipe = file->object;
    size_t done = 0;

    while (pipe->nr == 0 && pipe->has_writer)
        if (!process_wait_in(&pipe->changed, UINT64_MAX))
            return E_INTR;
    for (; done < len && pipe->nr; done++, pipe->nr--) {
        ((char *)to)[done] = pipe->bytes[pipe->start];
        pipe->start = (pipe->start + 1) % SIZE;
    }
    thread_wake_all(&pipe->changed);
    return (long)done;
}

static long pipe_write(struct file *file, const void *from, size_t len)
{
    struct pipe *pipe = file->object;
    size_t done = 0;

    while (done < len) {
        if (!pipe->has_reader)
            return E_PIPE;
        for (; done < len && pipe->nr < SIZE; done++, pipe->nr++)
            pipe->bytes[(pipe->start + pipe->nr) % SIZE] =
                ((const char *)from)[done];
        thread_wake_all(&pipe->changed);
        if (done < len && !process_wait_in(&pipe->changed, UINT64_MAX))
            return E_INTR;
    }
    return (long)done;
}

static void pipe_close(struct file *file)
{
    struct pipe *pipe = file->object;

    if (file->flags & OPEN_WRITE)
        pipe->has_writer = false;
    else
        pipe->has_reader = false;
    thread_wake_all(&pipe->changed);
    if (!pipe->has_reader && !pipe->has_writer)
        free(pipe);
}

static const struct file_kind pipe_file = {
    .type = TYPE_PIPE,
    .read = pipe_read,
    .write = pipe_write,
    .close = pipe_close,
};

int pipe_create(struct file **reader, struct file **writer)
{
    struct pipe *pipe = calloc(1, sizeof *pipe);

    *reader = file_new(&pipe_file, OPEN_READ);
    *writer = file_new(&pipe_file, OPEN_WRITE);
    if (!pipe || !*reader || !*writer) {
        free(*writer);
        free(*reader);
        free(pipe);
        return E_NOMEM;
    }
    pipe->has_reader = pipe->has_writer = true;
    (*reader)->object = (*writer)->object = pipe;
    return 0;
}
