/* user/lib/print.c: lines out and in. */
#include "lib.h"

struct out {
    long fd;
    size_t len;
    char bytes[256];
};

static void flush(struct out *out)
{
    if (out->len)
        write(out->fd, out->bytes, out->len);
    out->len = 0;
}

static void put(struct out *out, char c)
{
    if (out->len == sizeof out->bytes)
        flush(out);
    out->bytes[out->len++] = c;
}

/* (width) negative: to the left. */
static void put_text(struct out *out, const char *text, long width, char pad)
{
    long len = (long)strlen(text);

    for (long i = len; i < width; i++)
        put(out, pad);
    for (long i = 0; i < len; i++)
        put(out, text[i]);
    for (long i = len; i < -width; i++)
        put(out, ' ');
}

static void put_number(struct out *out, unsigned long value, bool negative,
                       unsigned base, long width, char pad)
{
    char digits[24] = {0};
    size_t at = sizeof digits;

    digits[--at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[--at] = '-';
    put_text(out, digits + at, width, pad);
}

struct conversion {
    long width; /* negative: to the left */
    char pad;
    bool is_long;
};

/* What stands between % and the letter, at which it returns. */
static const char *parse(const char *p, struct conversion *conv)
{
    bool left = *p == '-';
    long width = 0;

    *conv = (struct conversion){.pad = *p == '0' ? '0' : ' '};
    p += left || *p == '0';
    for (; *p >= '0' && *p <= '9'; p++)
        width = width * 10 + (*p - '0');
    conv->width = left ? -width : width;
    for (; *p == 'l' || *p == 'z'; p++)
        conv->is_long = true;
    return p;
}

static void put_signed(struct out *out, long value,
                       const struct conversion *conv)
{
    put_number(out, (unsigned long)(value < 0 ? -value : value), value < 0, 10,
               conv->width, conv->pad);
}

void fprintf(long fd, const char *format, ...)
{
    struct out out = {.fd = fd};
    struct conversion conv;
    char c[2] = {0};
    va_list args;

    va_start(args, format);
    while (*format) {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        format = parse(format + 1, &conv);
        switch (*format++) {
        case 's':
            put_text(&out, va_arg(args, const char *), conv.width, ' ');
            break;
        case 'c':
            c[0] = (char)va_arg(args, int);
            put_text(&out, c, conv.width, ' ');
            break;
        case 'd':
            put_signed(&out,
                       conv.is_long ? va_arg(args, long) : va_arg(args, int),
                       &conv);
            break;
        case 'u':
        case 'x':
            put_number(&out,
                       conv.is_long ? va_arg(args, unsigned long)
                                    : va_arg(args, unsigned),
                       false, format[-1] == 'x' ? 16 : 10, conv.width,
                       conv.pad);
            break;
        default:
            put(&out, format[-1]);
        }
    }
    va_end(args);
    flush(&out);
}

int complain(const char *name, const char *what, long error)
{
    fprintf(2, "%s: %s: %s\n", name, what, error_text(error));
    return 1;
}

bool read_line(long fd, char *line, size_t size)
{
    size_t len = 0;
    bool any = false;
    char c;

    while (read(fd, &c, 1) == 1) {
        any = true;
        if (c == '\n')
            break;
        if (len < size - 1)
            line[len++] = c;
    }
    line[len] = '\0';
    return any;
}
