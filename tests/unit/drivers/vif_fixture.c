#include "vif_fixture.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "fake_guest.h"
#include "fake_net.h"
#include "fake_store.h"

#define MEMORY_SIZE ((size_t)20 * 4096)

struct net *net;
uint8_t *vif_memory;
unsigned vif_nr_done, vif_nr_failed;

void vif_backend(void)
{
    fake_guest_init();
    fake_store_init();
    fake_net_init();
    vif_memory = aligned_alloc(4096, MEMORY_SIZE);
    for (unsigned i = 0; i < MEMORY_SIZE; i++)
        vif_memory[i] = (uint8_t)(i / 4096 * 7 + i);
}

void vif_open(void)
{
    fake_net_start();
    net = net_open(0);
    cr_assert_not_null(net);
}

void vif_simple(void)
{
    vif_backend();
    vif_open();
}

void vif_nothing_lost(void)
{
    cr_expect_eq(fake_grants(), 0, "%u pages still lent", fake_grants());
    cr_expect_eq(fake.pages_used, 0, "%ld pages lost", fake.pages_used);
    free(vif_memory);
}

void vif_close(void)
{
    net_close(net);
    vif_nothing_lost();
}

void vif_done(struct net_packet *packet, int status)
{
    (void)packet;
    vif_nr_done++;
    vif_nr_failed += status != 0;
}

int vif_send_pieces(struct net_packet *packet, const struct net_piece *pieces,
                    unsigned nr)
{
    packet->pieces = pieces;
    packet->nr_pieces = nr;
    packet->done = vif_done;
    return net_send(net, packet);
}

int vif_send(struct net_packet *packet, const void *data, uint32_t len)
{
    const struct net_piece piece = {data, len};

    return vif_send_pieces(packet, &piece, 1);
}
