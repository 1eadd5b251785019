/*
 * host/store/trace.c: xenstore traffic as lines of text.
 */
#include "host/store/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/store/connection.h"
#include "host/store/server.h"

#define LINE_SIZE    1024
#define PAYLOAD_SIZE 400 /* shown of one */

static const char *const type_names[XS_TYPE_COUNT] = {
    [XS_CONTROL] = "CONTROL",
    [XS_DIRECTORY] = "DIRECTORY",
    [XS_READ] = "READ",
    [XS_GET_PERMS] = "GET_PERMS",
    [XS_WATCH] = "WATCH",
    [XS_UNWATCH] = "UNWATCH",
    [XS_TRANSACTION_START] = "TRANSACTION_START",
    [XS_TRANSACTION_END] = "TRANSACTION_END",
    [XS_INTRODUCE] = "INTRODUCE",
    [XS_RELEASE] = "RELEASE",
    [XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
    [XS_WRITE] = "WRITE",
    [XS_MKDIR] = "MKDIR",
    [XS_RM] = "RM",
    [XS_SET_PERMS] = "SET_PERMS",
    [XS_WATCH_EVENT] = "WATCH_EVENT",
    [XS_ERROR] = "ERROR",
    [XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [XS_RESUME] = "RESUME",
    [XS_SET_TARGET] = "SET_TARGET",
    [XS_RESET_WATCHES] = "RESET_WATCHES",
    [XS_DIRECTORY_PART] = "DIRECTORY_PART",
};

void trace_line(const struct store *store, const char *format, ...)
{
    static const char prefix[] = "xenstore: ";
    char line[LINE_SIZE];
    size_t len = sizeof prefix - 1;
    va_list args;
    int n;

    if (!store->trace)
        return;
    memcpy(line, prefix, len);
    va_start(args, format);
    n = vsnprintf(line + len, sizeof line - len - 1, format, args);
    va_end(args);
    if (n > 0)
        len += strlen(line + len);
    for (size_t i = 0; i < len; i++)
        if (line[i] < ' ' || line[i] > '~')
            line[i] = '?';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nobody is listening */
}

/* NULs become blanks, what cannot be printed \xNN, and a long end "...". */
static const char *show(const char *payload, size_t len, char *buf, size_t size)
{
    size_t at = 0;

    while (len && payload[len - 1] == '\0')
        len--;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)payload[i];

        if (at + 8 > size) {
            strcpy(buf + at, "...");
            return buf;
        }
        if (c == '\0')
            buf[at++] = ' ';
        else if (c < ' ' || c > '~')
            at += (size_t)sprintf(buf + at, "\\x%02x", c);
        else
            buf[at++] = (char)c;
    }
    buf[at] = '\0';
    return buf;
}

void trace_request(const struct connection *conn)
{
    const struct message *in = &conn->in, *out = &conn->out;
    char asked[PAYLOAD_SIZE], answered[PAYLOAD_SIZE], number[16], tx[24] = "";
    const char *name = NULL;

    if (!conn->store->trace)
        return;
    if (in->header.type < XS_TYPE_COUNT)
        name = type_names[in->header.type];
    if (!name) {
        snprintf(number, sizeof number, "type %u", in->header.type);
        name = number;
    }
    if (in->header.tx_id)
        snprintf(tx, sizeof tx, " tx %u", in->header.tx_id);
    trace_line(conn->store, "d%u %s%s \"%s\" -> %s\"%s\"", conn->domid, name,
               tx, show(in->payload, in->header.len, asked, sizeof asked),
               out->header.type == XS_ERROR ? "ERROR " : "",
               show(out->payload, out->header.len, answered, sizeof answered));
}
