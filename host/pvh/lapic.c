#include "host/pvh/lapic.h"

#include <string.h>

/* Registers, by offset / 16. */
#define REG_ID       0x02
#define REG_VERSION  0x03
#define REG_TPR      0x08
#define REG_PPR      0x0a
#define REG_EOI      0x0b
#define REG_LDR      0x0d
#define REG_DFR      0x0e
#define REG_SVR      0x0f
#define REG_ISR      0x10 /* and seven more */
#define REG_TMR      0x18
#define REG_IRR      0x20
#define REG_ICR      0x30
#define REG_ICR_HIGH 0x31
#define REG_LVT      0x32 /* timer, and five more */
#define REG_TIMER    0x38 /* initial count */
#define REG_DIVIDE   0x3e

#define NR_LVTS     6
#define NR_WORDS    8 /* of 32 vectors */
#define LVT_MASKED  0x10000u
#define SVR_ENABLED 0x100u
#define DFR_FIXED   0x0fffffffu

/* Integrated, (NR_LVTS) entries. */
#define VERSION (0x14u | (NR_LVTS - 1) << 16)

/* Of the interrupt command: fixed delivery, to whom. */
#define ICR_MODE      0x700u
#define ICR_SHORTHAND 0xc0000u
#define ICR_NOBODY    0x0u /* who stands in ICR_HIGH */
#define ICR_SELF      0x40000u
#define ICR_ALL       0x80000u
#define ICR_LOGICAL   0x800u
#define ICR_ASSERT    0x4000u
#define ICR_WRITABLE  0xccfffu
#define BROADCAST     0xff
#define DFR_FLAT      0xf
#define LOWEST_VECTOR 16

void lapic_init(struct lapic *lapic, uint8_t id)
{
    *lapic = (struct lapic){.regs[REG_ID] = (uint32_t)id << 24,
                            .regs[REG_DFR] = UINT32_MAX,
                            .regs[REG_SVR] = 0xff,
                            .regs[REG_VERSION] = VERSION};
    for (unsigned i = 0; i < NR_LVTS; i++)
        lapic->regs[REG_LVT + i] = LVT_MASKED;
}

static int highest(const uint32_t words[NR_WORDS])
{
    for (int i = NR_WORDS - 1; i >= 0; i--)
        if (words[i])
            return 32 * i + 31 - __builtin_clz(words[i]);
    return -1;
}

static void set(uint32_t words[NR_WORDS], uint8_t vector, bool value)
{
    const uint32_t bit = 1u << vector % 32;

    if (value)
        words[vector / 32] |= bit;
    else
        words[vector / 32] &= ~bit;
}

static uint32_t priority(const struct lapic *lapic)
{
    const int handled = highest(&lapic->regs[REG_ISR]);
    const uint32_t task = lapic->regs[REG_TPR];

    if (handled >= 0 && (uint32_t)handled >> 4 > task >> 4)
        return (uint32_t)handled & 0xf0;
    return task;
}

uint32_t lapic_read(const struct lapic *lapic, uint32_t offset)
{
    const uint32_t reg = offset / 16;

    if (offset % 16 || offset >= sizeof lapic->regs * 4)
        return 0;
    return reg == REG_PPR ? priority(lapic) : lapic->regs[reg];
}

/* What of a command is for the sender itself. */
static void command(struct lapic *lapic, uint32_t value)
{
    const uint32_t to = value & ICR_SHORTHAND;

    lapic->regs[REG_ICR] = value & ICR_WRITABLE;
    if (value & ICR_MODE || (value & 0xff) < LOWEST_VECTOR)
        return;
    if (to == ICR_SELF || to == ICR_ALL ||
        (to == ICR_NOBODY && lapic->regs[REG_ICR_HIGH] == lapic->regs[REG_ID]))
        lapic_raise(lapic, (uint8_t)value);
}

void lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value)
{
    const uint32_t reg = offset / 16;
    int handled;

    if (offset % 16)
        return;
    switch (reg) {
    case REG_EOI:
        handled = highest(&lapic->regs[REG_ISR]);
        if (handled >= 0)
            set(&lapic->regs[REG_ISR], (uint8_t)handled, false);
        return;
    case REG_ICR:
        command(lapic, value);
        return;
    case REG_TPR:
        lapic->regs[reg] = value & 0xff;
        return;
    case REG_DFR:
        lapic->regs[reg] = value | DFR_FIXED;
        return;
    case REG_LDR:
    case REG_ICR_HIGH:
        lapic->regs[reg] = value & 0xff000000;
        return;
    case REG_SVR:
    case REG_LVT ... REG_LVT + NR_LVTS - 1:
    case REG_TIMER:
    case REG_DIVIDE:
        lapic->regs[reg] = value;
        return;
    default:
        return;
    }
}

struct lapic_command lapic_last_command(const struct lapic *lapic)
{
    const uint32_t value = lapic->regs[REG_ICR];

    return (struct lapic_command){
        .vector = (uint8_t)value,
        .mode = value >> 8 & 7,
        .destination = (uint8_t)(lapic->regs[REG_ICR_HIGH] >> 24),
        .shorthand = value >> 18 & 3,
        .logical = value & ICR_LOGICAL,
        .assert = value &ICR_ASSERT,
    };
}

/* The logical IDs are masks of eight (flat), or four in one of 15 clusters. */
static bool is_in_mask(const struct lapic *lapic, uint8_t mask)
{
    const uint8_t own = (uint8_t)(lapic->regs[REG_LDR] >> 24);

    if (lapic->regs[REG_DFR] >> 28 == DFR_FLAT)
        return own & mask;
    return (own >> 4 == mask >> 4 || mask >> 4 == 0xf) && (own & mask & 0xf);
}

bool lapic_is_meant(const struct lapic *lapic,
                    const struct lapic_command *command)
{
    if (command->logical)
        return is_in_mask(lapic, command->destination);
    return command->destination == BROADCAST ||
           command->destination == lapic->regs[REG_ID] >> 24;
}

void lapic_raise(struct lapic *lapic, uint8_t vector)
{
    set(&lapic->regs[REG_IRR], vector, true);
}

int lapic_next(const struct lapic *lapic)
{
    const int wanted = highest(&lapic->regs[REG_IRR]);

    if (wanted < 0 || !(lapic->regs[REG_SVR] & SVR_ENABLED) ||
        (uint32_t)wanted >> 4 <= priority(lapic) >> 4)
        return -1;
    return wanted;
}

void lapic_take(struct lapic *lapic, uint8_t vector)
{
    set(&lapic->regs[REG_IRR], vector, false);
    set(&lapic->regs[REG_ISR], vector, true);
}
