/*
 * --cpus LIST: which host CPUs a guest's vCPUs may run on, as xl's `cpus` has
 * them: "2", "0-3,5", "0-7,^1", "all"; several lists, one for each vCPU, are
 * separated by colons.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/config.h"

#define BITS 64

static void set(struct cpu_list *list, unsigned cpu, bool value)
{
    const unsigned long bit = 1ul << cpu % BITS;

    if (value)
        list->bits[cpu / BITS] |= bit;
    else
        list->bits[cpu / BITS] &= ~bit;
}

/* A number below CONFIG_MAX_CPUS; false if there is none at (*text). */
static bool take_number(const char **text, unsigned *number)
{
    unsigned long value;
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    value = strtoul(*text, &end, 10);
    if (errno || value >= CONFIG_MAX_CPUS)
        return false;
    *text = end;
    *number = (unsigned)value;
    return true;
}

/* One of "N", "N-M", "^N", "^N-M", "all". */
static bool take_part(const char **text, struct cpu_list *list)
{
    unsigned first = 0, last = CONFIG_MAX_CPUS - 1;
    const bool wanted = **text != '^';

    if (!wanted)
        (*text)++;
    if (strncmp(*text, "all", 3) == 0) {
        *text += 3;
    } else if (!take_number(text, &first)) {
        return false;
    } else if (**text == '-') {
        (*text)++;
        if (!take_number(text, &last) || last < first)
            return false;
    } else {
        last = first;
    }
    for (unsigned cpu = first; cpu <= last; cpu++)
        set(list, cpu, wanted);
    return true;
}

static bool is_empty(const struct cpu_list *list)
{
    for (size_t i = 0; i < sizeof list->bits / sizeof *list->bits; i++)
        if (list->bits[i])
            return false;
    return true;
}

/* Up to a colon, or the end. */
static bool take_list(const char **text, struct cpu_list *list)
{
    *list = (struct cpu_list){0};
    do {
        if (!take_part(text, list))
            return false;
    } while (**text == ',' && (*text)++);
    return !is_empty(list) && (**text == ':' || !**text);
}

int cpu_lists_parse(const char *text, struct domain_config *config)
{
    const char *at = text;

    config->nr_cpu_lists = 0;
    do {
        if (config->nr_cpu_lists < CONFIG_MAX_CPU_LISTS &&
            take_list(&at, &config->cpu_lists[config->nr_cpu_lists++]))
            continue;
        return -EINVAL;
    } while (*at == ':' && at++);
    return 0;
}
