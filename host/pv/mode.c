#include "host/pv/mode.h"

#include "host/engine/tell.h"
#include "host/vcpu.h"

void mode_toggle(struct vcpu *vcpu)
{
    vcpu->user_mode = !vcpu->user_mode;
    tell_set_bases(vcpu);
}
