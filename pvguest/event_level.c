/*
 * The 2-level ABI of event channels: a bit for each port, and one for each word
 * of bits.
 */
#include <pvguest/guest.h>

#include <hypercall/calls.h>

#include "event_abi.h"
#include "this_vcpu.h"

#define WORD_BITS 64

static void set_bit(xen_ulong_t *word, unsigned bit)
{
    __atomic_fetch_or(word, 1ul << bit, __ATOMIC_SEQ_CST);
}

static void clear_bit(xen_ulong_t *word, unsigned bit)
{
    __atomic_fetch_and(word, ~(1ul << bit), __ATOMIC_SEQ_CST);
}

bool level_is_masked(evtchn_port_t port)
{
    return port >= LEVEL_NR_PORTS ||
           guest_shared_info->evtchn_mask[port / WORD_BITS] >>
                   port % WORD_BITS &
               1;
}

void level_mask(evtchn_port_t port)
{
    set_bit(&guest_shared_info->evtchn_mask[port / WORD_BITS],
            port % WORD_BITS);
}

/*
 * An event that came while the port was masked set its pending bit and nothing
 * above it: those are ours to set now, where no other vCPU can be meant.
 */
void level_unmask(evtchn_port_t port)
{
    struct vcpu_info *vcpu = this_vcpu()->info;
    unsigned word = port / WORD_BITS, bit = port % WORD_BITS;

    if (guest_smp) {
        hypercall_evtchn_unmask(port);
        return;
    }
    clear_bit(&guest_shared_info->evtchn_mask[word], bit);
    if (!(__atomic_load_n(&guest_shared_info->evtchn_pending[word],
                          __ATOMIC_SEQ_CST) &
          1ul << bit))
        return;
    set_bit(&vcpu->evtchn_pending_sel, word);
    __atomic_store_n(&vcpu->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    if (guest_boot_vcpu.preempt && !vcpu->evtchn_upcall_mask)
        event_force_upcall();
}

void level_forget(evtchn_port_t port)
{
    clear_bit(&guest_shared_info->evtchn_pending[port / WORD_BITS],
              port % WORD_BITS);
}

bool level_dispatch(struct guest_vcpu *self)
{
    uint64_t words, bits;
    bool handled = false;

    words = __atomic_exchange_n(&self->info->evtchn_pending_sel, 0,
                                __ATOMIC_SEQ_CST);
    for (; words; words &= words - 1) {
        unsigned word = (unsigned)__builtin_ctzll(words);

        bits = __atomic_load_n(&guest_shared_info->evtchn_pending[word],
                               __ATOMIC_SEQ_CST) &
               ~guest_shared_info->evtchn_mask[word];
        for (; bits; bits &= bits - 1)
            handled |= event_deliver(self, word * WORD_BITS +
                                               (unsigned)__builtin_ctzll(bits));
    }
    return handled;
}
