#include "host/probe/probe.h"

#include "host/probe/try.h"

volatile uint64_t probe_resume, probe_stack;

static volatile uint32_t trap_vector;
static volatile uint64_t trap_error;
static volatile bool trapped;

bool probe_caught(unsigned vector, uint64_t error, uint64_t *rip, uint64_t *rsp)
{
    if (!probe_resume)
        return false;
    trapped = true;
    trap_vector = vector;
    trap_error = error;
    *rip = probe_resume;
    *rsp = probe_stack;
    return true;
}

void probe_forget(void)
{
    trapped = false;
}

uint64_t probe_flags(void)
{
    uint64_t value;

    __asm__ volatile("pushfq\n\tpop %0" : "=r"(value)::"memory");
    return value;
}

void probe_set_interrupts(world_t world, bool on)
{
    if (world->ring0 && on)
        __asm__ volatile("sti\n\tnop" ::: "memory");
    else if (world->ring0)
        __asm__ volatile("cli" ::: "memory");
}

enum {
#define NUMBER(function, name, how) NUMBER_##function,
    EACH_PROBE(NUMBER)
#undef NUMBER
        NR_PROBES
};

static const struct {
    char name[16];
    uint8_t how;
} probes[] = {
#define ENTRY(function, name, how) {name, how},
    EACH_PROBE(ENTRY)
#undef ENTRY
};

/* No table of functions: nothing to relocate when paravane starts. */
static bool run(unsigned probe, world_t world, uint64_t *value)
{
    switch (probe) {
#define CALL(function, name, how) \
    case NUMBER_##function:       \
        return try_##function(world, value);
        EACH_PROBE(CALL)
#undef CALL
    default:
        return false;
    }
}

unsigned probe_count(void)
{
    return NR_PROBES;
}

const char *probe_name(unsigned probe)
{
    return probes[probe].name;
}

bool probe_has_value(unsigned probe)
{
    return probes[probe].how & SHOWS;
}

void probe_try(unsigned probe, const struct probe_world *world,
               struct probe_result *result)
{
    bool right;

    *result = (struct probe_result){.outcome = PROBE_NOT_TRIED};
    if (world->ring0 && probes[probe].how & RING3_ONLY)
        return;
    trapped = false;
    right = run(probe, world, &result->value);
    if (trapped) {
        result->outcome = PROBE_TRAPPED;
        result->vector = trap_vector;
        result->error = trap_error;
        result->value = 0;
    } else {
        result->outcome = right ? PROBE_RIGHT : PROBE_WRONG;
    }
}
