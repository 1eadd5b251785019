/*
 * host/backend/lent_page.h: a page of the guest in a backend's hands, by grant
 * and only by grant.
 *
 * It is held twice: its grant entry is marked, so that the guest cannot
 * withdraw it, and its frame is counted, so that the guest cannot give it back
 * to the host while we, or the kernel for us, read or write it.
 */
#ifndef HOST_BACKEND_LENT_PAGE_H
#define HOST_BACKEND_LENT_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/grant_table.h>

struct domain;

struct lent_page {
    grant_ref_t ref;
    uint32_t frame; /* index of it */
};

/*
 * Borrow what (ref) grants to the backend, to be written if (write). Its
 * bytes, or NULL if the guest granted no such thing, or a page that the guest
 * itself may not write either.
 */
uint8_t *lent_page_borrow(struct domain *dom, grant_ref_t ref, bool write,
                          struct lent_page *page);

/* (write) as it was borrowed. */
void lent_page_return(struct domain *dom, const struct lent_page *page,
                      bool write);

#endif
