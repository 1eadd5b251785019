/*
 * console_io: a kernel's voice before it has a console. Real Xen keeps it from
 * unprivileged domains; here it is printed.
 */
#include <errno.h>

#include "host/backend/console.h"
#include "host/calls/calls.h"
#include "host/domain.h"

#define CHUNK 256

/* Nothing may steer the user's terminal but line ends and tabs. */
static bool is_plain(char c)
{
    return c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f) ||
           (unsigned char)c >= 0xa0;
}

void console_io_flush(struct domain *dom)
{
    if (dom->console_line_len)
        console_write(dom, dom->console_line, dom->console_line_len);
    dom->console_line_len = 0;
}

static void add(struct domain *dom, char c)
{
    if (!is_plain(c))
        return;
    dom->console_line[dom->console_line_len++] = c;
    if (c == '\n' || dom->console_line_len == sizeof dom->console_line)
        console_io_flush(dom);
}

static long write_console(struct vcpu *vcpu, uint32_t count, uint64_t from)
{
    char chunk[CHUNK];

    while (count > 0) {
        uint32_t part = count < CHUNK ? count : CHUNK;

        if (guest_read(vcpu, guest_addr(from), chunk, part))
            return -EFAULT;
        for (uint32_t i = 0; i < part; i++)
            add(vcpu->domain, chunk[i]);
        count -= part;
        from += part;
        if (count > 0 && !call_breathe(vcpu))
            break;
    }
    return 0;
}

long call_console_io(void *opaque, const uint64_t *args)
{
    switch ((int)args[0]) {
    case CONSOLEIO_write:
        return write_console(opaque, (uint32_t)args[1], args[2]);
    default:
        return -EPERM; /* what else there may be is the initial domain's */
    }
}
