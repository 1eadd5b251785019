/*
 * The frontend's end of a slot ring, against a backend that is this test.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <ring/front.h>

struct req {
    uint64_t id;
    char body[104];
};

struct rsp {
    uint64_t id;
    uint32_t status;
    uint32_t zero;
};

static _Alignas(4096) uint8_t page[4096];
static struct ring_any_sring *shared = (void *)page;
static struct ring_front front;

static void new_ring(void)
{
    memset(page, 0xee, sizeof page);
    ring_front_init(&front, page, sizeof page, sizeof(struct req));
}

/* A ring whose counters have run to (at) on both sides. */
static void ring_at(uint32_t at)
{
    new_ring();
    front.req_prod = front.published = front.rsp_cons = at;
    shared->req_prod = shared->rsp_prod = at;
    shared->req_event = shared->rsp_event = at + 1;
}

static void put_id(uint64_t id)
{
    struct req req = {.id = id};

    cr_assert(ring_front_put(&front, &req, sizeof req));
}

static void two_published(void)
{
    new_ring();
    put_id(1);
    put_id(2);
    ring_front_publish(&front);
}

static struct rsp *rsp_slot(uint32_t counter)
{
    return ring_slot(page, front.nr_slots, front.slot_size, counter);
}

Test(ring_front, starts_empty_with_both_sides_wanting_the_first_message,
     .init = new_ring)
{
    cr_expect_eq(front.nr_slots, 32);
    cr_expect_eq(shared->req_prod, 0);
    cr_expect_eq(shared->rsp_prod, 0);
    cr_expect_eq(shared->req_event, 1);
    cr_expect_eq(shared->rsp_event, 1);
    cr_expect_eq(ring_front_room(&front), 32);
}

Test(ring_front, leaks_nothing_that_was_in_the_page_before, .init = new_ring)
{
    for (size_t i = 16; i < sizeof page; i++)
        cr_assert_eq(page[i], 0, "byte %zu", i);
}

Test(ring_front, has_the_largest_power_of_two_of_slots_that_fits)
{
    cr_expect_eq(ring_nr_slots(4096, 112), 32);
    cr_expect_eq(ring_nr_slots(2 * 4096, 112), 64);
    cr_expect_eq(ring_nr_slots(16 * 4096, 112), 512);
    cr_expect_eq(ring_nr_slots(4096, 12), 256);
    cr_expect_eq(ring_nr_slots(64 + 112, 112), 1);
    cr_expect_eq(ring_nr_slots(64 + 111, 112), 0);
    cr_expect_eq(ring_nr_slots(64, 112), 0);
    cr_expect_eq(ring_nr_slots(0, 112), 0);
    cr_expect_eq(ring_nr_slots(4096, 0), 0);
}

Test(ring_front, fills_up_and_then_refuses, .init = new_ring)
{
    struct req req = {.id = 99};

    for (uint64_t id = 0; id < 32; id++)
        put_id(id);
    cr_expect_eq(ring_front_room(&front), 0);
    cr_expect_not(ring_front_put(&front, &req, sizeof req));
    cr_expect_eq(front.req_prod, 32);
    cr_expect_eq(rsp_slot(0)->id, 0, "the oldest request is untouched");
}

Test(ring_front, shows_nothing_before_it_publishes, .init = new_ring)
{
    put_id(7);
    cr_expect_eq(shared->req_prod, 0);
    ring_front_publish(&front);
    cr_expect_eq(shared->req_prod, 1);
    cr_expect_eq(rsp_slot(0)->id, 7);
}

Test(ring_front, sends_one_event_for_a_batch_that_reaches_the_mark,
     .init = new_ring)
{
    put_id(1);
    put_id(2);
    cr_expect(ring_front_publish(&front), "an idle backend wants the first");
    put_id(3);
    cr_expect_not(ring_front_publish(&front), "it is awake");
    shared->req_event = 5;
    put_id(4);
    cr_expect_not(ring_front_publish(&front), "not yet the fifth");
    put_id(5);
    put_id(6);
    cr_expect(ring_front_publish(&front), "the fifth is among them");
    cr_expect_not(ring_front_publish(&front), "nothing new");
}

Test(ring_front, needs_no_event_for_a_mark_already_passed, .init = new_ring)
{
    put_id(1);
    ring_front_publish(&front);
    shared->req_event = 1;
    put_id(2);
    cr_expect_not(ring_front_publish(&front));
}

Test(ring_front, takes_responses_in_order, .init = two_published)
{
    struct rsp rsp = {0};

    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 0);
    *rsp_slot(0) = (struct rsp){.id = 2, .status = 5};
    *rsp_slot(1) = (struct rsp){.id = 1, .status = 6};
    shared->rsp_prod = 2;

    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 1);
    cr_expect_eq(rsp.id, 2);
    cr_expect_eq(rsp.status, 5);
    cr_expect_eq(ring_front_room(&front), 31);
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 1);
    cr_expect_eq(rsp.id, 1);
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 0);
    cr_expect_eq(ring_front_room(&front), 32);
}

/*
 * Given a frontend with two requests published,
 * when the backend claims more than two responses, or counts backwards,
 * then the frontend takes nothing, says -EPROTO, and the ring is unchanged.
 */
Test(ring_front, survives_a_lying_backend, .init = two_published)
{
    const uint32_t lies[] = {3, 32, 33, 0x80000000, UINT32_MAX, UINT32_MAX - 1};
    struct rsp rsp;

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        shared->rsp_prod = lies[i];
        cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), -EPROTO,
                     "rsp_prod %#x", lies[i]);
        cr_expect_eq(front.rsp_cons, 0);
    }
    shared->rsp_prod = 2; /* the truth still works afterwards */
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 1);
}

/* A request written and not yet published cannot have been answered. */
Test(ring_front, does_not_believe_answers_to_the_unpublished,
     .init = two_published)
{
    struct rsp rsp;

    put_id(3);
    shared->rsp_prod = 3;
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), -EPROTO);
    ring_front_publish(&front);
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 1);
}

/* Its own counters in shared memory are the backend's to scribble on. */
Test(ring_front, never_learns_its_own_state_from_the_page,
     .init = two_published)
{
    struct rsp rsp;

    shared->req_prod = 1000;
    shared->rsp_prod = 3;
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), -EPROTO);
    cr_expect_eq(ring_front_room(&front), 30);
    put_id(3);
    ring_front_publish(&front);
    cr_expect_eq(shared->req_prod, 3);
}

Test(ring_front, may_sleep_only_when_no_response_came, .init = two_published)
{
    struct rsp rsp;

    cr_expect(ring_front_may_sleep(&front));
    cr_expect_eq(shared->rsp_event, 1, "wake me for the next one");
    shared->rsp_prod = 1;
    cr_expect_not(ring_front_may_sleep(&front));
    ring_front_take(&front, &rsp, sizeof rsp);
    cr_expect(ring_front_may_sleep(&front));
    cr_expect_eq(shared->rsp_event, 2);
}

Test(ring_front, works_across_the_wrap_of_all_counters)
{
    struct rsp rsp;

    ring_at(UINT32_MAX - 1);
    for (uint64_t id = 0; id < 32; id++)
        put_id(id);
    cr_expect_eq(ring_front_room(&front), 0);
    cr_expect(ring_front_publish(&front), "UINT32_MAX is among them");
    cr_expect_eq(shared->req_prod, 30);

    shared->rsp_prod = 31;
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), -EPROTO);
    shared->rsp_prod = 30;
    for (int i = 0; i < 32; i++)
        cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 1);
    cr_expect_eq(ring_front_take(&front, &rsp, sizeof rsp), 0);
    cr_expect_eq(front.rsp_cons, 30);
    cr_expect(ring_front_may_sleep(&front));
    cr_expect_eq(shared->rsp_event, 31);
}

Test(ring_front, notifies_across_the_wrap)
{
    ring_at(UINT32_MAX);
    shared->req_event = 1; /* the second from now */
    put_id(1);
    cr_expect_not(ring_front_publish(&front));
    put_id(2);
    cr_expect(ring_front_publish(&front));
}
