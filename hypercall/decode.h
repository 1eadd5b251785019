/*
 * decode.h: table.def as arrays, for those who must find things by number.
 * Private to hypercall/.
 *
 * Names are arrays in place, not pointers: a position-independent program then
 * has nothing to relocate at its start, and pages nobody traces with stay cold.
 */
#ifndef HYPERCALL_DECODE_H
#define HYPERCALL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hypercall/dispatch.h>

/* STRUCT and LIST rows. */
enum decode_id {
    id_none,
#define STRUCT(name) id_##name,
#define LIST(name)   id_##name,
#include <hypercall/table.def>
    nr_ids
};

/* How a number in a register or in a member reads. */
enum decode_kind {
    kind_none,
    kind_dec,
    kind_signed,
    kind_hex,
    kind_address,
    kind_domid,
    kind_value,
    kind_flags,
    kind_subop,
    kind_arg,
    kind_one,
    kind_many,
    kind_args,
    kind_text,
    kind_calls,
};

struct decode_arg {
    uint8_t kind;  /* kind_none: the call has no such argument */
    uint8_t bytes; /* 4 or 8 */
    uint8_t count; /* index of the argument with the array's length */
    uint16_t ref;  /* enum decode_id */
};

struct decode_call {
    char name[32]; /* empty: no such call */
    uint8_t result;
    struct decode_arg args[HYPERCALL_NR_ARGS];
};

struct decode_subop {
    char name[40];
    uint32_t op;
    uint16_t ref;
    uint8_t call;
};

enum decode_author {
    author_in = 1,
    author_out = 2,
    author_both = author_in | author_out,
};

enum decode_presence { always, selected, counted };

struct decode_field {
    char name[24];
    uint16_t of; /* enum decode_id of the structure */
    uint16_t ref;
    uint16_t offset;
    uint8_t bytes;
    uint8_t author;
    uint8_t kind;
    uint8_t presence;
    uint8_t element_bytes; /* counted: of what the handle points to */
    uint8_t other_bytes;   /* the member that selects or counts */
    uint16_t other_offset;
    uint32_t set; /* selected: when */
};

struct decode_value {
    char name[40];
    uint64_t value;
    uint16_t of;
};

/* A size that no structure of the table exceeds. */
#define DECODE_MAX_STRUCT 128

/* NULL if there is none. */
const struct decode_call *decode_call(uint64_t nr);
const struct decode_subop *decode_subop(uint64_t nr, uint64_t op);

size_t decode_struct_size(enum decode_id id);

/* The fields of (id) follow each other; NULL and 0 if there are none. */
const struct decode_field *decode_fields(enum decode_id id, size_t *nr_fields);

/* The constants of list (id), likewise. */
const struct decode_value *decode_values(enum decode_id id, size_t *nr_values);

#endif
