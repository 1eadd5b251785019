/* httpd/page.h: the page about the domain itself. */
#ifndef HTTPD_PAGE_H
#define HTTPD_PAGE_H

#include <stddef.h>

struct page_counters {
    unsigned long requests, visits, now;
};

/* Write it: its length. */
size_t page_write(char *page, size_t size,
                  const struct page_counters *counters);

/* A small page that says (status). */
size_t page_write_error(char *page, size_t size, int status);

#endif
