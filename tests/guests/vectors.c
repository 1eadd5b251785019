/*
 * Vector registers are the guest's own: no hypercall changes one, whichever
 * way it is made and whatever the hypervisor uses them for meanwhile.
 */
#include "verdict.h"

#include <cpuid.h>
#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>

#define NR_PAIRS 6

/* One register file, as bytes: XMM, YMM or ZMM, and the opmasks. */
struct file {
    uint8_t vector[32][64];
    uint64_t opmask[8];
} __attribute__((aligned(64)));

static struct file before, after;

static void fill(struct file *file, unsigned seed)
{
    uint8_t *byte = (uint8_t *)file;

    for (size_t i = 0; i < sizeof *file; i++)
        byte[i] = (uint8_t)(i * 7 + seed);
}

/* The tool takes X(1) X(2) for the start of a declaration. */
/* clang-format off */
#define EACH8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH16(X) \
    EACH8(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define EACH_HIGH(X) \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) \
    X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
/* clang-format on */

/* Between the loads and the stores there is nothing but the call. */
#define CALL "call *%[call]\n"
#define AROUND(loads, stores)                                         \
    do {                                                              \
        register long r10 __asm__("r10") = 0;                         \
        register long r8 __asm__("r8") = 0;                           \
        long rdi = arg1, rsi = arg2, rdx = 0;                         \
        __asm__ volatile(                                             \
            loads CALL stores                                         \
            : "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8)    \
            : [call] "r"(call), [from] "b"(&before), [to] "r"(&after) \
            : "rax", "memory");                                       \
    } while (0)

#define XMM_LOAD(n)  "movups " #n "*64(%[from]), %%xmm" #n "\n"
#define XMM_STORE(n) "movups %%xmm" #n ", " #n "*64(%[to])\n"
#define YMM_LOAD(n)  "vmovups " #n "*64(%[from]), %%ymm" #n "\n"
#define YMM_STORE(n) "vmovups %%ymm" #n ", " #n "*64(%[to])\n"
#define ZMM_LOAD(n)  "vmovups " #n "*64(%[from]), %%zmm" #n "\n"
#define ZMM_STORE(n) "vmovups %%zmm" #n ", " #n "*64(%[to])\n"
#define K_LOAD(n)    "kmovq 2048+" #n "*8(%[from]), %%k" #n "\n"
#define K_STORE(n)   "kmovq %%k" #n ", 2048+" #n "*8(%[to])\n"

static bool same(size_t width, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        if (memcmp(before.vector[i], after.vector[i], width) != 0)
            return false;
    return true;
}

/* (call) is a stub of the hypercall page. */
static bool xmm_survives(const char *call, long arg1, long arg2)
{
    AROUND(EACH16(XMM_LOAD), EACH16(XMM_STORE));
    return same(16, 16);
}

static bool ymm_survives(const char *call, long arg1, long arg2)
{
    AROUND(EACH16(YMM_LOAD), EACH16(YMM_STORE) "vzeroupper\n");
    return same(32, 16);
}

static bool zmm_survives(const char *call, long arg1, long arg2)
{
    AROUND(EACH16(ZMM_LOAD) EACH_HIGH(ZMM_LOAD) EACH8(K_LOAD),
           EACH16(ZMM_STORE) EACH_HIGH(ZMM_STORE) EACH8(K_STORE));
    return same(64, 32) &&
           memcmp(before.opmask, after.opmask, sizeof before.opmask) == 0;
}

/* What is wider than XMM was never used: it is zero and stays so. */
static bool upper_halves_stay_zero(const char *call, long arg1, long arg2)
{
    static const uint8_t zero[16];

    memset(&after, 0xff, sizeof after);
    AROUND("vzeroupper\n", EACH16(YMM_STORE) "vzeroupper\n");
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(after.vector[i] + 16, zero, sizeof zero) != 0)
            return false;
    return true;
}

/* What both CPU and hypervisor let us use (XCR0). */
static uint64_t usable_state(void)
{
    uint32_t a, b, c, d, lo, hi;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 3;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool has_avx512bw(void)
{
    uint32_t a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX512BW);
}

int main(void)
{
    const char *version = hypercall_page + __HYPERVISOR_xen_version * 32;
    const char *events = hypercall_page + __HYPERVISOR_event_channel_op * 32;
    const uint64_t usable = usable_state();
    struct evtchn_status status = {.dom = DOMID_SELF};
    bool holds = true;

    for (unsigned round = 0; round < NR_PAIRS; round++) {
        fill(&before, round);
        /* once without the hypervisor doing anything, once with work to do */
        holds &= xmm_survives(version, XENVER_version, 0);
        holds &= xmm_survives(events, EVTCHNOP_status, (long)&status);
    }
    promise(holds, "XMM registers survive hypercalls");

    holds = true;
    for (unsigned round = 0; round < NR_PAIRS && (usable & 4); round++) {
        fill(&before, round);
        holds &= ymm_survives(version, XENVER_version, 0);
        holds &= ymm_survives(events, EVTCHNOP_status, (long)&status);
        holds &= upper_halves_stay_zero(events, EVTCHNOP_status, (long)&status);
    }
    promise(holds, "YMM registers do, where there are any");

    holds = true;
    for (unsigned round = 0;
         round < NR_PAIRS && (usable & 0xe0) == 0xe0 && has_avx512bw();
         round++) {
        fill(&before, round);
        holds &= zmm_survives(version, XENVER_version, 0);
        holds &= zmm_survives(events, EVTCHNOP_status, (long)&status);
    }
    promise(holds, "ZMM and mask registers do, where there are any");
    return verdict();
}
