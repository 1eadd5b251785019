/*
 * httpd/archive.c: tar, as POSIX and GNU write it: a header of 512 bytes before
 * each file; names that do not fit there come in records of their own. The
 * disk is read as the archive has it, nothing is unpacked.
 */
#include "archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/block.h>
#include <pvguest/page.h>

#define BUFFER_PAGES 32
#define BUFFER_BYTES ((size_t)BUFFER_PAGES * 4096)
#define NAME_MAX     4096

/* ustar (POSIX.1-1988) */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
    char type, linkname[100], magic[6], version[2], owner[32], group[32];
    char device[16], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK_SECTOR, "a header is a sector");

static struct block *disk;
static struct block_info info;
static char *buffer; /* what the disk reads into */
static struct file *files;
static size_t nr_files;
static uint64_t nr_reads;

/* What a record before it said of the file that comes next. */
static struct {
    char name[NAME_MAX];
    uint64_t size;
    bool has_size;
} next_is;

static bool read_disk(uint64_t at, char *bytes, size_t len)
{
    const uint64_t unit = info.sector_size;

    while (len > 0) {
        const uint64_t start = at / unit * unit;
        const size_t skip = (size_t)(at - start);
        size_t some = len < BUFFER_BYTES - unit ? len : BUFFER_BYTES - unit;
        const size_t whole = (skip + some + unit - 1) / unit * unit;

        nr_reads++;
        if (block_read(disk, start / BLOCK_SECTOR, buffer,
                       (uint32_t)(whole / BLOCK_SECTOR)))
            return false;
        memcpy(bytes, buffer + skip, some);
        bytes += some;
        at += some;
        len -= some;
    }
    return true;
}

/* Octal, or as GNU writes what is too large for that: binary. */
static uint64_t number(const char *field, size_t len)
{
    uint64_t value = 0;

    if (field[0] & 0x80) {
        for (size_t i = len - 8; i < len; i++)
            value = value << 8 | (uint8_t)field[i];
        return value;
    }
    for (size_t i = 0; i < len && field[i]; i++)
        if (field[i] >= '0' && field[i] <= '7')
            value = value << 3 | (uint64_t)(field[i] - '0');
    return value;
}

static bool is_header(const struct header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof *header; i++)
        sum += i - offsetof(struct header, checksum) < sizeof header->checksum
                   ? ' '
                   : bytes[i];
    return sum == number(header->checksum, sizeof header->checksum);
}

/* "13 path=a/b\n", and more like it. (POSIX.1-2001) */
static void take_records(char *text, size_t len)
{
    while (len > 0) {
        char *word, *value, *end;
        const size_t all = strtoul(text, &word, 10);

        if (all < 5 || all > len || *word != ' ')
            return;
        end = text + all - 1;
        value = memchr(word, '=', (size_t)(end - word));
        if (!value)
            return;
        *value++ = '\0';
        *end = '\0';
        if (!strcmp(word, " path")) {
            snprintf(next_is.name, sizeof next_is.name, "%s", value);
        } else if (!strcmp(word, " size")) {
            next_is.size = strtoull(value, NULL, 10);
            next_is.has_size = true;
        }
        text += all;
        len -= all;
    }
}

static bool take_extension(char type, uint64_t at, uint64_t size)
{
    char text[NAME_MAX];

    if (size >= sizeof text || !read_disk(at, text, (size_t)size))
        return false;
    text[size] = '\0';
    if (type == 'L')
        snprintf(next_is.name, sizeof next_is.name, "%s", text);
    else
        take_records(text, (size_t)size);
    return true;
}

static void name_from(const struct header *header)
{
    if (*next_is.name)
        return;
    if (!memcmp(header->magic, "ustar", 6) && *header->prefix)
        snprintf(next_is.name, sizeof next_is.name, "%.155s/%.100s",
                 header->prefix, header->name);
    else
        snprintf(next_is.name, sizeof next_is.name, "%.100s", header->name);
}

static bool add_file(const struct header *header, uint64_t at, uint64_t size)
{
    struct file *more = files;
    const char *name = next_is.name;

    if ((nr_files & (nr_files - 1)) == 0)
        more = realloc(files, (nr_files ? nr_files * 2 : 1) * sizeof *files);
    if (!more)
        return false;
    files = more;
    while (!strncmp(name, "./", 2) || *name == '/')
        name += *name == '/' ? 1 : 2;
    files[nr_files] = (struct file){
        .name = strdup(name),
        .at = at,
        .size = size,
        .modified = number(header->mtime, sizeof header->mtime),
    };
    return files[nr_files++].name != NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name,
                  ((const struct file *)b)->name);
}

/* One header and what belongs to it: the sectors it takes, 0 at the end. */
static uint64_t take_entry(uint64_t at)
{
    const uint64_t end = info.nr_sectors * BLOCK_SECTOR;
    struct header header;
    uint64_t size;
    bool fine = true;

    if (at + sizeof header > end ||
        !read_disk(at, (char *)&header, sizeof header) || !is_header(&header))
        return 0;
    at += sizeof header;
    size = number(header.size, sizeof header.size);
    if (header.type != 'L' && header.type != 'x' && header.type != 'g' &&
        next_is.has_size)
        size = next_is.size;
    if (size > end - at)
        return 0;
    if (header.type == 'L' || header.type == 'x') {
        fine = take_extension(header.type, at, size);
    } else {
        name_from(&header);
        if (header.type == '0' || header.type == '\0' || header.type == '7')
            fine = add_file(&header, at, size);
        *next_is.name = '\0';
        next_is.has_size = false;
    }
    return fine ? 1 + (size + BLOCK_SECTOR - 1) / BLOCK_SECTOR : 0;
}

long archive_open(void)
{
    uint64_t at = 0, sectors;

    disk = block_open(0);
    if (!disk)
        return 0;
    block_get_info(disk, &info);
    buffer = page_alloc(BUFFER_PAGES);
    if (!buffer || info.sector_size > BUFFER_BYTES / 2) {
        fputs("httpd: there is too little memory for the disk\n", stderr);
        return -1;
    }
    while ((sectors = take_entry(at)) > 0)
        at += sectors * BLOCK_SECTOR;
    if (at == 0) {
        fputs("httpd: the disk is no tar archive: make one with "
              "'tar -cf site.tar -C FOLDER .'\n",
              stderr);
        return -1;
    }
    if (nr_files)
        qsort(files, nr_files, sizeof *files, by_name);
    return (long)nr_files;
}

const struct file *archive_find(const char *name)
{
    const struct file wanted = {.name = (char *)(uintptr_t)name};

    return nr_files ? bsearch(&wanted, files, nr_files, sizeof *files, by_name)
                    : NULL;
}

bool archive_has_folder(const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < nr_files; i++)
        if (!strncmp(files[i].name, name, len) && files[i].name[len] == '/')
            return true;
    return false;
}

bool archive_read(const struct file *file, uint64_t at, char *bytes, size_t len)
{
    return read_disk(file->at + at, bytes, len);
}

uint64_t archive_nr_reads(void)
{
    return nr_reads;
}

unsigned archive_nr_pending(void)
{
    return disk ? block_nr_pending(disk) : 0;
}
