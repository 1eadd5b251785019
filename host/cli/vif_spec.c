/*
 * xl's vif SPEC: comma-separated parameters, each key=value, or the bare word
 * "user". (xl-network-configuration(5)) What a network of Xen's would be made
 * by scripts is named directly here: a tap device, a socket, or passt.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/spec.h"
#include "host/config.h"

#define MTU_MIN 68 /* RFC 791 */
#define MTU_MAX 65535

#define RATE_INTERVAL_US 50000 /* xl's default */
#define RATE_MAX         (UINT64_C(1) << 40)

struct parser {
    struct spec spec;
    struct net_config *net;
    unsigned seen;    /* 1 << index in keys[] */
    unsigned nr_ways; /* how many kinds of network were asked for */
};

/* A decimal number of at most (max), and where it ends; NULL if none. */
static const char *parse_number(const char *text, uint64_t max,
                                uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno || *number > max ? NULL : end;
}

/* Six pairs of hexadecimal digits with colons between. */
static bool parse_mac(const char *text, uint8_t mac[6])
{
    if (strlen(text) != 17)
        return false;
    for (unsigned i = 0; i < 6; i++, text += 3) {
        char *end;

        if (!isxdigit((unsigned char)text[0]) ||
            !isxdigit((unsigned char)text[1]))
            return false;
        mac[i] = (uint8_t)strtoul(text, &end, 16);
        if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
            return false;
    }
    return true;
}

static int set_mac(struct parser *p, const char *value)
{
    uint8_t *mac = p->net->mac;

    if (!parse_mac(value, mac))
        return spec_refuse(&p->spec,
                           "'%.32s' is not a MAC address: write six pairs of "
                           "hexadecimal digits, as in 00:16:3e:00:00:01",
                           value);
    if (mac[0] & 1)
        return spec_refuse(
            &p->spec,
            "the MAC address %s is one of many receivers: let its "
            "first pair be even",
            value);
    if (!(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
        return spec_refuse(&p->spec,
                           "the MAC address is all zero: choose another");
    p->net->has_mac = true;
    return 0;
}

/* The name of a network device of the host. */
static int set_device(struct parser *p, const char *value, char name[16],
                      const char *what)
{
    if (!*value || strlen(value) >= 16 || strpbrk(value, "/ %:") ||
        !strcmp(value, ".") || !strcmp(value, ".."))
        return spec_refuse(&p->spec, "'%.32s' cannot be the name of a %s",
                           value, what);
    snprintf(name, 16, "%s", value);
    return 0;
}

/* A tap device and a bridge go together, all else excludes the others. */
static void choose(struct parser *p, enum net_kind kind)
{
    if (p->nr_ways == 0 || p->net->kind != kind)
        p->nr_ways++;
    p->net->kind = kind;
}

static int set_vifname(struct parser *p, const char *value)
{
    choose(p, NET_TAP);
    return set_device(p, value, p->net->vifname, "tap device");
}

static int set_bridge(struct parser *p, const char *value)
{
    choose(p, NET_TAP);
    return set_device(p, value, p->net->bridge, "bridge");
}

static int set_path(struct parser *p, const char *value, enum net_kind kind)
{
    if (!*value)
        return spec_refuse(&p->spec, "the path of the socket is empty");
    choose(p, kind);
    free(p->net->socket);
    p->net->socket = strdup(value);
    if (!p->net->socket)
        return spec_no_memory(&p->spec);
    return 0;
}

static int set_connect(struct parser *p, const char *value)
{
    return set_path(p, value, NET_CONNECT);
}

static int set_listen(struct parser *p, const char *value)
{
    return set_path(p, value, NET_LISTEN);
}

static int set_mtu(struct parser *p, const char *value)
{
    uint64_t mtu = 0;
    const char *end = parse_number(value, MTU_MAX, &mtu);

    if (!end || *end || mtu < MTU_MIN)
        return spec_refuse(&p->spec,
                           "the MTU '%.32s' is not a number from %d to %d",
                           value, MTU_MIN, MTU_MAX);
    p->net->mtu = (unsigned)mtu;
    return 0;
}

static const struct {
    const char *name;
    uint64_t factor, divisor; /* to bytes in a second */
} rate_units[] = {
    {"GB/s", 1000000000, 1}, {"MB/s", 1000000, 1},   {"KB/s", 1000, 1},
    {"B/s", 1, 1},           {"Gb/s", 125000000, 1}, {"Mb/s", 125000, 1},
    {"Kb/s", 125, 1},        {"b/s", 1, 8},
};

static const struct {
    const char *name;
    uint32_t us;
} intervals[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};

/* "10Mb/s", "1MB/s@20ms" */
static int set_rate(struct parser *p, const char *value)
{
    uint64_t number = 0, interval = RATE_INTERVAL_US, rate = 0, us = 1;
    const char *at = parse_number(value, RATE_MAX, &number);
    size_t unit = 0, len = at ? strcspn(at, "@") : 0;

    while (at && unit < sizeof rate_units / sizeof *rate_units &&
           (strlen(rate_units[unit].name) != len ||
            strncmp(rate_units[unit].name, at, len) != 0))
        unit++;
    if (!at || unit == sizeof rate_units / sizeof *rate_units)
        return spec_refuse(&p->spec,
                           "the rate '%.32s' is not like 10Mb/s or 1MB/s@20ms",
                           value);
    if (number > RATE_MAX / rate_units[unit].factor)
        return spec_refuse(&p->spec, "the rate '%.32s' is too high", value);
    rate = number * rate_units[unit].factor / rate_units[unit].divisor;
    at += len;
    if (*at == '@') {
        at = parse_number(at + 1, 1000000, &interval);
        us = 0;
        for (size_t i = 0; at && i < sizeof intervals / sizeof *intervals; i++)
            if (!strcmp(at, intervals[i].name))
                us = intervals[i].us;
    }
    interval *= us;
    if (interval == 0 || interval > 1000000)
        return spec_refuse(
            &p->spec,
            "the interval of the rate '%.32s' is not between 1us "
            "and 1s",
            value);
    p->net->rate_us = (uint32_t)interval;
    p->net->rate_bytes = rate * interval / 1000000;
    if (p->net->rate_bytes == 0)
        return spec_refuse(&p->spec, "the rate '%.32s' is too low", value);
    return 0;
}

static int set_ip(struct parser *p, const char *value)
{
    if (!*value || strlen(value) >= sizeof p->net->ip)
        return spec_refuse(&p->spec, "'%.64s' is not a list of addresses",
                           value);
    snprintf(p->net->ip, sizeof p->net->ip, "%s", value);
    return 0;
}

/* QEMU's way to write it: tcp:[ADDRESS]:PORT-[ADDRESS]:PORT */
static int add_forward(struct parser *p, const char *value)
{
    struct net_config *net = p->net;
    struct net_forward *forward = &net->forwards[net->nr_forwards];
    const char *dash = strrchr(value, '-'), *colon, *end;
    uint64_t port = 0;

    if (net->nr_forwards == CONFIG_MAX_FORWARDS)
        return spec_refuse(&p->spec, "there are more than %d ports to forward",
                           CONFIG_MAX_FORWARDS);
    if (strncmp(value, "tcp:", 4) != 0 && strncmp(value, "udp:", 4) != 0)
        goto bad;
    forward->udp = *value == 'u';
    value += 4;
    colon = dash ? memrchr(value, ':', (size_t)(dash - value)) : NULL;
    if (!colon || (size_t)(colon - value) >= sizeof forward->address)
        goto bad;
    snprintf(forward->address, sizeof forward->address, "%.*s",
             (int)(colon - value), value);
    end = parse_number(colon + 1, UINT16_MAX, &port);
    if (!end || *end != '-' || port == 0)
        goto bad;
    forward->host_port = (uint16_t)port;
    colon = strrchr(dash, ':');
    end = colon ? parse_number(colon + 1, UINT16_MAX, &port) : NULL;
    if (!end || *end || port == 0)
        goto bad;
    forward->guest_port = (uint16_t)port;
    net->nr_forwards++;
    return 0;
bad:
    return spec_refuse(&p->spec, "'%.64s' is not like hostfwd=tcp::8080-:80",
                       value);
}

static int set_backend(struct parser *p, const char *value)
{
    return spec_check_backend(&p->spec, value, "network devices");
}

static int set_type(struct parser *p, const char *value)
{
    if (strcmp(value, "vif") != 0)
        return spec_refuse(
            &p->spec,
            "the type '%.32s' needs an emulated device: there are "
            "only vifs",
            value);
    return 0;
}

static int refuse_script(struct parser *p, const char *value)
{
    return spec_refuse(
        &p->spec,
        "the script '%.64s' will not be run: name a tap device by "
        "vifname=, or a bridge",
        value);
}

static int refuse_model(struct parser *p, const char *value)
{
    return spec_refuse(
        &p->spec, "there is no emulated model '%.32s': leave it away", value);
}

static const struct {
    const char *name;
    int (*set)(struct parser *p, const char *value);
    bool many;
} keys[] = {
    {"mac", set_mac, false},         {"bridge", set_bridge, false},
    {"vifname", set_vifname, false}, {"socket", set_connect, false},
    {"listen", set_listen, false},   {"mtu", set_mtu, false},
    {"rate", set_rate, false},       {"ip", set_ip, false},
    {"hostfwd", add_forward, true},  {"backend", set_backend, false},
    {"type", set_type, false},       {"script", refuse_script, false},
    {"model", refuse_model, false},
};

#define NR_KEYS (sizeof keys / sizeof *keys)

static int set_key(struct parser *p, const char *name, const char *value)
{
    for (size_t key = 0; key < NR_KEYS; key++) {
        if (strcmp(name, keys[key].name) != 0)
            continue;
        if (!keys[key].many && (p->seen & 1u << key))
            return spec_refuse(&p->spec, "%s is given twice: leave one away",
                               name);
        p->seen |= 1u << key;
        return keys[key].set(p, value);
    }
    return spec_refuse(&p->spec,
                       "the key '%.32s' is unknown: use user, vifname, bridge, "
                       "socket, listen, mac, mtu, rate, ip, hostfwd",
                       name);
}

static int parse_word(struct parser *p, char *word)
{
    char *value = strchr(word, '=');

    if (!value && !strcmp(word, "user")) {
        choose(p, NET_USER);
        return 0;
    }
    if (!value)
        return spec_refuse(&p->spec,
                           "'%.32s' is not a parameter: use user, or key=value",
                           word);
    *value = '\0';
    return set_key(p, word, value + 1);
}

static int check_complete(const struct parser *p)
{
    if (p->nr_ways == 0)
        return spec_refuse(
            &p->spec, "it does not say what the guest is connected to: say "
                      "user, vifname=TAP, bridge=NAME or socket=PATH");
    if (p->nr_ways > 1)
        return spec_refuse(&p->spec,
                           "it names several networks: choose one of user, "
                           "vifname or bridge, socket, listen");
    if (p->net->nr_forwards > 0 && p->net->kind != NET_USER)
        return spec_refuse(&p->spec,
                           "only the network 'user' can forward ports");
    return 0;
}

int net_config_parse(const char *spec, struct net_config *net)
{
    struct parser parser = {.spec = {"net", spec}, .net = net};
    char *words = strdup(spec), *rest = words;
    int rc = 0;

    *net = (struct net_config){0};
    if (!words)
        return spec_no_memory(&parser.spec);
    while (rest && rc == 0) {
        char *word = strsep(&rest, ",");

        while (isspace((unsigned char)*word))
            word++;
        if (*word)
            rc = parse_word(&parser, word);
    }
    free(words);
    if (rc == 0)
        rc = check_complete(&parser);
    if (rc)
        net_config_destroy(net);
    return rc;
}

void net_config_destroy(struct net_config *net)
{
    free(net->socket);
    *net = (struct net_config){0};
}

void net_stable_mac(const char *name, unsigned index, uint8_t mac[6])
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
    hash = (hash ^ index) * 0x100000001b3;
    mac[0] = 0x00;
    mac[1] = 0x16;
    mac[2] = 0x3e;
    mac[3] = (uint8_t)(hash >> 40) & 0x7f; /* as Xen's tools have it */
    mac[4] = (uint8_t)(hash >> 24);
    mac[5] = (uint8_t)(hash >> 8);
}
