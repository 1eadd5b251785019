#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/options.h"
#include "host/domain.h"
#include "host/log.h"

#define DEFAULT_MEMORY (UINT64_C(16) << 20)
#define COMMAND        "run"

struct parser {
    struct domain_config *config;
    bool help;
};

static int set_engine(struct parser *p, const char *value)
{
    static const char *const known[] = {"auto", "process", "kvm"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(value, known[i]) != 0)
            continue;
        p->config->engine = known[i];
        return STATUS_OK;
    }
    return cli_bad_usage(COMMAND,
                         "there is no engine '%s': use auto, process "
                         "or kvm",
                         value);
}

static int set_abi(struct parser *p, const char *value)
{
    static const struct {
        const char *name;
        enum abi abi;
    } known[] = {{"auto", ABI_AUTO}, {"pv", ABI_PV}, {"pvh", ABI_PVH}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(value, known[i].name) != 0)
            continue;
        p->config->abi = known[i].abi;
        return STATUS_OK;
    }
    return cli_bad_usage(COMMAND, "there is no ABI '%s': use pv, pvh or auto",
                         value);
}

static int set_irqchip(struct parser *p, const char *value)
{
    p->config->kernel_irqchip = strcmp(value, "kernel") == 0;
    if (p->config->kernel_irqchip || strcmp(value, "none") == 0)
        return STATUS_OK;
    return cli_bad_usage(COMMAND,
                         "there is no irqchip '%s': use none or kernel", value);
}

static int set_short_paths(struct parser *p, const char *value)
{
    p->config->no_short_paths = strcmp(value, "off") == 0;
    if (p->config->no_short_paths || strcmp(value, "auto") == 0)
        return STATUS_OK;
    return cli_bad_usage(
        COMMAND, "there are no short paths '%s': use auto or off", value);
}

static int set_memory(struct parser *p, const char *value)
{
    if (memory_size_parse(value, &p->config->memory_bytes))
        return STATUS_BAD_USAGE;
    return STATUS_OK;
}

static int set_vcpus(struct parser *p, const char *value)
{
    unsigned long number;
    char *end;

    errno = 0;
    number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number == 0)
        return cli_bad_usage(COMMAND, "'%s' is not a number of vCPUs", value);
    if (number > DOMAIN_MAX_VCPUS)
        return cli_bad_usage(COMMAND,
                             "a guest can have %d vCPUs, not %s: give --vcpus "
                             "a smaller number",
                             DOMAIN_MAX_VCPUS, value);
    p->config->nr_vcpus = (unsigned)number;
    return STATUS_OK;
}

static int set_cpus(struct parser *p, const char *value)
{
    if (cpu_lists_parse(value, p->config) == 0)
        return STATUS_OK;
    return cli_bad_usage(COMMAND,
                         "'%s' does not say which host CPUs to use: write "
                         "--cpus 2, 0-3,^1 or, a list for each vCPU, 0:1",
                         value);
}

static int add_disk(struct parser *p, const char *value)
{
    struct domain_config *config = p->config;
    struct disk_config *disk = &config->disks[config->nr_disks];

    if (config->nr_disks == CONFIG_MAX_DISKS)
        return cli_bad_usage(COMMAND, "a guest can have %d disks, not more",
                             CONFIG_MAX_DISKS);
    if (disk_config_parse(value, disk))
        return STATUS_BAD_USAGE;
    config->nr_disks++;
    for (unsigned i = 0; i + 1 < config->nr_disks; i++)
        if (config->disks[i].virtual_device == disk->virtual_device)
            return cli_bad_usage(COMMAND,
                                 "two disks want to be %s: give each its own "
                                 "virtual device",
                                 disk->vdev);
    return STATUS_OK;
}

static int add_net(struct parser *p, const char *value)
{
    struct domain_config *config = p->config;
    struct net_config *net = &config->nets[config->nr_nets];

    if (config->nr_nets == CONFIG_MAX_NETS)
        return cli_bad_usage(COMMAND,
                             "a guest can have %d network devices, not more",
                             CONFIG_MAX_NETS);
    if (net_config_parse(value, net))
        return STATUS_BAD_USAGE;
    config->nr_nets++;
    for (unsigned i = 0; net->has_mac && i + 1 < config->nr_nets; i++)
        if (config->nets[i].has_mac &&
            !memcmp(config->nets[i].mac, net->mac, sizeof net->mac))
            return cli_bad_usage(COMMAND,
                                 "two network devices have the same MAC "
                                 "address in '%s': give each its own",
                                 value);
    return STATUS_OK;
}

static int set_name(struct parser *p, const char *value)
{
    struct domain_config *config = p->config;

    if (!*value || strlen(value) >= sizeof config->name || strchr(value, '/'))
        return cli_bad_usage(COMMAND,
                             "'%s' is not a name: use 1 to %zu characters "
                             "without a slash",
                             value, sizeof config->name - 1);
    snprintf(config->name, sizeof config->name, "%s", value);
    return STATUS_OK;
}

static const struct {
    const char *name;
    unsigned bits;
} trace_names[] = {
    {"hypercall", TRACE_HYPERCALL},
    {"event", TRACE_EVENT},
    {"xenstore", TRACE_XENSTORE},
    {"block", TRACE_BLOCK},
    {"net", TRACE_NET},
    {"all",
     TRACE_HYPERCALL | TRACE_EVENT | TRACE_XENSTORE | TRACE_BLOCK | TRACE_NET},
};

static unsigned find_trace(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof trace_names / sizeof *trace_names; i++)
        if (strlen(trace_names[i].name) == len &&
            !memcmp(trace_names[i].name, name, len))
            return trace_names[i].bits;
    return 0;
}

static int set_trace(struct parser *p, const char *value)
{
    const char *rest = value;

    do {
        size_t len = strcspn(rest, ",");
        unsigned bits = find_trace(rest, len);

        if (!bits)
            return cli_bad_usage(COMMAND,
                                 "'%.*s' cannot be traced: use hypercall, "
                                 "event, xenstore, block, net or all",
                                 (int)len, rest);
        p->config->trace |= bits;
        rest += len;
    } while (*rest++ == ',');
    return STATUS_OK;
}

static int set_verbose(struct parser *p, const char *value)
{
    (void)value;
    p->config->verbose = true;
    return STATUS_OK;
}

static int set_scatter(struct parser *p, const char *value)
{
    (void)value;
    p->config->scatter = true;
    return STATUS_OK;
}

static int set_help(struct parser *p, const char *value)
{
    (void)value;
    p->help = true;
    return STATUS_OK;
}

static int set_initrd(struct parser *p, const char *value)
{
    if (p->config->initrd)
        return cli_bad_usage(COMMAND,
                             "a guest can have one --initrd, not more");
    if (!*value)
        return cli_bad_usage(COMMAND, "--initrd needs the path of a file");
    p->config->initrd = value;
    return STATUS_OK;
}

static int set_control(struct parser *p, const char *value)
{
    if (!*value)
        return cli_bad_usage(COMMAND, "--control needs the path of a FIFO");
    p->config->control = value;
    return STATUS_OK;
}

static int set_on_reboot(struct parser *p, const char *value)
{
    p->config->restart = !strcmp(value, "restart");
    if (p->config->restart || !strcmp(value, "destroy"))
        return STATUS_OK;
    return cli_bad_usage(COMMAND,
                         "'%s' is nothing to do on a reboot: use restart or "
                         "destroy",
                         value);
}

/* The first argument that is no option is the image; the guest's own follow
 * behind "--", so that a mistyped option is not handed to the guest. */
static int set_image(struct parser *p, const char *value)
{
    if (p->config->image)
        return cli_bad_usage(COMMAND,
                             "'%s' is one argument too many: what is meant for "
                             "the guest goes behind '--'",
                             value);
    p->config->image = value;
    return STATUS_OK;
}

/* option.val: its place in setters[], moved out of the way of characters. */
#define LONG(index) (256 + (index))

static const struct option long_options[] = {
    {"engine", required_argument, NULL, LONG(0)},
    {"memory", required_argument, NULL, LONG(1)},
    {"vcpus", required_argument, NULL, LONG(2)},
    {"disk", required_argument, NULL, LONG(3)},
    {"net", required_argument, NULL, LONG(4)},
    {"name", required_argument, NULL, LONG(5)},
    {"trace", required_argument, NULL, LONG(6)},
    {"verbose", no_argument, NULL, LONG(7)},
    {"scatter-p2m", no_argument, NULL, LONG(8)},
    {"help", no_argument, NULL, LONG(9)},
    {"initrd", required_argument, NULL, LONG(10)},
    {"abi", required_argument, NULL, LONG(11)},
    {"kvm-irqchip", required_argument, NULL, LONG(12)},
    {"control", required_argument, NULL, LONG(13)},
    {"on-reboot", required_argument, NULL, LONG(14)},
    {"cpus", required_argument, NULL, LONG(15)},
    {"kvm-short-paths", required_argument, NULL, LONG(16)},
    {NULL, 0, NULL, 0},
};

static int (*const setters[])(struct parser *p, const char *value) = {
    set_engine, set_memory,      set_vcpus,   add_disk,    add_net,
    set_name,   set_trace,       set_verbose, set_scatter, set_help,
    set_initrd, set_abi,         set_irqchip, set_control, set_on_reboot,
    set_cpus,   set_short_paths,
};

static int set_option(struct parser *p, int result, char **argv)
{
    switch (result) {
    case 1:
        return set_image(p, optarg);
    case 'v':
        return set_verbose(p, NULL);
    case 'h':
        return set_help(p, NULL);
    case '?':
    case ':':
        return cli_bad_option(COMMAND, result, argv);
    default:
        return setters[result - LONG(0)](p, optarg);
    }
}

static int join_args(struct parser *p, int argc, char **argv)
{
    char *cmdline = p->config->cmdline;
    size_t size = sizeof p->config->cmdline, len = 0;

    for (int i = 0; i < argc; i++) {
        size_t more = strlen(argv[i]) + (i > 0);

        if (more >= size - len)
            return cli_bad_usage(COMMAND,
                                 "the guest's arguments are too long: at most "
                                 "%zu characters fit",
                                 size - 1);
        snprintf(cmdline + len, size - len, "%s%s", i > 0 ? " " : "", argv[i]);
        len += more;
    }
    return STATUS_OK;
}

/* After its image, as much as fits. */
static void default_name(struct domain_config *config)
{
    const char *slash = strrchr(config->image, '/');

    if (!*config->name)
        snprintf(config->name, sizeof config->name, "%.*s",
                 (int)sizeof config->name - 1,
                 slash ? slash + 1 : config->image);
}

static int finish(struct parser *p, int argc, char **argv)
{
    int status;

    if (!p->config->image && argc > 0) {
        p->config->image = argv[0]; /* behind "--" */
        argc--;
        argv++;
    }
    if (!p->config->image || !*p->config->image)
        return cli_bad_usage(COMMAND, "an image to run is missing");
    status = join_args(p, argc, argv);
    if (status == STATUS_OK)
        default_name(p->config);
    return status;
}

int options_parse_run(int argc, char **argv, struct domain_config *config,
                      bool *help)
{
    struct parser parser = {.config = config};
    int result, status = STATUS_OK;

    *config = (struct domain_config){
        .engine = "auto",
        .abi = ABI_AUTO,
        .memory_bytes = DEFAULT_MEMORY,
        .nr_vcpus = 1,
    };
    optind = 0; /* glibc: start again */
    opterr = 0;
    while (status == STATUS_OK && !parser.help &&
           (result = getopt_long(argc, argv, "-:vh", long_options, NULL)) != -1)
        status = set_option(&parser, result, argv);
    *help = parser.help;
    if (status == STATUS_OK && !parser.help)
        status = finish(&parser, argc - optind, argv + optind);
    return status;
}

void options_destroy(struct domain_config *config)
{
    for (unsigned i = 0; i < config->nr_disks; i++)
        disk_config_destroy(&config->disks[i]);
    config->nr_disks = 0;
    for (unsigned i = 0; i < config->nr_nets; i++)
        net_config_destroy(&config->nets[i]);
    config->nr_nets = 0;
}
