/*
 * Raw output and the little of printf that reports need: %s %c %d %i %u %x %p
 * %%, with l, ll, z, a width, and a leading 0 or -.
 */
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include "abi.h"

struct sink {
    void (*put)(struct sink *sink, const char *bytes, size_t len);
    size_t len; /* bytes produced */
    char *buf;
    size_t size;
};

static const struct guest_console *console;

void guest_set_console(const struct guest_console *c)
{
    console = c;
}

const struct guest_console *guest_get_console(void)
{
    return console;
}

static void put_buffer(struct sink *sink, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++, sink->len++) {
        if (sink->len + 1 < sink->size)
            sink->buf[sink->len] = bytes[i];
    }
}

void guest_write(const char *bytes, size_t len)
{
    GUEST_LOCKED;

    if (console)
        console->write(bytes, len);
    else
        guest_abi->write_log(bytes, len);
}

/* Lines are gathered so that one is one hypercall. */
static void put_console(struct sink *sink, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sink->buf[sink->len++] = bytes[i];
        if (sink->len == sink->size || bytes[i] == '\n') {
            guest_write(sink->buf, sink->len);
            sink->len = 0;
        }
    }
}

struct conversion {
    size_t width;
    bool zero, left;
    unsigned longs; /* how many l, z counting as one */
};

static void put_padded(struct sink *sink, const struct conversion *conv,
                       const char *text, size_t len, bool number)
{
    const char *pad = number && conv->zero ? "0" : " ";

    for (size_t i = len; i < conv->width && !conv->left; i++)
        sink->put(sink, pad, 1);
    sink->put(sink, text, len);
    for (size_t i = len; i < conv->width && conv->left; i++)
        sink->put(sink, " ", 1);
}

static void put_number(struct sink *sink, const struct conversion *conv,
                       uint64_t value, unsigned base, bool negative)
{
    char text[24];
    size_t at = sizeof text;

    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        text[--at] = '-';
    put_padded(sink, conv, text + at, sizeof text - at, true);
}

static const char *parse(const char *p, struct conversion *conv)
{
    for (; *p == '0' || *p == '-'; p++) {
        conv->zero |= *p == '0';
        conv->left |= *p == '-';
    }
    for (; *p >= '0' && *p <= '9'; p++)
        conv->width = conv->width * 10 + (size_t)(*p - '0');
    for (; *p == 'l' || *p == 'z'; p++)
        conv->longs++;
    return p;
}

static size_t text_length(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;
    return len;
}

static void put_signed(struct sink *sink, const struct conversion *conv,
                       int64_t value)
{
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;

    put_number(sink, conv, size, 10, value < 0);
}

static void format_into(struct sink *sink, const char *p, va_list args)
{
    for (; *p; p++) {
        struct conversion conv = {0};
        const char *text;
        char c;

        if (*p != '%') {
            sink->put(sink, p, 1);
            continue;
        }
        p = parse(p + 1, &conv);
        switch (*p) {
        case 's':
            text = va_arg(args, const char *);
            if (!text)
                text = "(null)";
            put_padded(sink, &conv, text, text_length(text), false);
            break;
        case 'c':
            c = (char)va_arg(args, int);
            put_padded(sink, &conv, &c, 1, false);
            break;
        case 'd':
        case 'i':
            put_signed(sink, &conv,
                       conv.longs ? va_arg(args, long) : va_arg(args, int));
            break;
        case 'u':
        case 'x':
            put_number(sink, &conv,
                       conv.longs ? va_arg(args, unsigned long)
                                  : va_arg(args, unsigned),
                       *p == 'x' ? 16 : 10, false);
            break;
        case 'p':
            sink->put(sink, "0x", 2);
            put_number(sink, &conv, (uintptr_t)va_arg(args, void *), 16, false);
            break;
        case '\0':
            return;
        default:
            sink->put(sink, p, 1);
        }
    }
}

size_t guest_vformat(char *buf, size_t size, const char *format, va_list args)
{
    struct sink sink = {put_buffer, 0, buf, size};

    format_into(&sink, format, args);
    if (size)
        buf[sink.len < size ? sink.len : size - 1] = '\0';
    return sink.len;
}

size_t guest_format(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    size_t len;

    va_start(args, format);
    len = guest_vformat(buf, size, format, args);
    va_end(args);
    return len;
}

void guest_vprint(const char *format, va_list args)
{
    char line[160];
    struct sink sink = {put_console, 0, line, sizeof line};

    format_into(&sink, format, args);
    if (sink.len)
        guest_write(line, sink.len);
}

void guest_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    guest_vprint(format, args);
    va_end(args);
}
