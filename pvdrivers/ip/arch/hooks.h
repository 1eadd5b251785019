/* pvdrivers/ip/arch/hooks.h: what lwIP asks us on the way. (its opt.h) */
#ifndef ARCH_HOOKS_H
#define ARCH_HOOKS_H

#include <lwip/pbuf.h>
#include <lwip/prot/tcp.h>
#include <lwip/tcp.h>

/*
 * lwIP keeps a segment that came too early as it is, even where it reaches
 * beyond the window that was offered, and trips over that when its turn has
 * come. Nobody who keeps to the window sends such: they are lost.
 */
static inline err_t hook_tcp_input(const struct tcp_pcb *pcb,
                                   const struct tcp_hdr *header,
                                   const struct pbuf *payload)
{
    const u32_t end = header->seqno + payload->tot_len +
                      (TCPH_FLAGS(header) & TCP_FIN ? 1 : 0);

    if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT || /* no window */
        header->seqno == pcb->rcv_nxt ||
        !TCP_SEQ_GT(end, pcb->rcv_nxt + pcb->rcv_wnd))
        return ERR_OK;
    return ERR_VAL;
}

#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, len, first, second, payload) \
    hook_tcp_input(pcb, header, payload)

#endif
