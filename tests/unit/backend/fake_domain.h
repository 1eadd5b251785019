/*
 * tests/unit/backend/fake_domain.h: a domain with real memory and a real grant
 * table, and stand-ins for what backends are connected through: event channels
 * that count, and a xenbus that is a list of keys. What must hold is asserted,
 * so that fuzzers can use it too.
 */
#ifndef FAKE_DOMAIN_H
#define FAKE_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <grant/offer.h>

#include "host/backend/xenbus.h"
#include "host/domain.h"

#define FAKE_PORT     7
#define FAKE_NR_PORTS 3   /* it and those behind it */
#define FAKE_PAGES    512 /* RAM of the guest */

extern struct domain fake_dom;
extern struct domain_config fake_config;
extern struct grant_offers fake_offers;

/* All zero, with (fake_config) as it is now. */
void fake_domain_create(bool scatter);

/* Also checks the accounts: nothing granted in use, no page held, no port. */
void fake_domain_destroy(void);

/* Page (i) of the guest's RAM: as the host sees it, and its mfn. */
void *fake_page(unsigned i);
mfn_t fake_mfn(unsigned i);

/* Grant page (i) to the backend. */
grant_ref_t fake_grant(unsigned i, bool readonly);

/* The guest sends; the host's event channel tells how often it was raised. */
void fake_notify(void);
void fake_notify_port(evtchn_port_t port);
void fake_close_port(void);
extern unsigned fake_raised;
extern bool fake_bound;

/* The frontend's keys. NULL removes. */
void fake_front_key(const char *key, const char *value);
/* What the backend published, "" if nothing. */
const char *fake_back_key(const char *key);
extern unsigned fake_failures; /* calls of xenbus_fail */
extern bool fake_is_open;      /* xenbus_open was called */

/* As the store would: 0 or what connect said. (bus): the last one created. */
int fake_connect(void);
void fake_disconnect(void);
extern struct xenbus_device *fake_bus;

/* Sleep until the domain's descriptors have something to say, and serve it. */
void fake_sleep(void);

#endif
