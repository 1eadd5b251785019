/*
 * table.def, spelled out as arrays.
 */
#include "decode.h"

#include <xen/xen.h>

#include <xen/arch-x86/xen-mca.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/pmu.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

#define BYTES_int32 4
#define BYTES_int64 8

static const struct decode_call calls[HYPERCALL_NR_MAX] = {
#define ARG(width_, kindof, ref_, count_)                                  \
    {                                                                      \
        .kind = kind_##kindof, .bytes = BYTES_##width_, .count = (count_), \
        .ref = id_##ref_                                                   \
    }
#define HYPERCALL(name_, result_, ...) \
    [__HYPERVISOR_##name_] = {         \
        .name = #name_, .result = kind_##result_, .args = {__VA_ARGS__}},
#include <hypercall/table.def>
#undef ARG
};

static const struct decode_subop subops[] = {
#define SUBOP(call_, op_, struct_) \
    {.name = #op_,                 \
     .op = (op_),                  \
     .ref = id_##struct_,          \
     .call = __HYPERVISOR_##call_},
#include <hypercall/table.def>
};

static const uint16_t struct_sizes[nr_ids] = {
#define STRUCT(name) [id_##name] = sizeof(struct name),
#include <hypercall/table.def>
};

#define STRUCT(name)                                         \
    _Static_assert(sizeof(struct name) <= DECODE_MAX_STRUCT, \
                   "raise DECODE_MAX_STRUCT for " #name);
#include <hypercall/table.def>

/* Names fit, with their NUL. */
#define NAME_FITS(name_, where_)                                        \
    _Static_assert(sizeof(name_) <= sizeof(((struct where_ *)0)->name), \
                   "make the name of struct " #where_ " longer");
#define HYPERCALL(name, ...)      NAME_FITS(#name, decode_call)
#define SUBOP(call, op, ref)      NAME_FITS(#op, decode_subop)
#define FIELD(of, path, ...)      NAME_FITS(#path, decode_field)
#define FIELD_IF(of, path, ...)   NAME_FITS(#path, decode_field)
#define FIELD_LIST(of, path, ...) NAME_FITS(#path, decode_field)
#define VALUE(list, name)         NAME_FITS(#name, decode_value)
#include <hypercall/table.def>

#define MEMBER_BYTES(struct_, path_) sizeof(((struct struct_ *)0)->path_)
#define PLAIN(struct_, path_, by, kindof, ref_)                   \
    .name = #path_, .of = id_##struct_, .ref = id_##ref_,         \
    .offset = offsetof(struct struct_, path_),                    \
    .bytes = MEMBER_BYTES(struct_, path_), .author = author_##by, \
    .kind = kind_##kindof
#define OTHER(struct_, path_)                        \
    .other_offset = offsetof(struct struct_, path_), \
    .other_bytes = MEMBER_BYTES(struct_, path_)

static const struct decode_field fields[] = {
#define FIELD(struct_, path_, by, kindof, ref_) \
    {PLAIN(struct_, path_, by, kindof, ref_), .presence = always},
#define FIELD_IF(struct_, path_, by, kindof, ref_, selector_, set_) \
    {PLAIN(struct_, path_, by, kindof, ref_), .presence = selected, \
     OTHER(struct_, selector_), .set = (set_)},
#define FIELD_LIST(struct_, path_, by, kindof, ref_, element_, count_) \
    {PLAIN(struct_, path_, by, kindof, ref_), .presence = counted,     \
     OTHER(struct_, count_), .element_bytes = sizeof(element_)},
#include <hypercall/table.def>
};

static const struct decode_value values[] = {
#define VALUE(list_, name_) \
    {.name = #name_, .value = (uint64_t)(name_), .of = id_##list_},
#include <hypercall/table.def>
};

const struct decode_call *decode_call(uint64_t nr)
{
    if (nr >= HYPERCALL_NR_MAX || !calls[nr].name[0])
        return NULL;
    return &calls[nr];
}

const struct decode_subop *decode_subop(uint64_t nr, uint64_t op)
{
    for (size_t i = 0; i < NR_OF(subops); i++)
        if (subops[i].call == nr && subops[i].op == op)
            return &subops[i];
    return NULL;
}

size_t decode_struct_size(enum decode_id id)
{
    return struct_sizes[id];
}

const struct decode_field *decode_fields(enum decode_id id, size_t *nr_fields)
{
    const struct decode_field *first = NULL;

    *nr_fields = 0;
    for (size_t i = 0; i < NR_OF(fields); i++) {
        if (fields[i].of != id)
            continue;
        if (!first)
            first = &fields[i];
        ++*nr_fields;
    }
    return first;
}

const struct decode_value *decode_values(enum decode_id id, size_t *nr_values)
{
    const struct decode_value *first = NULL;

    *nr_values = 0;
    for (size_t i = 0; i < NR_OF(values); i++) {
        if (values[i].of != id)
            continue;
        if (!first)
            first = &values[i];
        ++*nr_values;
    }
    return first;
}
