/* httpd/http.h: HTTP/1.1 as far as GET and HEAD need it. (RFC 9110, 9112) */
#ifndef HTTPD_HTTP_H
#define HTTPD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
    int status;     /* 200, or why it cannot be answered */
    bool stay;      /* the visitor may ask more on this connection */
    bool is_head;   /* wants no body */
    char *path;     /* decoded, without the first slash; no "." or ".." */
    uint64_t since; /* If-Modified-Since, seconds since 1970; 0: not asked */
};

/* Understand the request whose head is (head), which is taken apart for it. */
void http_parse(char *head, struct request *request);

const char *http_reason(int status);

/* By the end of a file's name. */
const char *http_type(const char *name);

/* What an answer begins with. */
struct answer {
    int status;
    const char *type;
    uint64_t length;
    uint64_t modified;    /* 0: unknown */
    const char *location; /* 301: without the first slash; else NULL */
    bool stay;
};

/* Write the head of (answer): its length. */
size_t http_write_head(char *text, size_t size, const struct answer *answer);

#endif
