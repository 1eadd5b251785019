/*
 * pvdrivers/ip/gather.c: long TCP segments. lwIP cuts what it sends into
 * segments that fit the wire; those that follow each other are put together
 * here, without copying, and the backend is told how to cut them, which it
 * does late or, to a peer on the same machine, never.
 */
#include "device.h"

#include <lwip/def.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>

#include <string.h>

/* The longest IP packet. */
#define PACKET_MAX 65535u

bool segment_find(const struct pbuf *pbuf, struct segment *segment)
{
    const struct eth_hdr *eth = pbuf->payload;
    size_t protocol;

    if (pbuf->len < SIZEOF_ETH_HDR + IP_HLEN)
        return false;
    segment->ip = (uint8_t *)pbuf->payload + SIZEOF_ETH_HDR;
    segment->ipv6 = eth->type == PP_HTONS(ETHTYPE_IPV6);
    if (eth->type == PP_HTONS(ETHTYPE_IP)) {
        const struct ip_hdr *ip = (void *)segment->ip;

        if (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF))
            return false;
        protocol = IPH_PROTO(ip);
        segment->tcp_at = SIZEOF_ETH_HDR + IPH_HL_BYTES(ip);
    } else if (segment->ipv6 && pbuf->len >= SIZEOF_ETH_HDR + IP6_HLEN) {
        protocol = IP6H_NEXTH((struct ip6_hdr *)segment->ip);
        segment->tcp_at = SIZEOF_ETH_HDR + IP6_HLEN;
    } else {
        return false;
    }
    if (protocol != IP_PROTO_TCP || pbuf->len < segment->tcp_at + TCP_HLEN)
        return false;
    segment->tcp = (uint8_t *)pbuf->payload + segment->tcp_at;
    segment->header_len =
        segment->tcp_at + TCPH_HDRLEN_BYTES((struct tcp_hdr *)segment->tcp);
    if (pbuf->len < segment->header_len)
        return false;
    segment->len = pbuf->tot_len - segment->header_len;
    return true;
}

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    return sum;
}

void segment_prepare_checksum(const struct segment *segment, size_t frame_len)
{
    uint32_t sum = (uint32_t)(frame_len - segment->tcp_at) + IP_PROTO_TCP;
    uint16_t place;

    if (segment->ipv6)
        sum += sum_of(segment->ip + offsetof(struct ip6_hdr, src), 32);
    else
        sum += sum_of(segment->ip + offsetof(struct ip_hdr, src), 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    place = lwip_htons((uint16_t)sum);
    memcpy(segment->tcp + offsetof(struct tcp_hdr, chksum), &place,
           sizeof place);
}

static uint32_t sequence(const struct segment *segment)
{
    return lwip_ntohl(((struct tcp_hdr *)segment->tcp)->seqno);
}

static uint8_t flags(const struct segment *segment)
{
    return TCPH_FLAGS((struct tcp_hdr *)segment->tcp);
}

void gather_begin(struct sending *sending, const struct segment *segment)
{
    const struct net_info *info = &sending->device->info;

    sending->grows = segment->len > 0 && flags(segment) == TCP_ACK &&
                     (segment->ipv6 ? info->segment_ipv6 : info->segment_ipv4);
    sending->segment = *segment;
    sending->segment_size = (uint16_t)segment->len;
    sending->next_sequence = sequence(segment) + (uint32_t)segment->len;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t at, size_t end)
{
    return memcmp(a + at, b + at, end - at) == 0;
}

/* All but what says how long, and where, a segment is. */
static bool same_headers(const struct segment *a, const struct segment *b)
{
    const size_t ip_len = a->tcp_at - SIZEOF_ETH_HDR;

    if (a->header_len != b->header_len || a->ipv6 != b->ipv6 ||
        a->tcp_at != b->tcp_at ||
        !same(a->ip - SIZEOF_ETH_HDR, b->ip - SIZEOF_ETH_HDR, 0,
              SIZEOF_ETH_HDR))
        return false;
    if (a->ipv6) {
        if (!same(a->ip, b->ip, 0, 4) || !same(a->ip, b->ip, 6, ip_len))
            return false;
    } else if (!same(a->ip, b->ip, 0, 2) || !same(a->ip, b->ip, 6, 10) ||
               !same(a->ip, b->ip, 12, ip_len)) {
        return false;
    }
    /* ports; acknowledgement; window; urgent pointer and options */
    return same(a->tcp, b->tcp, 0, 4) && same(a->tcp, b->tcp, 8, 12) &&
           same(a->tcp, b->tcp, 14, 16) &&
           same(a->tcp, b->tcp, 18, a->header_len - a->tcp_at);
}

bool gather_more(struct sending *sending, struct pbuf *pbuf,
                 const struct segment *segment)
{
    if (!sending->grows || segment->len == 0 ||
        segment->len > sending->segment_size ||
        (flags(segment) & ~TCP_PSH) != TCP_ACK ||
        sequence(segment) != sending->next_sequence ||
        sending->total - SIZEOF_ETH_HDR + segment->len > PACKET_MAX ||
        sending->total + segment->len > UINT16_MAX ||
        !same_headers(&sending->segment, segment) ||
        !sending_add(sending, pbuf, segment->header_len))
        return false;
    sending->next_sequence += (uint32_t)segment->len;
    if (flags(segment) & TCP_PSH)
        TCPH_SET_FLAG((struct tcp_hdr *)sending->segment.tcp, TCP_PSH);
    /* only the last may be shorter, or be the end of what was written */
    sending->grows =
        segment->len == sending->segment_size && !(flags(segment) & TCP_PSH);
    return true;
}

void gather_end(struct sending *sending)
{
    const struct segment *segment = &sending->segment;
    const size_t len = sending->total;

    if (sending->nr_pbufs < 2)
        return;
    if (segment->ipv6) {
        IP6H_PLEN_SET((struct ip6_hdr *)segment->ip,
                      (u16_t)(len - segment->tcp_at));
    } else {
        struct ip_hdr *ip = (void *)segment->ip;

        IPH_LEN_SET(ip, lwip_htons((u16_t)(len - SIZEOF_ETH_HDR)));
        IPH_CHKSUM_SET(ip, 0);
        IPH_CHKSUM_SET(ip, inet_chksum(ip, IPH_HL_BYTES(ip)));
    }
    segment_prepare_checksum(segment, len);
    sending->packet.gso = segment->ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
    sending->packet.gso_size = sending->segment_size;
}
