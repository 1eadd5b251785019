/*
 * host/link/offload.h: Ethernet frames as they pass between a guest and what it
 * is connected to, and the work that both sides like to leave to each other:
 * checksums, and the cutting of long TCP segments.
 */
#ifndef HOST_LINK_OFFLOAD_H
#define HOST_LINK_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FRAME_MIN 14    /* an Ethernet header */
#define FRAME_MAX 65550 /* the longest IP packet and that header */

/* Enough for every header that offload_find_checksum looks at. */
#define OFFLOAD_HEAD 256

enum offload_gso {
    OFFLOAD_GSO_NONE,
    OFFLOAD_GSO_TCPV4,
    OFFLOAD_GSO_TCPV6,
};

/* What is known of a frame beside its bytes. All zero: it is complete. */
struct offload {
    bool partial;         /* the checksum has only the pseudo-header's sum */
    bool verified;        /* the checksum was looked at and is right */
    uint16_t csum_start;  /* partial: the sum covers the frame from here */
    uint16_t csum_offset; /* and goes here, counted from csum_start */
    enum offload_gso gso; /* to be cut into segments; then partial as well */
    uint16_t gso_size;    /* bytes of payload in each */
    uint16_t header_len;  /* gso: all headers */
};

/*
 * What a frame carries: the Ethernet type behind VLANs' tags, and where it
 * begins; 0 if the frame ends before.
 */
unsigned offload_find_network(const uint8_t *frame, size_t len, size_t *start);

/*
 * Find the TCP or UDP checksum of the frame of (len) bytes that begins with
 * (head), of which (head_len) are there: csum_start and csum_offset, and
 * header_len for TCP. False if there is none, or not inside head or frame.
 */
bool offload_find_checksum(const uint8_t *head, size_t head_len, size_t len,
                           struct offload *work);

/*
 * Do what (work), which is partial and not to be cut, left undone: (parts)
 * are its bytes, the first of them at least up to the checksum. It is complete
 * then.
 */
void offload_complete(struct offload *work, const struct iovec *parts,
                      unsigned nr_parts);

#endif
