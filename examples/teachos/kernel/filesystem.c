/*
 * kernel/filesystem.c: folders and paths; files as a whole.
 */
#include "filesystem.h"

#include <string.h>

#include <pvguest/guest.h>

#include "disk.h"
#include "inode.h"

static uint16_t nr_open[INODES_MAX];

bool fs_mount(void)
{
    struct disk_inode root;
    uint32_t nr_blocks = disk_init();

    if (!nr_blocks) {
        guest_print("teachos: there is neither a disk nor a module: give the "
                    "kernel teachos.img as one of them\n");
        return false;
    }
    if (inode_mount(nr_blocks) || inode_load(ROOT_INODE, &root))
        return false;
    if (root.type != TYPE_FOLDER)
        guest_print("teachos: the disk is broken: its root is no folder\n");
    return root.type == TYPE_FOLDER;
}

/*
 * Look for (name) in (folder), or, if it is NULL, for a free place: the offset
 * of the entry, which is in (*entry), or E_NOENT.
 */
static long find_entry(const struct disk_inode *folder, const char *name,
                       struct disk_entry *entry)
{
    for (uint32_t at = 0; at + sizeof *entry <= folder->size;
         at += sizeof *entry) {
        long rc = inode_read(folder, entry, at, sizeof *entry);

        if (rc < 0)
            return rc;
        entry->name[NAME_SIZE - 1] = '\0';
        if (name ? entry->inode && strcmp(entry->name, name) == 0
                 : !entry->inode)
            return at;
    }
    return E_NOENT;
}

/* The next name of a path into (name); where it goes on, or NULL: too long. */
static const char *next_name(const char *path, char name[NAME_SIZE])
{
    size_t len = 0;

    while (*path == '/')
        path++;
    for (; *path && *path != '/'; path++) {
        if (len == NAME_SIZE - 1)
            return NULL;
        name[len++] = *path;
    }
    name[len] = '\0';
    while (*path == '/')
        path++;
    return path;
}

/*
 * Follow (path) to the folder that its last name is in: the folder's inode,
 * and the name in (name), empty if the path is / alone.
 */
static long walk_to_last(uint32_t from, const char *path, char name[NAME_SIZE])
{
    uint32_t at = *path == '/' ? ROOT_INODE : from;

    for (;;) {
        struct disk_inode folder;
        struct disk_entry entry;
        long rc;

        path = next_name(path, name);
        if (!path)
            return E_NOENT;
        rc = inode_load(at, &folder);
        if (rc)
            return rc;
        if (folder.type != TYPE_FOLDER)
            return E_NOTDIR;
        if (!*path)
            return at;
        rc = find_entry(&folder, name, &entry);
        if (rc < 0)
            return rc;
        at = entry.inode;
    }
}

static long find_locked(uint32_t from, const char *path)
{
    char name[NAME_SIZE];
    struct disk_inode folder;
    struct disk_entry entry;
    long parent = walk_to_last(from, path, name), rc;

    if (parent < 0 || !name[0])
        return parent;
    rc = inode_load((uint32_t)parent, &folder);
    if (rc)
        return rc;
    rc = find_entry(&folder, name, &entry);
    if (rc < 0)
        return rc;
    return entry.inode < inode_count() ? (long)entry.inode : E_IO;
}

long fs_find(uint32_t from, const char *path)
{
    long found;

    lock_take(&fs_lock);
    found = find_locked(from, path);
    lock_release(&fs_lock);
    return found;
}

int fs_stat(uint32_t inode, struct teachos_stat *stat)
{
    struct disk_inode found;
    int rc;

    lock_take(&fs_lock);
    rc = inode_load(inode, &found);
    lock_release(&fs_lock);
    if (!rc)
        *stat = (struct teachos_stat){inode, found.type, found.size};
    return rc;
}

/* Put (name) into folder (number). */
static int add_entry(uint32_t number, const char *name, uint32_t inode)
{
    struct disk_inode folder;
    struct disk_entry entry;
    long at, rc = inode_load(number, &folder);

    if (rc)
        return (int)rc;
    at = find_entry(&folder, NULL, &entry);
    if (at == E_NOENT)
        at = folder.size;
    if (at < 0)
        return (int)at;
    entry = (struct disk_entry){.inode = inode};
    memcpy(entry.name, name, strlen(name));
    rc = inode_write(number, &folder, &entry, (uint32_t)at, sizeof entry);
    return rc < 0 ? (int)rc : 0;
}

static long create_locked(uint32_t from, const char *path, uint32_t type)
{
    struct disk_inode inode = {.type = type};
    char name[NAME_SIZE];
    long parent, number, rc;

    parent = walk_to_last(from, path, name);
    if (parent < 0)
        return parent;
    rc = find_locked(from, path);
    if (rc != E_NOENT)
        return rc < 0 ? rc : E_EXIST;
    number = inode_find_free();
    if (number < 0)
        return number;
    rc = inode_store((uint32_t)number, &inode);
    if (!rc && type == TYPE_FOLDER)
        rc = add_entry((uint32_t)number, ".", (uint32_t)number);
    if (!rc && type == TYPE_FOLDER)
        rc = add_entry((uint32_t)number, "..", (uint32_t)parent);
    if (!rc)
        rc = add_entry((uint32_t)parent, name, (uint32_t)number);
    if (!rc)
        return number;
    if (inode_load((uint32_t)number, &inode) == 0)
        inode_free_blocks(&inode);
    inode.type = TYPE_FREE;
    inode_store((uint32_t)number, &inode);
    return rc;
}

long fs_create(uint32_t from, const char *path, uint32_t type)
{
    long inode;

    if (disk_is_readonly())
        return E_ROFS;
    lock_take(&fs_lock);
    inode = create_locked(from, path, type);
    lock_release(&fs_lock);
    return inode;
}

/* Nothing in it but itself and its parent? */
static bool is_empty(const struct disk_inode *folder)
{
    struct disk_entry entry;

    for (uint32_t at = 2 * sizeof entry; at < folder->size; at += sizeof entry)
        if (inode_read(folder, &entry, at, sizeof entry) < 0 || entry.inode)
            return false;
    return true;
}

static int remove_locked(uint32_t from, const char *path)
{
    const struct disk_entry nobody = {0};
    struct disk_inode folder, inode;
    struct disk_entry entry;
    char name[NAME_SIZE];
    long parent = walk_to_last(from, path, name), at;

    if (parent < 0)
        return (int)parent;
    if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return E_INVAL;
    if (inode_load((uint32_t)parent, &folder))
        return E_IO;
    at = find_entry(&folder, name, &entry);
    if (at < 0)
        return (int)at;
    if (inode_load(entry.inode, &inode))
        return E_IO;
    if (nr_open[entry.inode])
        return E_BUSY;
    if (inode.type == TYPE_FOLDER && !is_empty(&inode))
        return E_NOTEMPTY;
    if (inode_write((uint32_t)parent, &folder, &nobody, (uint32_t)at,
                    sizeof nobody) < 0)
        return E_IO;
    if (inode_free_blocks(&inode))
        return E_IO;
    inode.type = TYPE_FREE;
    return inode_store(entry.inode, &inode);
}

int fs_remove(uint32_t from, const char *path)
{
    int rc;

    if (disk_is_readonly())
        return E_ROFS;
    lock_take(&fs_lock);
    rc = remove_locked(from, path);
    lock_release(&fs_lock);
    return rc;
}

void fs_hold(uint32_t inode)
{
    nr_open[inode]++;
}

void fs_drop(uint32_t inode)
{
    nr_open[inode]--;
}

int fs_truncate(uint32_t number)
{
    struct disk_inode inode;
    int rc;

    if (disk_is_readonly())
        return E_ROFS;
    lock_take(&fs_lock);
    rc = inode_load(number, &inode);
    if (!rc)
        rc = inode_free_blocks(&inode);
    if (!rc)
        rc = inode_store(number, &inode);
    lock_release(&fs_lock);
    return rc;
}

long fs_read(uint32_t number, void *to, uint32_t offset, size_t len)
{
    struct disk_inode inode;
    long rc;

    lock_take(&fs_lock);
    rc = inode_load(number, &inode);
    if (!rc)
        rc = inode_read(&inode, to, offset, len);
    lock_release(&fs_lock);
    return rc;
}

long fs_write(uint32_t number, const void *from, uint32_t offset, size_t len)
{
    struct disk_inode inode;
    long rc;

    if (disk_is_readonly())
        return E_ROFS;
    lock_take(&fs_lock);
    rc = inode_load(number, &inode);
    if (!rc)
        rc = inode_write(number, &inode, from, offset, len);
    lock_release(&fs_lock);
    return rc;
}
