/*
 * tests/unit/drivers/vif_fixture.h: a network device of the frontend, and
 * frames to send.
 */
#ifndef TESTS_UNIT_DRIVERS_VIF_FIXTURE_H
#define TESTS_UNIT_DRIVERS_VIF_FIXTURE_H

#include <stdint.h>

#include <pvdrivers/net.h>

extern struct net *net; /* by the fixtures that open it */

/* Twenty pages of bytes that differ. */
extern uint8_t *vif_memory;

/* For .init: a guest and a backend that waits; what it offers can yet be said.
 */
void vif_backend(void);

/* The backend starts, and the device is opened. */
void vif_open(void);

/* For .init: open. */
void vif_simple(void);

/* For .fini: closed, with nothing lent and no page lost. */
void vif_close(void);

/* The same where no device could be opened. */
void vif_nothing_lost(void);

/* How many packets are done, and how many of them were lost. */
extern unsigned vif_nr_done, vif_nr_failed;

/* A packet's (done): counts. */
void vif_done(struct net_packet *packet, int status);

/* What net_send answers for a frame of (nr) pieces, or of one. */
int vif_send_pieces(struct net_packet *packet, const struct net_piece *pieces,
                    unsigned nr);
int vif_send(struct net_packet *packet, const void *data, uint32_t len);

#endif
