/* ls [-l] [PATH...]: what is in folders. */
#include "lib/lib.h"

#include <teachos/disk.h>

static bool long_form;

static void show(const char *folder, const char *name)
{
    char path[PATH_SIZE + NAME_SIZE];
    size_t len = strlen(folder);
    struct teachos_stat about = {0};

    memcpy(path, folder, len);
    path[len++] = '/';
    memcpy(path + len, name, strlen(name) + 1);
    if (long_form && stat(path, &about) == 0)
        printf("%c %3u %8lu ", about.type == TYPE_FOLDER ? 'd' : '-',
               about.inode, about.size);
    printf("%s\n", name);
}

static int list(const char *path)
{
    struct teachos_stat about;
    struct disk_entry entry;
    long fd = open(path, OPEN_READ), n = 0;

    if (fd < 0)
        return complain("ls", path, fd);
    stat(path, &about);
    if (about.type != TYPE_FOLDER)
        show(".", path);
    while (about.type == TYPE_FOLDER &&
           (n = read(fd, &entry, sizeof entry)) == sizeof entry) {
        entry.name[NAME_SIZE - 1] = '\0';
        if (entry.inode && entry.name[0] != '.')
            show(path, entry.name);
    }
    close(fd);
    return n < 0 ? complain("ls", path, n) : 0;
}

int main(int argc, char **argv)
{
    int at = 1, status = 0;

    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        long_form = true;
        at++;
    }
    if (at == argc)
        return list(".");
    for (; at < argc; at++) {
        if (strlen(argv[at]) >= PATH_SIZE)
            status |= complain("ls", argv[at], E_NOENT);
        else
            status |= list(argv[at]);
    }
    return status;
}
