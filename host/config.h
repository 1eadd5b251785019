/*
 * host/config.h: what the command line asked for, parsed and checked: the
 * domain is built from this and nothing else.
 */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MAX_DISKS     16
#define CONFIG_MAX_NETS      8
#define CONFIG_MAX_FORWARDS  16
#define CONFIG_MAX_CPUS      1024
#define CONFIG_MAX_CPU_LISTS 32
#define CONFIG_NAME_MAX      64

/* One --disk, in xl's syntax. */
struct disk_config {
    char *target;            /* path of a raw file or block device */
    char vdev[16];           /* xvda, sda1, hda... */
    uint32_t virtual_device; /* the number of vdev, xen/io/blkif.h */
    bool readonly;
    bool cdrom;
    bool removable;
    bool discard;
    bool direct_io_safe;
};

/* How a guest is started and served. */
enum abi {
    ABI_PV,   /* in ring 3, its page tables checked */
    ABI_PVH,  /* in ring 0 of a virtual machine */
    ABI_AUTO, /* not decided yet */
};

enum net_kind {
    NET_USER,    /* passt */
    NET_TAP,     /* a tap device of the host */
    NET_CONNECT, /* a stream socket somebody listens on */
    NET_LISTEN,  /* a stream socket somebody will connect to */
};

/* A port of the host that leads to one of the guest; with NET_USER. */
struct net_forward {
    bool udp;
    char address[46]; /* of the host; empty: all */
    uint16_t host_port, guest_port;
};

/* One --net, in xl's syntax for a vif. */
struct net_config {
    enum net_kind kind;
    bool has_mac;
    uint8_t mac[6];
    char vifname[16]; /* of the tap device; empty: the kernel finds one */
    char bridge[16];  /* empty: none */
    char *socket;     /* path */
    char ip[64];      /* told to the guest's tools; empty: nothing */
    unsigned mtu;     /* bytes; 0: 1500, and a tap device as it is */
    /* What the guest may send: so many bytes in so many us; 0: all. */
    uint64_t rate_bytes;
    uint32_t rate_us;
    struct net_forward forwards[CONFIG_MAX_FORWARDS];
    unsigned nr_forwards;
};

enum trace_what {
    TRACE_HYPERCALL = 1 << 0,
    TRACE_EVENT = 1 << 1,
    TRACE_XENSTORE = 1 << 2,
    TRACE_BLOCK = 1 << 3,
    TRACE_NET = 1 << 4,
};

/* Host CPUs, as sched_setaffinity(2) takes them. */
struct cpu_list {
    unsigned long bits[CONFIG_MAX_CPUS / 64];
};

struct domain_config {
    const char *image;  /* path */
    const char *initrd; /* path, or NULL */
    const char *engine; /* auto, process, kvm */
    enum abi abi;
    bool kernel_irqchip; /* a PVH guest's APIC is KVM's: for tests */
    bool no_short_paths; /* of the kvm engine's stub: for tests */
    char name[CONFIG_NAME_MAX];
    char cmdline[1024]; /* ARGS joined by blanks */
    uint64_t memory_bytes;
    unsigned nr_vcpus;
    struct cpu_list cpu_lists[CONFIG_MAX_CPU_LISTS]; /* the last: and others */
    unsigned nr_cpu_lists;                           /* 0: any CPU */
    struct disk_config disks[CONFIG_MAX_DISKS];
    unsigned nr_disks;
    struct net_config nets[CONFIG_MAX_NETS];
    unsigned nr_nets;
    unsigned trace;      /* enum trace_what */
    const char *control; /* path of a FIFO for the user's words, or NULL */
    bool restart;        /* after a reboot */
    bool verbose;
    bool scatter; /* --scatter-p2m: the test option */
};

/*
 * Parse xl's disk SPEC: 0, or -EINVAL or -ENOMEM with a sentence logged. The
 * caller destroys what was parsed.
 */
int disk_config_parse(const char *spec, struct disk_config *disk);
void disk_config_destroy(struct disk_config *disk);

/*
 * Parse xl's vif SPEC: 0, or -EINVAL or -ENOMEM with a sentence logged. The
 * caller destroys what was parsed.
 */
int net_config_parse(const char *spec, struct net_config *net);
void net_config_destroy(struct net_config *net);

/*
 * The address of network device (index) of the domain called (name): always
 * the same, from Xen's range 00:16:3e.
 */
void net_stable_mac(const char *name, unsigned index, uint8_t mac[6]);

/* "xvda" -> 51712. 0 or -EINVAL. */
int vdev_parse(const char *vdev, uint32_t *virtual_device);

/* Parse --cpus, which says what is wrong: 0 or -EINVAL. */
int cpu_lists_parse(const char *text, struct domain_config *config);

/*
 * "64M", "1G", "8192K"; a plain number counts MiB, as xl's does. Whole pages,
 * not none. 0, or -EINVAL with a sentence logged.
 */
int memory_size_parse(const char *text, uint64_t *bytes);

#endif
