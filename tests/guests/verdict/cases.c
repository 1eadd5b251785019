#include "cases.h"

#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/store.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <hypercall/calls.h>

#define UPPER_NOWHERE 0xffffc12345678000ul
#define LOWER_NOWHERE 0x00007123456780f0ul

static const char *call_name = "";
static char *writable_alias, *read_only_alias, *last_page;

domid_t own_domid;
static int slow;

struct who whom[11] = {
    {"self", DOMID_SELF}, {"own number", 0},          {"domain 0", 0},
    {"io", DOMID_IO},     {"xen", DOMID_XEN},         {"cow", DOMID_COW},
    {"nobody", 0x1234},   {"invalid", DOMID_INVALID}, {"idle", DOMID_IDLE},
    {"0x8000", 0x8000},   {"0xffff", 0xffff},
};

const char *const place_names[NR_PLACES] = {
    "nowhere",           "non-canonical",
    "in the hole",       "at the hole's end",
    "unmapped",          "unmapped above",
    "across a page end", "where it can only be read",
};

static const struct {
    int number;
    const char *name;
} errors[] = {
    {1, "-EPERM"},       {2, "-ENOENT"},
    {3, "-ESRCH"},       {5, "-EIO"},
    {6, "-ENXIO"},       {7, "-E2BIG"},
    {11, "-EAGAIN"},     {12, "-ENOMEM"},
    {13, "-EACCES"},     {14, "-EFAULT"},
    {16, "-EBUSY"},      {17, "-EEXIST"},
    {18, "-EXDEV"},      {19, "-ENODEV"},
    {21, "-EISDIR"},     {20, "-ENOTDIR"},
    {22, "-EINVAL"},     {28, "-ENOSPC"},
    {30, "-EROFS"},      {33, "-EDOM"},
    {34, "-ERANGE"},     {36, "-ENAMETOOLONG"},
    {38, "-ENOSYS"},     {39, "-ENOTEMPTY"},
    {61, "-ENODATA"},    {62, "-ETIME"},
    {75, "-EOVERFLOW"},  {84, "-EILSEQ"},
    {85, "-ERESTART"},   {88, "-ENOTSOCK"},
    {90, "-EMSGSIZE"},   {95, "-EOPNOTSUPP"},
    {98, "-EADDRINUSE"}, {99, "-EADDRNOTAVAIL"},
    {105, "-ENOBUFS"},   {106, "-EISCONN"},
    {107, "-ENOTCONN"},  {110, "-ETIMEDOUT"},
};

static const char *const statuses[] = {
    "okay",         "general error",   "bad domain",
    "bad ref",      "bad handle",      "bad address",
    "bad dev addr", "no device space", "permission denied",
    "bad page",     "bad copy arg",    "address too big",
    "try again",    "no space",
};

void about(const char *call)
{
    call_name = call;
}

static const char *error_name(long result)
{
    for (size_t i = 0; i < NUMBER_OF(errors); i++)
        if (errors[i].number == -result)
            return errors[i].name;
    return NULL;
}

static void say_case(const char *format, va_list args)
{
    static const struct guest_console *console;

    if (slow) {
        fflush(stdout);
        console = guest_get_console();
        console->flush();
    }
    printf("%s ", call_name);
    vprintf(format, args);
    printf(" -> ");
}

static void say_result(long result)
{
    const char *name = error_name(result);

    if (name)
        printf("%s", name);
    else
        printf("%ld", result);
}

void say(long result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_case(format, args);
    va_end(args);
    say_result(result);
    printf("\n");
}

void say_if_good(long result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_case(format, args);
    va_end(args);
    if (result > 0)
        printf("good");
    else
        say_result(result);
    printf("\n");
}

void say_status(long result, int16_t status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_case(format, args);
    va_end(args);
    say_result(result);
    if (result)
        printf("\n");
    else if (status <= 0 && -status < (int)NUMBER_OF(statuses))
        printf(", %s\n", statuses[-status]);
    else
        printf(", status %d\n", status);
}

/* An unbound port for ourselves names us. */
static domid_t learn_domid(void)
{
    struct evtchn_status status = {.dom = DOMID_SELF};
    evtchn_port_t port;

    if (hypercall_evtchn_alloc_unbound(DOMID_SELF, &port))
        return 0;
    hypercall_evtchn_status(port, &status);
    hypercall_evtchn_close(port);
    return status.u.unbound.dom;
}

/*
 * What the library maps late has its place before, so that nothing comes to
 * lie behind the page that is the window's last.
 */
static void *map_last_page(void)
{
    const uint64_t mfn = page_mfn(spare_page());
    void *last = NULL, *next;
    char domid[16];

    store_read(0, "domid", domid, sizeof domid);
    guest_grant_end((grant_ref_t)guest_grant(0, spare_page(), false));
    while ((next = page_map_frame(mfn, true)))
        last = next;
    return last;
}

void cases_begin(void)
{
    slow = guest_command_line()[0] == 's';
    own_domid = learn_domid();
    whom[1].id = own_domid;
    writable_alias = spare_page();
    read_only_alias = page_map_frame(page_mfn(writable_alias), false);
    last_page = map_last_page();
    if (!read_only_alias || !last_page || !own_domid) {
        printf("the image cannot do its work\n");
        exit(1);
    }
}

void *put(enum place place, const void *bytes, size_t len)
{
    switch (place) {
    case PLACE_NULL:
        return NULL;
    case PLACE_NON_CANONICAL:
        return (void *)0x8000000000001000ul;
    case PLACE_HOLE:
        return (void *)0xffff800000000000ul;
    case PLACE_HOLE_END:
        return (void *)0xffff87fffffffff8ul;
    case PLACE_UNMAPPED:
        return (void *)LOWER_NOWHERE;
    case PLACE_UPPER_UNMAPPED:
        return (void *)UPPER_NOWHERE;
    case PLACE_STRADDLING:
        len = len / 2;
        memset(last_page, 0, PAGE_SIZE);
        return memcpy(last_page + PAGE_SIZE - len, bytes, len);
    default:
        memset(writable_alias, 0, PAGE_SIZE);
        memcpy(writable_alias, bytes, len);
        return read_only_alias;
    }
}

void *spare_page(void)
{
    return page_alloc_zeroed(1);
}

uint64_t frame_of(const void *page)
{
    return page_mfn(page);
}
