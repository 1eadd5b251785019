/*
 * Page tables of any content, and any addresses: nothing outside the domain's
 * frames is ever reached.
 *
 * The input is written over the first frames as entries, then come addresses
 * to walk, read and write: as a PV guest's, or as a PVH guest's with control
 * registers of any content.
 */
#include "input.h"

#include "host/domain.h"
#include "host/guest_access.h"

#define FRAMES 16

static struct domain dom;

static void make(struct input *in)
{
    const uint8_t how = input_u8(in);
    const struct memory_config config = {.ram_pages = FRAMES,
                                         .shared_pages = 1,
                                         .scatter = how & 1,
                                         .translated = how & 2};
    unsigned nr = input_u8(in);

    PROMISE(memory_create(&dom.mem, &config) == 0);
    dom.vcpus[0].domain = &dom;
    dom.vcpus[0].cr3 = memory_mfn(&dom.mem, 0);
    dom.abi = how & 2 ? ABI_PVH : ABI_PV;
    if (how & 2)
        dom.vcpus[0].paging = (struct paging){
            .cr0 = input_u64(in),
            .cr3 = input_u64(in) & (how & 4 ? 0x3fff : UINT64_MAX),
            .cr4 = input_u64(in),
            .efer = input_u64(in),
        };
    while (nr--) {
        uint64_t entry = input_u64(in);
        uint16_t place = input_u16(in);
        uint64_t *table = (uint64_t *)dom.mem.base + 512ul * (place >> 9 & 7);

        if (entry & 0x800) /* one of our own frames, most of the time */
            entry = (entry & ~UINT64_C(0xffffffffff000)) |
                    memory_mfn(&dom.mem, entry >> 12 & 15) << PAGE_SHIFT;
        table[place & 511] = entry;
    }
}

static void walk(struct vcpu *vcpu, uint64_t va)
{
    struct walk walk;

    guest_walk_vcpu(vcpu, va, &walk);
    if (dom.abi == ABI_PV)
        PROMISE(walk.level >= 1 && walk.level <= 4);
    PROMISE(walk.level <= 5);
    if (!walk.present)
        return;
    PROMISE(walk.level <= (dom.abi == ABI_PV ? 1 : 3));
    PROMISE(memory_frame(&dom.mem, walk.mfn));
    PROMISE(walk.level == 0 ||
            memory_frame(&dom.mem, walk.pte_addr >> PAGE_SHIFT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[3 * PAGE_SIZE];
    struct input in = {data, size};
    struct vcpu *vcpu = &dom.vcpus[0];

    make(&in);
    while (input_left(&in)) {
        uint8_t what = input_u8(&in);
        uint64_t va = input_u64(&in);
        size_t len = input_u16(&in) % sizeof buf;

        if (what & 1)
            va = (uint64_t)((int64_t)(va << 16) >> 16);
        if (what & 2)
            va &= 0x1fffff; /* few tables are needed for these */
        walk(vcpu, va);
        if (what & 4)
            guest_read(vcpu, guest_addr(va), buf, len);
        if (what & 8)
            guest_write(vcpu, guest_addr(va), buf, len);
        if (what & 16)
            memory_release(&dom.mem, memory_mfn(&dom.mem, len % FRAMES));
    }
    memory_destroy(&dom.mem);
    return 0;
}
