#include "host/pvh/hvm.h"

#include <errno.h>
#include <stdbool.h>

#include "host/domain.h"

#define TYPE_SHIFT 56 /* of HVM_PARAM_CALLBACK_IRQ */

enum access { ACCESS_NONE, ACCESS_GET, ACCESS_BOTH };

/* Numbers that headers keep for Xen and its tools: deprecated ones. */
static bool is_deprecated(uint32_t index)
{
    static const uint8_t deprecated[] = {4, 13, 20, 21, 22, 23, 24, 25, 26, 30};

    for (unsigned i = 0; i < sizeof deprecated; i++)
        if (deprecated[i] == index)
            return true;
    return false;
}

static enum access access_to(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_EVTCHN:
    case HVM_PARAM_VM86_TSS:
    case HVM_PARAM_VM86_TSS_SIZED:
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
    case HVM_PARAM_VM_GENERATION_ID_ADDR:
    case HVM_PARAM_X87_FIP_WIDTH:
        return ACCESS_BOTH;
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_ALTP2M:
        return ACCESS_GET;
    default:
        return ACCESS_NONE;
    }
}

int hvm_get_param(const struct domain *dom, uint32_t index, uint64_t *value)
{
    if (index >= HVM_NR_PARAMS || is_deprecated(index))
        return -EINVAL;
    if (access_to(index) == ACCESS_NONE)
        return -EPERM;
    *value = dom->hvm.params[index];
    return 0;
}

/* Lines of an interrupt controller that this domain has not are no news. */
static void set_callback(struct hvm *hvm, uint64_t value)
{
    if (value >> TYPE_SHIFT == HVM_PARAM_CALLBACK_TYPE_VECTOR)
        hvm->callback_vector = (uint8_t)value;
}

int hvm_set_param(struct domain *dom, uint32_t index, uint64_t value)
{
    if (index >= HVM_NR_PARAMS || is_deprecated(index))
        return -EINVAL;
    if (access_to(index) != ACCESS_BOTH)
        return -EPERM;
    if (index == HVM_PARAM_X87_FIP_WIDTH && value != 0 && value != 4 &&
        value != 8)
        return -EINVAL;
    if (index == HVM_PARAM_ACPI_IOPORTS_LOCATION)
        return -ENODEV; /* there is no PM timer to move */
    if (index == HVM_PARAM_CALLBACK_IRQ)
        set_callback(&dom->hvm, value);
    dom->hvm.params[index] = value;
    return 0;
}
