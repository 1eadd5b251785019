/*
 * kernel/space.c: four levels of tables, walked, built, copied on write.
 */
#include "space.h"

#include <string.h>

#include <pvguest/page.h>
#include <teachos/syscall.h>

#include "../machine/machine.h"
#include "frame.h"

#define LEVELS 4
#define TABLE_FLAGS \
    (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define PAGE_FLAGS (PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define BATCH      64

/* The only entry of a root that is a program's: 512 GiB (teachos/syscall.h). */
#define USER_SLOT (USER_START >> 39 & (TABLE_ENTRIES - 1))

static bool is_user(uint64_t va)
{
    return va >= USER_START && va < USER_STACK;
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (12 + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

static uint64_t make_entry(const void *page, uint64_t flags)
{
    return page_mfn(page) << PAGE_SHIFT | flags;
}

/* The table or page that (entry) points at. */
static void *target(uint64_t entry)
{
    return page_of_mfn((entry & PTE_FRAME) >> PAGE_SHIFT);
}

static void set_entry(const struct space *space, uint64_t *entry,
                      uint64_t value)
{
    const struct entry_write write = {entry, value};

    if (space->live)
        machine->write(&write, 1);
    else
        *entry = value;
}

/*
 * Go down as far as there are tables: the entry for (va) where the way ends,
 * and in (*level) the level of its table, 1 if that is a page's own entry.
 */
static uint64_t *walk(const struct space *space, uint64_t va, unsigned *level)
{
    uint64_t *entry = &space->root[index_at(va, LEVELS)];

    *level = LEVELS;
    while (*level > 1 && *entry & PTE_PRESENT) {
        --*level;
        entry = (uint64_t *)target(*entry) + index_at(va, *level);
    }
    return entry;
}

/*
 * Have (va) mapped by (value), a page's entry. Tables that are missing are
 * built from below, as memory, and hooked in by one write.
 */
static bool map(struct space *space, uint64_t va, uint64_t value)
{
    unsigned level;
    uint64_t *entry = walk(space, va, &level);
    void *tables[LEVELS];
    unsigned nr = 0;

    for (unsigned at = 1; at < level; at++) {
        uint64_t *table = frame_new();

        if (!table) {
            while (nr)
                frame_drop(tables[--nr]);
            return false;
        }
        table[index_at(va, at)] = value;
        value = make_entry(table, TABLE_FLAGS);
        tables[nr++] = table;
    }
    if (space->live && nr)
        machine->seal(tables, nr);
    set_entry(space, entry, value);
    space->nr_pages++;
    return true;
}

/* The tables below (entry), which points at one of (level), one by one. */
static void for_each_table(uint64_t entry, unsigned level,
                           void (*fn)(void *context, uint64_t *table,
                                      unsigned level),
                           void *context)
{
    uint64_t *table = target(entry);

    for (unsigned i = 0; level > 1 && i < TABLE_ENTRIES; i++)
        if (table[i] & PTE_PRESENT)
            for_each_table(table[i], level - 1, fn, context);
    fn(context, table, level);
}

static void for_all_tables(const struct space *space,
                           void (*fn)(void *context, uint64_t *table,
                                      unsigned level),
                           void *context)
{
    if (space->root[USER_SLOT] & PTE_PRESENT)
        for_each_table(space->root[USER_SLOT], LEVELS - 1, fn, context);
}

/* Tables on their way to become the machine's, or memory again. */
struct table_list {
    void (*deal)(void *const *tables, size_t nr);
    void *tables[BATCH];
    size_t nr;
};

static void flush_list(struct table_list *list)
{
    if (list->nr)
        list->deal(list->tables, list->nr);
    list->nr = 0;
}

static void list_table(void *context, uint64_t *table, unsigned level)
{
    struct table_list *list = context;

    (void)level;
    list->tables[list->nr++] = table;
    if (list->nr == BATCH)
        flush_list(list);
}

static void deal_with_all(const struct space *space,
                          void (*deal)(void *const *tables, size_t nr))
{
    struct table_list list = {.deal = deal};

    for_all_tables(space, list_table, &list);
    list_table(&list, space->root, LEVELS);
    flush_list(&list);
}

bool space_create(struct space *space)
{
    *space = (struct space){.root = frame_new()};
    if (!space->root)
        return false;
    machine->prepare_root(space->root);
    return true;
}

void space_go_live(struct space *space)
{
    deal_with_all(space, machine->seal);
    machine->pin(space->root);
    space->live = true;
}

static void drop_table(void *context, uint64_t *table, unsigned level)
{
    (void)context;
    for (unsigned i = 0; level == 1 && i < TABLE_ENTRIES; i++)
        if (table[i] & PTE_PRESENT)
            frame_drop(target(table[i]));
    frame_drop(table);
}

void space_destroy(struct space *space)
{
    if (!space->root)
        return;
    if (space->live) {
        machine->unpin(space->root);
        deal_with_all(space, machine->unseal);
    }
    for_all_tables(space, drop_table, NULL);
    frame_drop(space->root);
    *space = (struct space){0};
}

void *space_add_page(struct space *space, uint64_t va, bool write, bool exec)
{
    unsigned level;
    uint64_t *entry = walk(space, va, &level);
    void *page;

    if (level > 1 || !(*entry & PTE_PRESENT)) {
        page = frame_new();
        if (!page)
            return NULL;
        if (!map(space, va, make_entry(page, PAGE_FLAGS | machine_nx))) {
            frame_drop(page);
            return NULL;
        }
        entry = walk(space, va, &level);
    }
    if (write)
        *entry |= PTE_WRITE;
    if (exec)
        *entry &= ~PTE_NX;
    return target(*entry);
}

/* What a fork is about: the child's tables, and changes of the parent's. */
struct fork {
    struct entry_write writes[BATCH];
    size_t nr_writes;
    bool failed;
};

static void flush_writes(struct fork *fork)
{
    if (fork->nr_writes)
        machine->write(fork->writes, fork->nr_writes);
    fork->nr_writes = 0;
}

/* A page that one could write to is shared until one does. */
static uint64_t share_page(struct fork *fork, uint64_t *entry)
{
    uint64_t value = *entry;

    frame_share(target(value));
    if (value & PTE_WRITE) {
        value = (value & ~PTE_WRITE) | PTE_COPY;
        fork->writes[fork->nr_writes++] = (struct entry_write){entry, value};
        if (fork->nr_writes == BATCH)
            flush_writes(fork);
    }
    return value;
}

/* A copy of (table), of (level), still memory; what it lacks is in (failed). */
static uint64_t *fork_table(struct fork *fork, uint64_t *table, unsigned level)
{
    uint64_t *copy = frame_new();

    if (!copy) {
        fork->failed = true;
        return NULL;
    }
    for (unsigned i = 0; i < TABLE_ENTRIES && !fork->failed; i++) {
        uint64_t *below;

        if (!(table[i] & PTE_PRESENT))
            continue;
        if (level == 1) {
            copy[i] = share_page(fork, &table[i]);
        } else {
            below = fork_table(fork, target(table[i]), level - 1);
            if (below)
                copy[i] = make_entry(below, TABLE_FLAGS);
        }
    }
    return copy;
}

bool space_fork(struct space *parent, struct space *child)
{
    struct fork fork = {0};
    uint64_t *below;

    if (!space_create(child))
        return false;
    child->nr_pages = parent->nr_pages;
    child->heap_start = parent->heap_start;
    child->heap_end = parent->heap_end;
    below = fork_table(&fork, target(parent->root[USER_SLOT]), LEVELS - 1);
    if (below)
        child->root[USER_SLOT] = make_entry(below, TABLE_FLAGS);
    flush_writes(&fork);
    if (fork.failed) {
        space_destroy(child);
        return false;
    }
    space_go_live(child);
    return true;
}

/* Somebody writes to a page that was shared: a copy, unless nobody else is. */
static bool unshare(struct space *space, uint64_t *entry)
{
    void *page = target(*entry);
    uint64_t flags = (*entry & ~(PTE_FRAME | PTE_COPY)) | PTE_WRITE;
    void *copy;

    if (frame_is_own(page)) {
        set_entry(space, entry, make_entry(page, flags));
        return true;
    }
    copy = frame_new();
    if (!copy)
        return false;
    memcpy(copy, page, PAGE_SIZE);
    set_entry(space, entry, make_entry(copy, flags));
    frame_drop(page);
    return true;
}

/* Pages of the heap and the stack come when they are touched. */
static bool may_appear(const struct space *space, uint64_t va)
{
    return (va >= space->heap_start && va < space->heap_end) ||
           (va >= USER_STACK - STACK_MAX && va < USER_STACK);
}

bool space_fault(struct space *space, uint64_t va, bool write)
{
    unsigned level;
    uint64_t *entry;
    void *page;

    if (!is_user(va))
        return false;
    entry = walk(space, va, &level);
    if (level == 1 && *entry & PTE_PRESENT) {
        if (!write || *entry & PTE_WRITE)
            return true; /* it has been mended meanwhile */
        return *entry & PTE_COPY && unshare(space, entry);
    }
    if (!may_appear(space, va))
        return false;
    page = frame_new();
    if (!page)
        return false;
    if (map(space, va, make_entry(page, PAGE_FLAGS | PTE_WRITE | machine_nx)))
        return true;
    frame_drop(page);
    return false;
}

uint64_t space_grow_heap(struct space *space, uint64_t bytes)
{
    uint64_t before = space->heap_end;

    if (bytes > space->heap_start + HEAP_MAX - before)
        return 0;
    space->heap_end += bytes;
    return before;
}

void *space_reach(struct space *space, uint64_t va, bool write)
{
    unsigned level;
    uint64_t *entry;

    if (!is_user(va))
        return NULL;
    entry = walk(space, va, &level);
    if (level > 1 || !(*entry & PTE_PRESENT) ||
        (write && !(*entry & PTE_WRITE))) {
        if (!space_fault(space, va, write))
            return NULL;
        entry = walk(space, va, &level);
    }
    return (char *)target(*entry) + (va & (PAGE_SIZE - 1));
}

/* How much of (len) from (va) on lies in va's page. */
static size_t in_page(uint64_t va, size_t len)
{
    size_t room = PAGE_SIZE - (va & (PAGE_SIZE - 1));

    return len < room ? len : room;
}

bool space_read(struct space *space, void *to, uint64_t from, size_t len)
{
    while (len) {
        size_t part = in_page(from, len);
        const void *page = space_reach(space, from, false);

        if (!page)
            return false;
        memcpy(to, page, part);
        to = (char *)to + part;
        from += part;
        len -= part;
    }
    return true;
}

bool space_write(struct space *space, uint64_t to, const void *from, size_t len)
{
    while (len) {
        size_t part = in_page(to, len);
        void *page = space_reach(space, to, true);

        if (!page)
            return false;
        memcpy(page, from, part);
        from = (const char *)from + part;
        to += part;
        len -= part;
    }
    return true;
}

long space_read_string(struct space *space, char *to, uint64_t from,
                       size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!space_read(space, &to[i], from + i, 1))
            return -1;
        if (!to[i])
            return (long)i;
    }
    return -1;
}
