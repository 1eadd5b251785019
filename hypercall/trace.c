/*
 * A hypercall as a line of text. Everything shown is read once from the
 * caller's registers and memory for the sake of showing it: what cannot be read
 * is shown as the address it should have been at.
 */
#include <hypercall/trace.h>

#include <stdbool.h>
#include <string.h>

#include <xen/xen.h>

#include "decode.h"

/* Of arrays, this much is shown. */
#define MAX_STRUCTS 2
#define MAX_CALLS   2
#define MAX_NUMBERS 4
#define MAX_TEXT    32

struct line {
    char *buf;
    size_t size;
    size_t len;
    hypercall_read_fn read;
    void *vcpu;
};

static void show_char(struct line *line, char c)
{
    if (line->len + 1 < line->size)
        line->buf[line->len++] = c;
}

static void show(struct line *line, const char *text)
{
    while (*text)
        show_char(line, *text++);
}

static size_t finish(struct line *line)
{
    if (line->size)
        line->buf[line->len] = '\0';
    return line->len;
}

static void show_unsigned(struct line *line, uint64_t number, unsigned base)
{
    char digits[20];
    size_t nr = 0;

    do {
        digits[nr++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (nr)
        show_char(line, digits[--nr]);
}

static void show_signed(struct line *line, int64_t number)
{
    if (number < 0)
        show_char(line, '-');
    show_unsigned(line, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
}

static void show_hex(struct line *line, uint64_t number)
{
    if (number)
        show(line, "0x");
    show_unsigned(line, number, 16);
}

static void show_address(struct line *line, uint64_t va)
{
    if (va)
        show_hex(line, va);
    else
        show(line, "NULL");
}

static uint64_t mask_of(size_t bytes)
{
    return bytes < 8 ? ((uint64_t)1 << 8 * bytes) - 1 : UINT64_MAX;
}

/* By its name in list (id), else as (base) says. */
static void show_value(struct line *line, enum decode_id id, uint64_t number,
                       size_t bytes, unsigned base)
{
    size_t nr_values;
    const struct decode_value *value = decode_values(id, &nr_values);

    for (; nr_values; value++, nr_values--) {
        if ((value->value & mask_of(bytes)) == number) {
            show(line, value->name);
            return;
        }
    }
    if (base == 16)
        show_hex(line, number);
    else
        show_unsigned(line, number, base);
}

static void show_flags(struct line *line, enum decode_id id, uint64_t number)
{
    size_t nr_values;
    const struct decode_value *value = decode_values(id, &nr_values);
    bool first = true;

    for (; number && nr_values; value++, nr_values--) {
        if (!(value->value & number))
            continue;
        if (!first)
            show_char(line, '|');
        show(line, value->name);
        number &= ~value->value;
        first = false;
    }
    if (!number && !first)
        return;
    if (!first)
        show_char(line, '|');
    show_value(line, id, number, 8, 16);
}

/* The low (bytes) of (number), which has nothing else. */
static void show_number(struct line *line, unsigned kind, enum decode_id ref,
                        uint64_t number, size_t bytes)
{
    size_t unused = 8 * (sizeof number - bytes);

    switch (kind) {
    case kind_dec:
        show_unsigned(line, number, 10);
        break;
    case kind_signed:
        show_signed(line, (int64_t)(number << unused) >> unused);
        break;
    case kind_domid:
        show_value(line, id_DOMID, number, bytes, 10);
        break;
    case kind_value:
        show_value(line, ref, number, bytes, 10);
        break;
    case kind_flags:
        show_flags(line, ref, number);
        break;
    case kind_hex:
        show_hex(line, number);
        break;
    default:
        show_address(line, number);
        break;
    }
}

static uint64_t number_at(const void *at, size_t bytes)
{
    uint64_t number = 0;

    memcpy(&number, at, bytes); /* little-endian */
    return number;
}

static bool read_guest(struct line *line, uint64_t va, void *buf, size_t len)
{
    return va && line->read && !line->read(line->vcpu, va, buf, len);
}

static void show_numbers(struct line *line, const struct decode_field *field,
                         uint64_t va, uint64_t count)
{
    uint8_t numbers[MAX_NUMBERS * sizeof(uint64_t)];
    size_t shown = count < MAX_NUMBERS ? (size_t)count : MAX_NUMBERS;
    size_t bytes = field->element_bytes;

    if (!read_guest(line, va, numbers, shown * bytes)) {
        show_address(line, va);
        return;
    }
    show_char(line, '[');
    for (size_t i = 0; i < shown; i++) {
        if (i)
            show(line, ", ");
        show_number(line, field->kind, field->ref,
                    number_at(numbers + i * bytes, bytes), bytes);
    }
    if (shown < count)
        show(line, ", ...");
    show_char(line, ']');
}

/* Is (field) of a structure there, and by one of (authors)? */
static bool is_shown(const struct decode_field *field, const uint8_t *data,
                     unsigned authors)
{
    uint64_t selector;

    if (!(field->author & authors))
        return false;
    if (field->presence != selected)
        return true;
    selector = number_at(data + field->other_offset, field->other_bytes);
    return selector < 32 && field->set >> selector & 1;
}

static bool has_fields(enum decode_id id, unsigned authors)
{
    size_t nr_fields;
    const struct decode_field *field = decode_fields(id, &nr_fields);

    for (; nr_fields; field++, nr_fields--)
        if (field->author & authors)
            return true;
    return false;
}

static void show_fields(struct line *line, enum decode_id id,
                        const uint8_t *data, unsigned authors)
{
    size_t nr_fields;
    const struct decode_field *field = decode_fields(id, &nr_fields);
    bool first = true;

    show_char(line, '{');
    for (; nr_fields; field++, nr_fields--) {
        uint64_t number = number_at(data + field->offset, field->bytes);

        if (!is_shown(field, data, authors))
            continue;
        if (!first)
            show(line, ", ");
        first = false;
        show(line, field->name);
        show_char(line, '=');
        if (field->presence == counted)
            show_numbers(
                line, field, number,
                number_at(data + field->other_offset, field->other_bytes));
        else
            show_number(line, field->kind, field->ref, number, field->bytes);
    }
    show_char(line, '}');
}

static void show_struct(struct line *line, enum decode_id id, uint64_t va,
                        unsigned authors)
{
    uint8_t data[DECODE_MAX_STRUCT];

    if (has_fields(id, authors) &&
        read_guest(line, va, data, decode_struct_size(id)))
        show_fields(line, id, data, authors);
    else
        show_address(line, va);
}

/* Is this the element that ends an array of unknown length? */
static bool is_last(enum decode_id id, const uint8_t *data)
{
    size_t nr_fields;
    const struct decode_field *field = decode_fields(id, &nr_fields);

    field += nr_fields - 1;
    return !number_at(data + field->offset, field->bytes);
}

/* (count) structures, or as many as there are if (ends) marks the end. */
static void show_structs(struct line *line, enum decode_id id, uint64_t va,
                         uint64_t count, bool ends, unsigned authors)
{
    uint8_t data[DECODE_MAX_STRUCT];
    size_t size = decode_struct_size(id);

    if (!has_fields(id, authors) ||
        ((ends || count) && !read_guest(line, va, data, size))) {
        show_address(line, va);
        return;
    }
    show_char(line, '[');
    for (uint64_t i = 0; ends || i < count; i++) {
        if (i)
            show(line, ", ");
        if (i == MAX_STRUCTS) {
            show(line, "...");
            break;
        }
        if (!read_guest(line, va + i * size, data, size)) {
            show_address(line, va + i * size);
            break;
        }
        show_fields(line, id, data, authors);
        if (ends && is_last(id, data))
            break;
    }
    show_char(line, ']');
}

static void show_text(struct line *line, uint64_t va, uint64_t count)
{
    char text[MAX_TEXT];
    size_t shown = count < MAX_TEXT ? (size_t)count : MAX_TEXT;

    if (!read_guest(line, va, text, shown)) {
        show_address(line, va);
        return;
    }
    show_char(line, '"');
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n') {
            show(line, "\\n");
        } else if (c < ' ' || c > '~') {
            show(line, "\\x");
            show_char(line, "0123456789abcdef"[c >> 4]);
            show_char(line, "0123456789abcdef"[c & 15]);
        } else {
            if (c == '"' || c == '\\')
                show_char(line, '\\');
            show_char(line, (char)c);
        }
    }
    show(line, shown < count ? "\"..." : "\"");
}

static void show_call(struct line *line, uint64_t nr, const uint64_t *args,
                      bool in_list);

static void show_calls(struct line *line, uint64_t va, uint64_t count)
{
    struct multicall_entry entry;

    if (count && !read_guest(line, va, &entry, sizeof entry)) {
        show_address(line, va);
        return;
    }
    show_char(line, '[');
    for (uint64_t i = 0; i < count; i++) {
        uint64_t args[HYPERCALL_NR_ARGS];

        if (i)
            show(line, ", ");
        if (i == MAX_CALLS) {
            show(line, "...");
            break;
        }
        if (!read_guest(line, va + i * sizeof entry, &entry, sizeof entry)) {
            show_address(line, va + i * sizeof entry);
            break;
        }
        memcpy(args, entry.args, sizeof args);
        show_call(line, entry.op, args, true);
    }
    show_char(line, ']');
}

/* An argument, as much of it as its width says. */
static uint64_t arg_of(const struct decode_call *call, const uint64_t *args,
                       size_t i)
{
    return args[i] & mask_of(call->args[i].bytes);
}

/* What the sub-operation of this call takes, if it has one. */
static const struct decode_subop *subop_of(const struct decode_call *call,
                                           uint64_t nr, const uint64_t *args)
{
    if (call->args[0].kind != kind_subop)
        return NULL;
    return decode_subop(nr, arg_of(call, args, 0));
}

static void show_arg(struct line *line, const struct decode_call *call,
                     const struct decode_subop *subop, const uint64_t *args,
                     size_t i, bool in_list)
{
    const struct decode_arg *arg = &call->args[i];
    uint64_t number = arg_of(call, args, i);
    uint64_t count = arg_of(call, args, arg->count);
    enum decode_id of_subop = subop ? subop->ref : id_none;

    switch (arg->kind) {
    case kind_subop:
        if (subop)
            show(line, subop->name);
        else
            show_unsigned(line, number, 10);
        break;
    case kind_arg:
        show_struct(line, of_subop, number, author_in);
        break;
    case kind_args:
        show_structs(line, of_subop, number, count, false, author_in);
        break;
    case kind_one:
        show_struct(line, arg->ref, number, author_in);
        break;
    case kind_many:
        show_structs(line, arg->ref, number, count, !arg->count, author_in);
        break;
    case kind_text:
        show_text(line, number, count);
        break;
    case kind_calls:
        if (in_list) /* an error in any case */
            show_address(line, number);
        else
            show_calls(line, number, count);
        break;
    default:
        show_number(line, arg->kind, arg->ref, number, arg->bytes);
        break;
    }
}

static void show_unknown(struct line *line, uint64_t nr, const uint64_t *args)
{
    show(line, "hypercall_");
    show_unsigned(line, nr, 10);
    show_char(line, '(');
    for (size_t i = 0; i < HYPERCALL_NR_ARGS; i++) {
        if (i)
            show(line, ", ");
        show_hex(line, args[i]);
    }
    show_char(line, ')');
}

static void show_call(struct line *line, uint64_t nr, const uint64_t *args,
                      bool in_list)
{
    const struct decode_call *call = decode_call(nr);
    const struct decode_subop *subop;

    if (!call) {
        show_unknown(line, nr, args);
        return;
    }
    subop = subop_of(call, nr, args);
    show(line, call->name);
    show_char(line, '(');
    for (size_t i = 0; i < HYPERCALL_NR_ARGS && call->args[i].kind; i++) {
        if (i)
            show(line, ", ");
        show_arg(line, call, subop, args, i, in_list);
    }
    show_char(line, ')');
}

size_t hypercall_format(char *buf, size_t size, uint64_t nr,
                        const uint64_t *args, hypercall_read_fn read,
                        void *vcpu)
{
    struct line line = {.buf = buf, .size = size, .read = read, .vcpu = vcpu};

    show_call(&line, nr, args, false);
    return finish(&line);
}

size_t hypercall_format_answer(char *buf, size_t size, uint64_t nr,
                               const uint64_t *args, hypercall_read_fn read,
                               void *vcpu)
{
    struct line line = {.buf = buf, .size = size, .read = read, .vcpu = vcpu};
    const struct decode_call *call = decode_call(nr);
    const struct decode_subop *subop = call ? subop_of(call, nr, args) : NULL;

    if (!subop || !has_fields(subop->ref, author_out))
        return finish(&line);

    for (size_t i = 0; i < HYPERCALL_NR_ARGS; i++) {
        uint64_t number = arg_of(call, args, i);

        if (call->args[i].kind == kind_arg)
            show_struct(&line, subop->ref, number, author_out);
        else if (call->args[i].kind == kind_args)
            show_structs(&line, subop->ref, number,
                         arg_of(call, args, call->args[i].count), false,
                         author_out);
    }
    return finish(&line);
}

size_t hypercall_format_result(char *buf, size_t size, uint64_t nr,
                               const uint64_t *args, long result)
{
    struct line line = {.buf = buf, .size = size};
    const struct decode_call *call = decode_call(nr);
    const char *error = NULL;

    (void)args;
    if (result < 0 && result >= -4095)
        error = hypercall_errno_name((int)-result);

    if (call && call->result == kind_hex && !error)
        show_hex(&line, (uint64_t)result);
    else
        show_signed(&line, result);
    if (error) {
        show(&line, " (-");
        show(&line, error);
        show_char(&line, ')');
    }
    return finish(&line);
}

const char *hypercall_errno_name(int err)
{
    static const struct {
        char name[16];
        int value;
    } names[] = {
#define XEN_ERRNO(name_, value_) {.name = #name_, .value = (value_)},
#include <xen/errno.h>
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].value == err)
            return names[i].name; /* the first of aliases */
    return NULL;
}
