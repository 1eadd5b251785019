/*
 * host/engine/choose.c: which engine runs a domain, and by which ABI.
 *
 * Engines come in their order, PV before PVH. Where only a VM can run an image
 * and the image has both entries, the kind of KVM decides: PVH is the faster
 * one, unless it were emulated.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/build/image.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/log.h"

static const char *abi_name(enum abi abi)
{
    return abi == ABI_PVH ? "PVH" : "PV";
}

/* 0 if (ops) can run the domain's image on this host, or why not. */
static int judge_engine(const struct domain *dom, enum abi abi,
                        const struct engine_ops *ops, char *why, size_t size)
{
    int rc = ops->accepts(dom->image, abi, why, size);

    if (rc == 0)
        rc = ops->probe(why, size);
    if (rc)
        log_info("engine %s cannot run %s as %s: %s", ops->name,
                 dom->config->image, abi_name(abi), why);
    return rc;
}

/* What was tried and why it was not taken, for the one sentence at the end. */
struct refusals {
    char text[768];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void
add_refusal(struct refusals *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    r->len += (size_t)vsnprintf(r->text + r->len, sizeof r->text - r->len,
                                format, args);
    va_end(args);
    if (r->len >= sizeof r->text)
        r->len = sizeof r->text - 1;
}

/* By name, or the first that can run the image by (abi). */
static bool choose_for(struct domain *dom, enum abi abi,
                       struct refusals *refusals)
{
    const char *wanted = dom->config->engine;
    char why[256];

    for (unsigned i = 0; engine_list[i]; i++) {
        const struct engine_ops *ops = engine_list[i];

        if (strcmp(wanted, ops->name) != 0 && strcmp(wanted, "auto") != 0)
            continue;
        if (judge_engine(dom, abi, ops, why, sizeof why) == 0) {
            dom->engine->ops = ops;
            dom->abi = abi;
            return true;
        }
        add_refusal(refusals, "%son engine %s%s: %s", refusals->len ? "; " : "",
                    ops->name, abi == ABI_PVH ? " as PVH" : "", why);
    }
    return false;
}

/*
 * Nobody asked for an engine or an ABI, and the image can do both on the one
 * that was found: is the other ABI better here?
 */
static void prefer_native_pvh(struct domain *dom, char *because, size_t size)
{
    const struct engine_ops *ops = dom->engine->ops;
    char why[256];

    if (dom->abi != ABI_PV || !dom->image->offers_pvh || !ops->is_slow ||
        strcmp(dom->config->engine, "auto") != 0 ||
        ops->accepts(dom->image, ABI_PVH, why, sizeof why))
        return;
    if (!ops->is_slow(ABI_PVH, because, size) && *because)
        dom->abi = ABI_PVH;
}

static void warn_if_slow(const struct domain *dom, char *because, size_t size)
{
    const struct engine_ops *ops = dom->engine->ops;

    if (dom->abi == ABI_PVH && ops->is_slow &&
        ops->is_slow(ABI_PVH, because, size))
        log_warning("%s is a PVH image: %s", dom->config->image, because);
}

static void settle_abi(struct domain *dom)
{
    const bool asked = strcmp(dom->config->engine, dom->engine->ops->name) == 0;
    char because[256] = "";

    if (dom->config->abi == ABI_AUTO) {
        prefer_native_pvh(dom, because, sizeof because);
        if (!*because)
            warn_if_slow(dom, because, sizeof because);
    }
    log_info("engine %s, %s; ABI %s, %s", dom->engine->ops->name,
             asked ? "as asked" : "the best that runs this image here",
             abi_name(dom->abi),
             dom->config->abi != ABI_AUTO ? "as asked"
             : *because                   ? because
                        : "the first that the image and the engine have in "
                          "common");
}

/* PV before PVH, of those that are asked for and that the image offers. */
int engine_choose(struct domain *dom)
{
    const struct image *image = dom->image;
    const enum abi wanted = dom->config->abi;
    struct refusals refusals = {.len = 0};
    bool found = false;

    if (wanted == ABI_PV ||
        (wanted == ABI_AUTO && (image->offers_pv || !image->offers_pvh)))
        found = choose_for(dom, ABI_PV, &refusals);
    if (!found &&
        (wanted == ABI_PVH || (wanted == ABI_AUTO && image->offers_pvh)))
        found = choose_for(dom, ABI_PVH, &refusals);
    if (found) {
        settle_abi(dom);
        return 0;
    }
    if (!refusals.len) {
        log_error("there is no engine '%s'; 'paravane doctor' lists them",
                  dom->config->engine);
        return -EINVAL;
    }
    log_error("cannot run %s %s", dom->config->image, refusals.text);
    return -ENOEXEC;
}
