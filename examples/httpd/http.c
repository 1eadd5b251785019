/* httpd/http.c: requests taken apart, heads of answers put together. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <pvguest/clock.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define DATE          "%a, %d %b %Y %H:%M:%S GMT"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {413, "Content Too Large"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {505, "HTTP Version Not Supported"},
};

static const struct {
    const char *end, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".json", "application/json"},
    {".xml", "application/xml"},
    {".pdf", "application/pdf"},
    {".wasm", "application/wasm"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".mp4", "video/mp4"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

const char *http_type(const char *name)
{
    const char *end = strrchr(name, '.');

    for (size_t i = 0; end && i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(end, types[i].end))
            return types[i].type;
    return "application/octet-stream";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false for a broken escape or a NUL. */
static bool decode(char *path)
{
    char *to = path;

    for (; *path; path++) {
        if (*path == '%') {
            const int high = hex(path[1]), low = high < 0 ? -1 : hex(path[2]);

            if (low < 0 || high * 16 + low == 0)
                return false;
            *to++ = (char)(high * 16 + low);
            path += 2;
        } else {
            *to++ = *path;
        }
    }
    *to = '\0';
    return true;
}

/* "." and ".." have no place in the archive's names. */
static bool is_plain(const char *path)
{
    while (*path) {
        const size_t len = strcspn(path, "/");

        if ((len == 1 && path[0] == '.') ||
            (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += len + (path[len] == '/');
    }
    return true;
}

/* "GET /path?query HTTP/1.1": the path, or NULL with its status set. */
static char *parse_line(char *line, struct request *request, bool *old)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;

    request->status = 400;
    if (!version)
        return NULL;
    *target++ = '\0';
    *version++ = '\0';
    *old = !strcmp(version, "HTTP/1.0");
    if (!*old && strcmp(version, "HTTP/1.1") != 0) {
        request->status = strncmp(version, "HTTP/", 5) ? 400 : 505;
        return NULL;
    }
    request->is_head = !strcmp(line, "HEAD");
    if (!request->is_head && strcmp(line, "GET") != 0) {
        request->status = 405;
        return target;
    }
    if (!strncasecmp(target, "http://", 7)) /* as proxies are asked */
        target += 7 + strcspn(target + 7, "/");
    if (*target != '/')
        return NULL;
    target[strcspn(target, "?#")] = '\0';
    target += strspn(target, "/");
    if (!decode(target) || !is_plain(target))
        return NULL;
    request->status = 200;
    return target;
}

static uint64_t parse_date(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, DATE, &tm);
    const time_t when = end ? timegm(&tm) : 0;

    return when > 0 ? (uint64_t)when : 0;
}

/* What a header field changes. */
static void take_field(struct request *request, const char *name,
                       const char *value, bool *has_host)
{
    if (!strcasecmp(name, "Connection")) {
        if (strcasestr(value, "close"))
            request->stay = false;
        else if (strcasestr(value, "keep-alive"))
            request->stay = true;
    } else if (!strcasecmp(name, "Host")) {
        *has_host = true;
    } else if (!strcasecmp(name, "If-Modified-Since")) {
        request->since = parse_date(value);
    } else if (!strcasecmp(name, "Transfer-Encoding") ||
               (!strcasecmp(name, "Content-Length") &&
                strcmp(value, "0") != 0)) {
        request->stay = false; /* what follows is no request */
        if (request->status == 200)
            request->status = 413;
    }
}

void http_parse(char *head, struct request *request)
{
    char *rest = head, *line = strsep(&rest, "\n");
    bool old = false, has_host = false;

    *request = (struct request){0};
    line[strcspn(line, "\r")] = '\0';
    request->path = parse_line(line, request, &old);
    request->stay = request->path && !old;
    while (rest && (line = strsep(&rest, "\n"))) {
        char *colon;

        line[strcspn(line, "\r")] = '\0';
        if (!*line)
            continue;
        colon = strchr(line, ':');
        if (!colon || colon == line ||
            strcspn(line, " \t") < strcspn(line, ":")) {
            request->status = 400;
            break;
        }
        *colon++ = '\0';
        take_field(request, line, colon + strspn(colon, " \t"), &has_host);
    }
    if (request->status == 200 && !old && !has_host)
        request->status = 400;
    if (request->status == 400 || request->status == 505)
        request->stay = false;
}

static size_t write_date(char *text, size_t size, const char *field,
                         time_t when)
{
    char date[40];
    struct tm tm;

    if (!gmtime_r(&when, &tm))
        return 0;
    strftime(date, sizeof date, DATE, &tm);
    return (size_t)snprintf(text, size, "%s: %s\r\n", field, date);
}

size_t http_write_head(char *text, size_t size, const struct answer *answer)
{
    static char date[64];
    static uint64_t date_is; /* of this second */
    const uint64_t now = clock_wall_ns() / NS_PER_SECOND;
    size_t len;

    if (now != date_is) {
        write_date(date, sizeof date, "Date", (time_t)now);
        date_is = now;
    }
    len = (size_t)snprintf(text, size,
                           "HTTP/1.1 %d %s\r\n"
                           "Server: Paravane\r\n"
                           "%s"
                           "Content-Type: %s\r\n"
                           "Content-Length: %llu\r\n"
                           "Connection: %s\r\n"
                           "%s%s%s%s",
                           answer->status, http_reason(answer->status), date,
                           answer->type, (unsigned long long)answer->length,
                           answer->stay ? "keep-alive" : "close",
                           answer->status == 405 ? "Allow: GET, HEAD\r\n" : "",
                           answer->location ? "Location: /" : "",
                           answer->location ? answer->location : "",
                           answer->location ? "\r\n" : "");
    if (answer->modified)
        len += write_date(text + len, size - len, "Last-Modified",
                          (time_t)answer->modified);
    return len + (size_t)snprintf(text + len, size - len, "\r\n");
}
