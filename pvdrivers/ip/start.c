/*
 * pvdrivers/ip/start.c: TCP/IP from the command line's words "ip=" and "ip6=".
 */
#include <pvdrivers/ip.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/ethip6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/tcpip.h>

#include <stdlib.h>
#include <string.h>

#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include "device.h"
#include "sockets.h"

#define WORD_MAX 256

static struct netif *device;
static bool has_ipv4; /* or will have */
static struct wait_queue changed;

bool ip_wait(uint64_t deadline_ns)
{
    GUEST_LOCKED;

    while (device && has_ipv4 && ip4_addr_isany(netif_ip4_addr(device)))
        if (!thread_wait(&changed, deadline_ns))
            break;
    return device && !ip4_addr_isany(netif_ip4_addr(device));
}

bool ip_address(char *text, size_t size)
{
    GUEST_LOCKED;
    const ip4_addr_t *address = device ? netif_ip4_addr(device) : NULL;

    if (!address)
        return false;
    ip4addr_ntoa_r(address, text, (int)size);
    return true;
}

const struct net *ip_device(void)
{
    return device ? ((struct device *)device->state)->net : NULL;
}

static void status_changed(struct netif *netif)
{
    (void)netif;
    thread_wake_all(&changed);
}

/* The word of the command line that begins with (key): what follows it. */
static bool find_word(const char *line, const char *key, char word[WORD_MAX])
{
    const size_t key_len = strlen(key);

    for (const char *at = line; *at; at += strcspn(at, " ")) {
        size_t len;

        at += strspn(at, " ");
        len = strcspn(at, " ");
        if (len < key_len || strncmp(at, key, key_len) != 0 ||
            len - key_len >= WORD_MAX)
            continue;
        memcpy(word, at + key_len, len - key_len);
        word[len - key_len] = '\0';
        return true;
    }
    return false;
}

/* Cut (text) at (separator); what follows it, or NULL. */
static char *cut(char *text, char separator)
{
    char *at = strchr(text, separator);

    if (at)
        *at++ = '\0';
    return at;
}

static bool add_dns(const char *text)
{
    static u8_t nr;
    ip_addr_t server;

    if (!ipaddr_aton(text, &server) || nr == DNS_MAX_SERVERS)
        return false;
    dns_setserver(nr++, &server);
    return true;
}

/* "/24" as a mask. */
static bool parse_mask(const char *bits, ip4_addr_t *mask)
{
    char *end;
    const unsigned long nr = bits ? strtoul(bits, &end, 10) : 24;

    if (bits && (end == bits || *end || nr > 32))
        return false;
    mask->addr = lwip_htonl(nr ? ~0u << (32 - nr) : 0);
    return true;
}

static bool set_static(char *text)
{
    ip4_addr_t address, mask, gateway = {0};
    char *options = cut(text, ',');

    if (!parse_mask(cut(text, '/'), &mask) || !ip4addr_aton(text, &address))
        return false;
    while (options) {
        char *next = cut(options, ',');

        if (!strncmp(options, "gw=", 3)) {
            if (!ip4addr_aton(options + 3, &gateway))
                return false;
        } else if (strncmp(options, "dns=", 4) != 0 || !add_dns(options + 4)) {
            return false;
        }
        options = next;
    }
    netif_set_addr(device, &address, &mask, &gateway);
    return true;
}

static bool start_ipv4(const char *line)
{
    char word[WORD_MAX] = "dhcp";

    find_word(line, "ip=", word);
    if (!strcmp(word, "none"))
        return true;
    has_ipv4 = true;
    if (!strcmp(word, "dhcp"))
        return dhcp_start(device) == ERR_OK;
    return set_static(word);
}

static bool set_static_ipv6(char *text)
{
    const char *bits = cut(text, '/');
    ip6_addr_t address;
    s8_t index = -1;

    if ((bits && strcmp(bits, "64") != 0) || !ip6addr_aton(text, &address))
        return false; /* lwIP knows links of 64 bits only */
    if (netif_add_ip6_address(device, &address, &index) != ERR_OK || index < 0)
        return false;
    netif_ip6_addr_set_state(device, index, IP6_ADDR_PREFERRED);
    return true;
}

static bool start_ipv6(const char *line)
{
    char word[WORD_MAX] = "auto";

    find_word(line, "ip6=", word);
    if (!strcmp(word, "none"))
        return true;
    netif_create_ip6_linklocal_address(device, 1);
    netif_set_ip6_autoconfig_enabled(device, !strcmp(word, "auto"));
    return !strcmp(word, "auto") || set_static_ipv6(word);
}

static int ip_start(void)
{
    const char *line = guest_command_line();

    tcpip_init(NULL, NULL);
    sockets_start();
    device = device_create(0);
    if (!device)
        return 0;
    netif_set_status_callback(device, status_changed);
    netif_set_default(device);
    netif_set_up(device);
    if (!start_ipv6(line))
        guest_print("ip: the word ip6= of the command line makes no sense: "
                    "see pvdrivers/ip.h\n");
    if (!start_ipv4(line))
        guest_print("ip: the word ip= of the command line makes no sense: "
                    "see pvdrivers/ip.h\n");
    return 0;
}
GUEST_DRIVER(ip_start);
