#include "file.h"

#include <string.h>

#include <pvguest/page.h>

#include "console.h"
#include "filesystem.h"
#include "heap.h"

struct file *file_new(const struct file_kind *kind, unsigned flags)
{
    struct file *file = calloc(1, sizeof *file);

    if (!file)
        return NULL;
    file->kind = kind;
    file->nr_users = 1;
    file->flags = flags;
    return file;
}

void file_drop(struct file *file)
{
    if (!file || --file->nr_users)
        return;
    if (file->kind->close)
        file->kind->close(file);
    free(file);
}

struct file *file_get(long descriptor)
{
    return descriptor >= 0 && descriptor < NR_FILES
               ? process_current()->files[descriptor]
               : NULL;
}

long file_install(struct file *file)
{
    struct file **files = process_current()->files;

    for (long i = 0; i < NR_FILES; i++) {
        if (files[i])
            continue;
        files[i] = file;
        return i;
    }
    return E_MFILE;
}

/* Files on the disk. */

static long disk_file_read(struct file *file, void *to, size_t len)
{
    long rc = fs_read(file->inode, to, file->offset, len);

    if (rc > 0)
        file->offset += (uint32_t)rc;
    return rc;
}

static long disk_file_write(struct file *file, const void *from, size_t len)
{
    struct teachos_stat stat;
    long rc;

    if (file->flags & OPEN_APPEND) {
        rc = fs_stat(file->inode, &stat);
        if (rc)
            return rc;
        file->offset = (uint32_t)stat.size;
    }
    rc = fs_write(file->inode, from, file->offset, len);
    if (rc > 0)
        file->offset += (uint32_t)rc;
    return rc;
}

static void disk_file_close(struct file *file)
{
    fs_drop(file->inode);
}

static const struct file_kind disk_file = {
    .type = TYPE_FILE,
    .whole = true,
    .read = disk_file_read,
    .write = disk_file_write,
    .close = disk_file_close,
};

static long find_or_create(const char *path, unsigned flags)
{
    const uint32_t folder = process_current()->folder;
    long inode = fs_find(folder, path);

    if (inode == E_NOENT && flags & OPEN_CREATE)
        inode = fs_create(folder, path, TYPE_FILE);
    return inode;
}

long file_open(const char *path, unsigned flags)
{
    long inode = find_or_create(path, flags), rc;
    struct teachos_stat stat;
    struct file *file;

    if (inode < 0)
        return inode;
    rc = fs_stat((uint32_t)inode, &stat);
    if (rc)
        return rc;
    if (stat.type == TYPE_FOLDER && flags & OPEN_WRITE)
        return E_ISDIR;
    if (flags & OPEN_TRUNCATE)
        rc = fs_truncate((uint32_t)inode);
    if (rc)
        return rc;
    file = file_new(&disk_file, flags);
    if (!file)
        return E_NOMEM;
    file->inode = (uint32_t)inode;
    fs_hold(file->inode);
    rc = file_install(file);
    if (rc < 0)
        file_drop(file);
    return rc;
}

/* All kinds. */

int file_open_console(struct file **files)
{
    struct file *file = file_new(&console_file, OPEN_READ | OPEN_WRITE);

    if (!file)
        return E_NOMEM;
    file->nr_users = 3;
    files[0] = files[1] = files[2] = file;
    return 0;
}

long file_close(long descriptor)
{
    struct file *file = file_get(descriptor);

    if (!file)
        return E_BADF;
    process_current()->files[descriptor] = NULL;
    file_drop(file);
    return 0;
}

long file_dup(long descriptor, long as)
{
    struct file *file = file_get(descriptor);

    if (!file || as < 0 || as >= NR_FILES)
        return E_BADF;
    file->nr_users++;
    file_close(as);
    process_current()->files[as] = file;
    return as;
}

long file_seek(long descriptor, uint64_t offset)
{
    struct file *file = file_get(descriptor);

    if (!file || file->kind != &disk_file)
        return E_BADF;
    if (offset > UINT32_MAX)
        return E_INVAL;
    file->offset = (uint32_t)offset;
    return (long)offset;
}

static size_t in_page(uint64_t va, size_t len)
{
    size_t room = PAGE_SIZE - (va & (PAGE_SIZE - 1));

    return len < room ? len : room;
}

/*
 * Page by page, straight into the program's memory. It has but one thread,
 * which is here: nobody takes a page away meanwhile.
 */
long file_read(struct file *file, uint64_t to, size_t len)
{
    struct space *space = &process_current()->space;
    long done = 0;

    while ((size_t)done < len) {
        size_t part = in_page(to, len - (size_t)done);
        void *page = space_reach(space, to, true);
        long rc = page ? file->kind->read(file, page, part) : E_FAULT;

        if (rc < 0)
            return done ? done : rc;
        done += rc;
        to += (uint64_t)rc;
        if ((size_t)rc < part || !file->kind->whole)
            break;
    }
    return done;
}

long file_write(struct file *file, uint64_t from, size_t len)
{
    struct space *space = &process_current()->space;
    long done = 0;

    while ((size_t)done < len) {
        size_t part = in_page(from, len - (size_t)done);
        const void *page = space_reach(space, from, false);
        long rc = page ? file->kind->write(file, page, part) : E_FAULT;

        if (rc < 0)
            return done ? done : rc;
        done += rc;
        from += (uint64_t)rc;
        if ((size_t)rc < part)
            break;
    }
    return done;
}

void file_share_all(struct file **to, struct file *const *from)
{
    for (unsigned i = 0; i < NR_FILES; i++) {
        to[i] = from[i];
        if (to[i])
            to[i]->nr_users++;
    }
}

void file_close_all(struct file **files)
{
    for (unsigned i = 0; i < NR_FILES; i++) {
        file_drop(files[i]);
        files[i] = NULL;
    }
}
