/*
 * xl's disk SPEC: comma-separated parameters, each either key=value, a bare
 * flag, or one of the positional four: target, format, vdev, access.
 * (xl-disk-configuration(5))
 */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/spec.h"
#include "host/config.h"

struct parser {
    struct spec spec;
    struct disk_config *disk;
    unsigned seen; /* 1 << index in keys[] */
    bool access_given;
};

static int set_target(struct parser *p, const char *value)
{
    if (!*value)
        return spec_refuse(&p->spec,
                           "the target is empty: name a raw file or a block "
                           "device");
    p->disk->target = strdup(value);
    if (!p->disk->target)
        return spec_no_memory(&p->spec);
    return 0;
}

static int set_format(struct parser *p, const char *value)
{
    if (strcmp(value, "raw") != 0)
        return spec_refuse(
            &p->spec,
            "the format '%.32s' is not supported: convert the image "
            "(qemu-img convert -O raw) and say raw",
            value);
    return 0;
}

static int set_vdev(struct parser *p, const char *value)
{
    if (strlen(value) >= sizeof p->disk->vdev ||
        vdev_parse(value, &p->disk->virtual_device))
        return spec_refuse(
            &p->spec,
            "there is no virtual device '%.32s': use xvda, xvdb, "
            "sda1, hda...",
            value);
    snprintf(p->disk->vdev, sizeof p->disk->vdev, "%s", value);
    return 0;
}

static int set_access(struct parser *p, const char *value)
{
    if (!strcmp(value, "r") || !strcmp(value, "ro"))
        p->disk->readonly = true;
    else if (!strcmp(value, "w") || !strcmp(value, "rw"))
        p->disk->readonly = false;
    else
        return spec_refuse(&p->spec,
                           "the access '%.32s' is unknown: say r, ro, w or rw",
                           value);
    p->access_given = true;
    return 0;
}

static int set_devtype(struct parser *p, const char *value)
{
    if (!strcmp(value, "cdrom"))
        p->disk->cdrom = true;
    else if (strcmp(value, "disk") != 0)
        return spec_refuse(&p->spec,
                           "the devtype '%.32s' is unknown: say disk or cdrom",
                           value);
    return 0;
}

static int set_backend(struct parser *p, const char *value)
{
    return spec_check_backend(&p->spec, value, "disks");
}

static int refuse_script(struct parser *p, const char *value)
{
    return spec_refuse(
        &p->spec,
        "the script '%.64s' will not be run: name a raw file or a "
        "block device",
        value);
}

static int refuse_backendtype(struct parser *p, const char *value)
{
    return spec_refuse(
        &p->spec,
        "the backendtype '%.32s' cannot be chosen: paravane serves "
        "disks itself",
        value);
}

static const struct {
    const char *name;
    int (*set)(struct parser *p, const char *value);
} keys[] = {
    /* the positional ones first, in their order */
    {"target", set_target},
    {"format", set_format},
    {"vdev", set_vdev},
    {"access", set_access},
    {"devtype", set_devtype},
    {"backend", set_backend},
    {"backenddomain", set_backend},
    {"script", refuse_script},
    {"backendtype", refuse_backendtype},
};

#define NR_KEYS       (sizeof keys / sizeof *keys)
#define NR_POSITIONAL 4
#define KEY_TARGET    0
#define KEY_VDEV      2

static int set_key(struct parser *p, size_t key, const char *value)
{
    if (p->seen & 1u << key)
        return spec_refuse(&p->spec, "%s is given twice: leave one away",
                           keys[key].name);
    p->seen |= 1u << key;
    return keys[key].set(p, value);
}

static int set_by_name(struct parser *p, const char *name, const char *value)
{
    for (size_t key = 0; key < NR_KEYS; key++)
        if (!strcmp(name, keys[key].name))
            return set_key(p, key, value);
    return spec_refuse(&p->spec,
                       "the key '%.32s' is unknown: use target, format, vdev, "
                       "access, devtype, backend",
                       name);
}

static const struct {
    const char *name;
    size_t field; /* of struct disk_config, a bool */
    bool value;
} flags[] = {
    {"cdrom", offsetof(struct disk_config, cdrom), true},
    {"discard", offsetof(struct disk_config, discard), true},
    {"no-discard", offsetof(struct disk_config, discard), false},
    {"direct-io-safe", offsetof(struct disk_config, direct_io_safe), true},
    {"removable", offsetof(struct disk_config, removable), true},
};

#define NR_FLAGS (sizeof flags / sizeof *flags)

/* The flag that (word) is up to (len); NR_FLAGS if it is none. */
static size_t find_flag(const char *word, size_t len)
{
    size_t i = 0;

    while (i < NR_FLAGS && (strlen(flags[i].name) != len ||
                            strncmp(word, flags[i].name, len) != 0))
        i++;
    return i;
}

/* Is (word), up to (len), a parameter that says its own name? */
static bool names_itself(const char *word, size_t len)
{
    for (size_t key = 0; key < NR_KEYS; key++) {
        const size_t name = strlen(keys[key].name);

        if (len > name && word[name] == '=' &&
            !strncmp(word, keys[key].name, name))
            return true;
    }
    return find_flag(word, len) < NR_FLAGS;
}

/* Is all of (rest) made of parameters that say their names? */
static bool only_named(const char *rest)
{
    for (;;) {
        const size_t len = strcspn(rest, ",");

        if (!names_itself(rest, len))
            return false;
        if (!rest[len])
            return true;
        rest += len + 1;
    }
}

/*
 * A target given by name may have commas, as xl allows when it comes last. It
 * need not come last here: it ends where only named parameters follow.
 * Returns those, or NULL.
 */
static char *cut_target(char *target)
{
    for (char *comma = strchr(target, ','); comma;
         comma = strchr(comma + 1, ',')) {
        if (!only_named(comma + 1))
            continue;
        *comma = '\0';
        return comma + 1;
    }
    return NULL;
}

/* An empty positional parameter means its default. */
static int set_positional(struct parser *p, size_t *position, const char *word)
{
    while (*position < NR_POSITIONAL && (p->seen & 1u << *position))
        ++*position;
    if (*position == NR_POSITIONAL)
        return spec_refuse(&p->spec, "'%.32s' is one parameter too many", word);
    return *word ? set_key(p, (*position)++, word) : (++*position, 0);
}

static int parse_word(struct parser *p, size_t *position, char *word)
{
    char *value = strchr(word, '=');
    size_t flag;

    if (value) {
        *value = '\0';
        return set_by_name(p, word, value + 1);
    }
    flag = find_flag(word, strlen(word));
    if (flag < NR_FLAGS) {
        memcpy((char *)p->disk + flags[flag].field, &flags[flag].value,
               sizeof flags[flag].value);
        return 0;
    }
    return set_positional(p, position, word);
}

static int parse_words(struct parser *p, char *rest)
{
    size_t position = 0;

    while (rest) {
        char *word;
        int rc;

        while (isspace((unsigned char)*rest))
            rest++;
        if (!strncmp(rest, "target=", strlen("target="))) {
            word = rest + strlen("target=");
            rest = cut_target(word);
            rc = set_key(p, KEY_TARGET, word);
            if (rc)
                return rc;
            continue;
        }
        word = strsep(&rest, ",");
        if (!rest && !*word && position > 0)
            return 0; /* a comma at the end */
        rc = parse_word(p, &position, word);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_complete(struct parser *p)
{
    if (!p->disk->target)
        return spec_refuse(&p->spec,
                           "the target is missing: name a raw file or a block "
                           "device first, as in disk.img,raw,xvda,rw");
    if (!(p->seen & 1u << KEY_VDEV))
        return spec_refuse(
            &p->spec, "the virtual device is missing: name it third, as in "
                      "disk.img,raw,xvda,rw");
    if (p->disk->cdrom && !p->access_given)
        p->disk->readonly = true;
    if (p->disk->cdrom && !p->disk->readonly)
        return spec_refuse(&p->spec,
                           "a CD-ROM cannot be written: say access=ro");
    return 0;
}

int disk_config_parse(const char *spec, struct disk_config *disk)
{
    struct parser parser = {.spec = {"disk", spec}, .disk = disk};
    char *words = strdup(spec);
    int rc;

    /* xl's default is to discard where the file can */
    *disk = (struct disk_config){.discard = true};
    if (!words)
        return spec_no_memory(&parser.spec);
    rc = parse_words(&parser, words);
    free(words);
    if (!rc)
        rc = check_complete(&parser);
    if (rc)
        disk_config_destroy(disk);
    return rc;
}

void disk_config_destroy(struct disk_config *disk)
{
    free(disk->target);
    *disk = (struct disk_config){0};
}
