/* mmuext_op: frames to pin, to switch to, to clear and copy; what to flush. */
#include "mmu_pages.h"

void pins(void)
{
    const struct {
        const char *name;
        uint64_t frame;
    } frames[] = {
        {"shared_info", guest_start_info->shared_info >> PAGE_SHIFT},
        {"a frame that is none", NO_FRAME},
        {"frame -1", ~0ul},
        {"the last frame", PTE_FRAME >> PAGE_SHIFT},
        {"the L4 in use", page_mfn((void *)guest_start_info->pt_base)},
    };

    about("mmuext_op");
    for (size_t i = 0; i < NUMBER_OF(frames); i++) {
        for (unsigned level = 1; level <= 4; level++)
            say(pin(level, frames[i].frame), "pin %s as L%u", frames[i].name,
                level);
        if (i < 4)
            say(unpin(frames[i].frame), "unpin %s", frames[i].name);
        if (i < 4)
            say(ext(MMUEXT_NEW_BASEPTR, frames[i].frame, 0), "new_baseptr %s",
                frames[i].name);
        say(ext(MMUEXT_NEW_USER_BASEPTR, frames[i].frame, 0),
            "new_user_baseptr %s", frames[i].name);
        say(ext(MMUEXT_CLEAR_PAGE, i < 4 && i > 0 ? frames[i].frame : NO_FRAME,
                0),
            "clear_page %s", frames[i].name);
        say(ext(MMUEXT_COPY_PAGE, mfn(OTHER), frames[i].frame),
            "copy_page from %s", frames[i].name);
        if (i > 0)
            say(ext(MMUEXT_COPY_PAGE, frames[i].frame, mfn(OTHER)),
                "copy_page to %s", frames[i].name);
    }
    say(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), "no user_baseptr");
    say(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), "no user_baseptr again");
    say(ext(MMUEXT_NEW_BASEPTR, mfn(PLAIN), 0), "new_baseptr a plain page");
    say(ext(MMUEXT_NEW_USER_BASEPTR, mfn(PLAIN), 0),
        "new_user_baseptr a plain page");
    say(ext(MMUEXT_NEW_BASEPTR, page_mfn((void *)guest_start_info->pt_base), 0),
        "new_baseptr as it is");
    say(unpin(mfn(PLAIN)), "unpin what is no table");
    say(ext(MMUEXT_CLEAR_PAGE, mfn(OTHER), 0), "clear_page");
    say(ext(MMUEXT_COPY_PAGE, mfn(OTHER), mfn(PLAIN)), "copy_page");
    say(ext(MMUEXT_MARK_SUPER, mfn(PLAIN), 0), "mark_super");
    say(ext(MMUEXT_UNMARK_SUPER, mfn(PLAIN), 0), "unmark_super");
    say(ext(MMUEXT_FLUSH_CACHE, 0, 0), "flush_cache");
    say(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), "flush_cache_global");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE};

        op.arg1.mfn = NO_FRAME;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "pin for %s",
            whom[i].name);
        op.cmd = MMUEXT_CLEAR_PAGE;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "clear for %s",
            whom[i].name);
        op.cmd = MMUEXT_NEW_BASEPTR;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "base for %s",
            whom[i].name);
        op.cmd = MMUEXT_SET_LDT;
        op.arg1.linear_addr = 0;
        op.arg2.nr_ents = 0;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "LDT for %s",
            whom[i].name);
    }
}

void flushes(void)
{
    static const struct {
        const char *name;
        unsigned cmd;
    } ops[] = {
        {"tlb_flush_local", MMUEXT_TLB_FLUSH_LOCAL},
        {"tlb_flush_all", MMUEXT_TLB_FLUSH_ALL},
        {"tlb_flush_multi", MMUEXT_TLB_FLUSH_MULTI},
        {"invlpg_local", MMUEXT_INVLPG_LOCAL},
        {"invlpg_all", MMUEXT_INVLPG_ALL},
        {"invlpg_multi", MMUEXT_INVLPG_MULTI},
    };
    static const uint64_t vas[] = {0, 0x7fffffffffff, 1ul << 63,
                                   0xffff800000000000, ~0ul};
    static const uint64_t masks[] = {0, 1, 2, ~0ul};

    about("mmuext_op");
    for (size_t i = 0; i < NUMBER_OF(ops); i++)
        for (size_t v = 0; v < NUMBER_OF(vas); v++)
            say(ext(ops[i].cmd, vas[v], (uint64_t)&masks[1]), "%s of 0x%lx",
                ops[i].name, vas[v]);
    for (size_t i = 0; i < NUMBER_OF(ops); i++) {
        for (enum place place = 0; place < NR_PLACES; place++)
            say(ext(ops[i].cmd, 0,
                    (uint64_t)put(place, &masks[1], sizeof *masks)),
                "%s, its mask %s", ops[i].name, place_names[place]);
        for (size_t m = 0; m < NUMBER_OF(masks); m++)
            say(ext(ops[i].cmd, 0, (uint64_t)&masks[m]), "%s, mask 0x%lx",
                ops[i].name, masks[m]);
    }
}
