#include "fake_domain.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/port.h"
#include "host/sandbox.h"

#define TABLE_PAGES 4
#define NR_GRANTS   (TABLE_PAGES * GRANT_ENTRIES_PER_PAGE)

struct domain fake_dom;
struct domain_config fake_config;
struct grant_offers fake_offers;
unsigned fake_raised;
bool fake_bound;
unsigned fake_failures;
bool fake_is_open;
struct xenbus_device *fake_bus;

static struct port ports[FAKE_NR_PORTS]; /* FAKE_PORT and those behind */

static struct key {
    char name[64], value[256];
} front_keys[64], back_keys[64];
static unsigned nr_front_keys, nr_back_keys;

void fake_domain_create(bool scatter)
{
    static grant_entry_v1_t *table;
    static uint32_t next[NR_GRANTS];
    static struct grant_pins pins[TABLE_PAGES][GRANT_ENTRIES_PER_PAGE];
    const struct memory_config config = {
        .ram_pages = FAKE_PAGES, .shared_pages = 8, .scatter = scatter};
    int rc;

    memset(&fake_dom, 0, sizeof fake_dom);
    memset(pins, 0, sizeof pins);
    memset(ports, 0, sizeof ports);
    nr_front_keys = nr_back_keys = fake_raised = fake_failures = 0;
    fake_bound = fake_is_open = false;
    fake_dom.id = DOMAIN_ID;
    fake_dom.config = &fake_config;
    rc = memory_create(&fake_dom.mem, &config);
    assert(rc == 0);

    /* The guest wants its table in one piece; the host has pages. */
    table = aligned_alloc(PAGE_SIZE, TABLE_PAGES * PAGE_SIZE);
    memset(table, 0, TABLE_PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < TABLE_PAGES; i++)
        grant_table_grow(&fake_dom.grants, table + i * GRANT_ENTRIES_PER_PAGE,
                         pins[i]);
    grant_offers_init(&fake_offers, table, NR_GRANTS, next);
}

void fake_domain_destroy(void)
{
    assert(!fake_dom.grants.nr_pinned); /* no grant is in use */
    for (size_t i = 0; i < fake_dom.mem.nr_frames; i++)
        assert(!fake_dom.mem.frames[i].refs); /* no frame is held */
    assert(!fake_bound);
    assert(!fake_dom.wait.nr); /* no descriptor is waited for */
    memory_destroy(&fake_dom.mem);
    free(fake_dom.grants.frames[0]);
}

mfn_t fake_mfn(unsigned i)
{
    return fake_dom.mem.first_mfn + i;
}

void *fake_page(unsigned i)
{
    return memory_frame(&fake_dom.mem, fake_mfn(i));
}

grant_ref_t fake_grant(unsigned i, bool readonly)
{
    int64_t ref =
        grant_offer(&fake_offers, BACKEND_ID, (uint32_t)fake_mfn(i), readonly);

    assert(ref > 0);
    return (grant_ref_t)ref;
}

void fake_sleep(void)
{
    int rc = wait_for(&fake_dom.wait, UINT64_MAX);

    assert(rc >= 0);
}

/* host/port.h */

static struct port *find_port(evtchn_port_t number)
{
    return number - FAKE_PORT < FAKE_NR_PORTS ? &ports[number - FAKE_PORT]
                                              : NULL;
}

static void count_bound(void)
{
    fake_bound = false;
    for (unsigned i = 0; i < FAKE_NR_PORTS; i++)
        fake_bound |= ports[i].state == PORT_BACKEND;
}

int port_bind_backend(struct domain *dom, evtchn_port_t number, uint16_t remote,
                      port_fn notify, port_fn closed, void *context)
{
    struct port *port = find_port(number);

    assert(dom == &fake_dom);
    assert(remote == BACKEND_ID);
    if (!port || port->state == PORT_BACKEND)
        return -EINVAL;
    *port = (struct port){.state = PORT_BACKEND,
                          .notify = notify,
                          .closed = closed,
                          .context = context};
    count_bound();
    return 0;
}

void port_unbind_backend(struct domain *dom, evtchn_port_t number)
{
    struct port *port = find_port(number);

    assert(dom == &fake_dom);
    if (port)
        port->state = PORT_FREE;
    count_bound();
}

void port_raise(struct domain *dom, evtchn_port_t number)
{
    assert(dom == &fake_dom);
    if (!number) /* as the real one: no such port is no harm */
        return;
    assert(find_port(number) && find_port(number)->state == PORT_BACKEND);
    fake_raised++;
}

void fake_notify_port(evtchn_port_t number)
{
    struct port *port = find_port(number);

    if (port->state == PORT_BACKEND)
        port->notify(port->context);
}

void fake_notify(void)
{
    fake_notify_port(FAKE_PORT);
}

void fake_close_port(void)
{
    ports[0].state = PORT_FREE;
    count_bound();
    if (ports[0].closed)
        ports[0].closed(ports[0].context);
}

/* host/domain.h, host/sandbox.h */

void domain_end(struct domain *dom, enum domain_end end)
{
    if (dom->end == DOMAIN_RUNS)
        dom->end = end;
}

void sandbox_allow_arg(struct sandbox *sandbox, int nr, int arg)
{
    assert(sandbox == &fake_dom.sandbox && nr >= 0 && arg >= 0);
}

void sandbox_allow_args(struct sandbox *sandbox, int nr, int arg, int64_t arg2)
{
    (void)arg2;
    sandbox_allow_arg(sandbox, nr, arg);
}

/* host/backend/xenbus.h */

static struct key *find(struct key *keys, unsigned nr, const char *name)
{
    for (unsigned i = 0; i < nr; i++)
        if (!strcmp(keys[i].name, name))
            return &keys[i];
    return NULL;
}

static void set(struct key *keys, unsigned *nr, const char *name,
                const char *value)
{
    struct key *key = find(keys, *nr, name);

    if (!key)
        key = &keys[(*nr)++];
    snprintf(key->name, sizeof key->name, "%s", name);
    snprintf(key->value, sizeof key->value, "%s", value);
}

void fake_front_key(const char *name, const char *value)
{
    struct key *key = find(front_keys, nr_front_keys, name);

    if (value)
        set(front_keys, &nr_front_keys, name, value);
    else if (key)
        *key = front_keys[--nr_front_keys];
}

const char *fake_back_key(const char *name)
{
    struct key *key = find(back_keys, nr_back_keys, name);

    return key ? key->value : "";
}

int xenbus_create(struct xenbus_device *dev, struct domain *dom,
                  const char *class, uint32_t id, const struct xenbus_ops *ops,
                  void *context)
{
    *dev = (struct xenbus_device){
        .dom = dom, .class = class, .id = id, .ops = ops, .context = context};
    fake_bus = dev;
    return 0;
}

int xenbus_preset(struct xenbus_device *dev, const char *key,
                  const char *format, ...)
{
    (void)dev;
    (void)key;
    (void)format;
    return 0;
}

int xenbus_publish(struct xenbus_device *dev, const char *key,
                   const char *format, ...)
{
    char value[256];
    va_list args;

    (void)dev;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    set(back_keys, &nr_back_keys, key, value);
    return 0;
}

int xenbus_open(struct xenbus_device *dev)
{
    (void)dev;
    fake_is_open = true;
    return 0;
}

long xenbus_read(struct xenbus_device *dev, const char *name, char *buf,
                 size_t size)
{
    const struct key *key = find(front_keys, nr_front_keys, name);

    (void)dev;
    if (!key)
        return -ENOENT;
    if (strlen(key->value) >= size)
        return -E2BIG;
    strcpy(buf, key->value);
    return (long)strlen(buf);
}

int xenbus_read_u32(struct xenbus_device *dev, const char *name,
                    uint32_t *value)
{
    char text[32], *end;
    long rc = xenbus_read(dev, name, text, sizeof text);

    if (rc < 0)
        return (int)rc;
    *value = (uint32_t)strtoul(text, &end, 10);
    return *end ? -EINVAL : 0;
}

void xenbus_fail(struct xenbus_device *dev, const char *format, ...)
{
    (void)format;
    fake_failures++;
    if (dev->connected)
        fake_disconnect();
}

void xenbus_unplug(struct xenbus_device *dev)
{
    xenbus_publish(dev, "online", "0");
}

void xenbus_destroy(struct xenbus_device *dev)
{
    if (dev->ops && dev->connected)
        fake_disconnect();
}

int fake_connect(void)
{
    int rc = fake_bus->ops->connect(fake_bus);

    fake_bus->connected = rc == 0;
    return rc;
}

void fake_disconnect(void)
{
    fake_bus->connected = false;
    fake_bus->ops->disconnect(fake_bus);
}
