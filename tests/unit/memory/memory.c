/* The frames of a domain: numbering, giving back, taking, sharing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "host/memory.h"

#define RAM    1024
#define SHARED 5

static struct memory mem;

static void make(bool scatter)
{
    const struct memory_config config = {
        .ram_pages = RAM, .shared_pages = SHARED, .scatter = scatter};

    cr_assert_eq(memory_create(&mem, &config), 0);
}

static void plain(void)
{
    make(false);
}

static void scattered(void)
{
    make(true);
}

static void destroy(void)
{
    memory_destroy(&mem);
}

static mfn_t take_shared(struct memory *from)
{
    size_t index;

    return memory_take_frame(from, &index) ? memory_mfn(from, index)
                                           : INVALID_MFN;
}

TestSuite(memory, .init = plain, .fini = destroy);
TestSuite(memory_scattered, .init = scattered, .fini = destroy);

static blkcnt_t host_pages(void)
{
    struct stat st;

    cr_assert_eq(fstat(mem.fd, &st), 0);
    return st.st_blocks / 8;
}

Test(memory, is_not_touched_before_it_is_used)
{
    cr_expect_eq(host_pages(), 0);
    *(uint8_t *)memory_frame(&mem, mem.first_mfn) = 1;
    cr_expect_eq(host_pages(), 1);
}

Test(memory, has_exactly_its_own_frames)
{
    cr_expect(!memory_has(&mem, 0));
    cr_expect(!memory_has(&mem, mem.first_mfn - 1));
    cr_expect(memory_has(&mem, mem.first_mfn));
    cr_expect(memory_has(&mem, mem.first_mfn + RAM + SHARED - 1));
    cr_expect(!memory_has(&mem, mem.first_mfn + RAM + SHARED));
    cr_expect(!memory_has(&mem, INVALID_MFN));
    cr_expect_null(memory_frame(&mem, INVALID_MFN));
    cr_expect_null(memory_record(&mem, mem.first_mfn - 1));
}

Test(memory, frames_have_no_pfn_at_first)
{
    for (mfn_t i = 0; i < RAM + SHARED; i++)
        cr_expect_eq(memory_pfn(&mem, mem.first_mfn + i), INVALID_PFN);
    cr_expect_eq(memory_pfn(&mem, 0), INVALID_PFN);
}

Test(memory, m2p_file_shows_the_guest_every_entry_by_mfn)
{
    uint64_t *seen;

    memory_set_pfn(&mem, mem.first_mfn + 7, 99);
    seen = mmap(NULL, mem.m2p_size, PROT_READ, MAP_SHARED, mem.m2p_fd, 0);
    cr_assert_neq(seen, MAP_FAILED);
    cr_expect_eq(seen[mem.first_mfn + 7], 99);
    cr_expect_eq(seen[mem.first_mfn + 8], INVALID_PFN);
    munmap(seen, mem.m2p_size);
}

Test(memory, file_can_be_neither_cut_nor_grown)
{
    cr_expect_neq(ftruncate(mem.fd, 0), 0);
    cr_expect_neq(ftruncate(mem.fd, (off_t)(RAM + SHARED + 1) << PAGE_SHIFT),
                  0);
}

Test(memory, release_gives_the_page_back_to_the_host)
{
    mfn_t mfn = mem.first_mfn + 3;

    memset(memory_frame(&mem, mfn), 0xaa, PAGE_SIZE);
    memory_set_pfn(&mem, mfn, 3);
    cr_assert_eq(host_pages(), 1);

    cr_expect_eq(memory_release(&mem, mfn), 0);
    cr_expect_eq(host_pages(), 0);
    cr_expect_eq(mem.nr_ram, RAM - 1);
    cr_expect_eq(memory_pfn(&mem, mfn), INVALID_PFN);
    cr_expect_null(memory_frame(&mem, mfn));
    cr_expect(memory_has(&mem, mfn));
}

Test(memory, release_of_what_is_not_ram_is_invalid)
{
    mfn_t shared = take_shared(&mem), mfn = mem.first_mfn;

    cr_expect_eq(memory_release(&mem, shared), -EINVAL);
    cr_expect_eq(memory_release(&mem, INVALID_MFN), -EINVAL);
    cr_expect_eq(memory_release(&mem, mfn), 0);
    cr_expect_eq(memory_release(&mem, mfn), -EINVAL);
    cr_expect_eq(mem.nr_ram, RAM - 1);
}

Test(memory, a_frame_in_use_cannot_be_released)
{
    struct frame *frame = memory_record(&mem, mem.first_mfn);

    frame->refs = 1;
    cr_expect_eq(memory_release(&mem, mem.first_mfn), -EBUSY);
    frame->refs = 0;
    frame->type = TYPE_L1;
    frame->uses = 1;
    cr_expect_eq(memory_release(&mem, mem.first_mfn), -EBUSY);
    frame->uses = 0;
    frame->pinned = true;
    cr_expect_eq(memory_release(&mem, mem.first_mfn), -EBUSY);
    frame->pinned = false;
    cr_expect_eq(memory_release(&mem, mem.first_mfn), 0);
}

Test(memory, populate_returns_zeroed_frames_up_to_the_ceiling)
{
    static const uint8_t zero[PAGE_SIZE];
    mfn_t mfn;

    cr_expect_eq(memory_populate(&mem, 1, &mfn), -ENOMEM);
    for (mfn_t i = 0; i < 10; i++) {
        memset(memory_frame(&mem, mem.first_mfn + i), 0xaa, PAGE_SIZE);
        cr_assert_eq(memory_release(&mem, mem.first_mfn + i), 0);
    }
    for (pfn_t pfn = 100; pfn < 110; pfn++) {
        cr_assert_eq(memory_populate(&mem, pfn, &mfn), 0);
        cr_expect_eq(memory_pfn(&mem, mfn), pfn);
        cr_expect_arr_eq(memory_frame(&mem, mfn), zero, PAGE_SIZE);
    }
    cr_expect_eq(mem.nr_ram, RAM);
    cr_expect_eq(memory_populate(&mem, 1, &mfn), -ENOMEM);
}

Test(memory, shared_frames_are_handed_out_once)
{
    mfn_t seen[SHARED];

    for (int i = 0; i < SHARED; i++) {
        seen[i] = take_shared(&mem);
        cr_assert_neq(seen[i], INVALID_MFN);
        cr_assert_not_null(memory_frame(&mem, seen[i]));
        for (int j = 0; j < i; j++)
            cr_expect_neq(seen[i], seen[j]);
    }
    cr_expect_eq(take_shared(&mem), INVALID_MFN);
    cr_expect_eq(mem.nr_ram, RAM);
}

Test(memory, an_unused_shared_frame_is_not_the_guests)
{
    cr_expect_null(memory_frame(&mem, memory_mfn(&mem, RAM)));
}

Test(memory_scattered, is_a_permutation)
{
    bool used[RAM + SHARED] = {false};
    size_t displaced = 0;

    for (mfn_t i = 0; i < RAM + SHARED; i++) {
        size_t index = memory_index(&mem, mem.first_mfn + i);

        cr_assert_lt(index, RAM + SHARED);
        cr_expect(!used[index]);
        used[index] = true;
        displaced += index != i;
        cr_expect_eq(memory_mfn(&mem, index), mem.first_mfn + i);
    }
    cr_expect_gt(displaced, RAM / 2);
}

Test(memory_scattered, release_and_populate_work_on_the_same_frame)
{
    mfn_t mfn = memory_mfn(&mem, 17), again;

    cr_assert_eq(memory_release(&mem, mfn), 0);
    cr_assert_eq(memory_populate(&mem, 17, &again), 0);
    cr_expect_eq(again, mfn);
    cr_expect_eq(memory_index(&mem, again), 17);
}

Test(memory_refused, zero_and_absurd_sizes)
{
    cr_expect_eq(memory_create(&mem, &(struct memory_config){.ram_pages = 0,
                                                             .shared_pages = 1,
                                                             .scatter = false}),
                 -EINVAL);
    cr_expect_eq(
        memory_create(&mem, &(struct memory_config){.ram_pages = SIZE_MAX,
                                                    .shared_pages = 1,
                                                    .scatter = false}),
        -EINVAL);
    cr_expect_eq(mem.fd, -1);
    memory_destroy(&mem); /* accepts what was never made */
}
