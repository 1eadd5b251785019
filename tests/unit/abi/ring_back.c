/*
 * The backend's end of a slot ring, against a frontend that is this test.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <ring/back.h>
#include <ring/front.h>

struct req {
    uint64_t id;
    char body[104];
};

struct rsp {
    uint64_t id;
    uint64_t status;
};

static _Alignas(4096) uint8_t page[2 * 4096];
static struct ring_any_sring *shared = (void *)page;
static struct ring_back back;

static void attach_at(uint32_t at)
{
    struct ring_front front;

    ring_front_init(&front, page, 4096, sizeof(struct req));
    shared->req_prod = shared->rsp_prod = at;
    shared->req_event = shared->rsp_event = at + 1;
    cr_assert_eq(ring_back_attach(&back, page, 4096, sizeof(struct req)), 0);
}

static void attached(void)
{
    attach_at(0);
}

static struct req *req_slot(uint32_t counter)
{
    return ring_slot(page, back.nr_slots, back.slot_size, counter);
}

static void answer(uint64_t id)
{
    struct rsp rsp = {.id = id};

    ring_back_put(&back, &rsp, sizeof rsp);
}

Test(ring_back, takes_requests_and_answers_in_any_order, .init = attached)
{
    struct req req = {0};

    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 0);
    req_slot(0)->id = 10;
    req_slot(1)->id = 11;
    shared->req_prod = 2;
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
    cr_expect_eq(req.id, 10);
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
    cr_expect_eq(req.id, 11);
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 0);

    answer(11);
    cr_expect_eq(shared->rsp_prod, 0, "not before it is published");
    answer(10);
    cr_expect(ring_back_publish(&back), "an idle frontend wants the first");
    cr_expect_eq(shared->rsp_prod, 2);
    cr_expect_eq(req_slot(0)->id, 11);
    cr_expect_eq(req_slot(1)->id, 10);
    cr_expect_not(ring_back_publish(&back), "nothing new");
}

/*
 * Given an empty ring of 32 slots,
 * when the frontend claims 33 requests or more, or counts backwards,
 * then nothing is taken.
 */
Test(ring_back, survives_a_lying_frontend, .init = attached)
{
    const uint32_t lies[] = {33, 64, 1000, 0x80000000, UINT32_MAX};
    struct req req;

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        shared->req_prod = lies[i];
        cr_expect_eq(ring_back_take(&back, &req, sizeof req), -EPROTO,
                     "req_prod %#x", lies[i]);
        cr_expect_eq(back.req_cons, 0);
    }
    shared->req_prod = 32; /* a full ring is no lie */
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
}

/* Slots whose requests are not answered yet cannot hold new ones. */
Test(ring_back, never_has_more_in_flight_than_slots, .init = attached)
{
    struct req req;

    shared->req_prod = 32;
    for (int i = 0; i < 32; i++)
        cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
    shared->req_prod = 33;
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), -EPROTO);
    answer(0);
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
}

Test(ring_back, sees_a_step_backwards, .init = attached)
{
    struct req req;

    shared->req_prod = 4;
    for (int i = 0; i < 3; i++)
        cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
    shared->req_prod = 2;
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), -EPROTO);
    cr_expect_eq(back.req_cons, 3);
}

Test(ring_back, keeps_its_own_counter_privately, .init = attached)
{
    struct req req;

    shared->req_prod = 2;
    ring_back_take(&back, &req, sizeof req);
    shared->rsp_prod = 77;
    answer(1);
    ring_back_publish(&back);
    cr_expect_eq(shared->rsp_prod, 1);
}

Test(ring_back, sends_one_event_when_the_mark_is_reached, .init = attached)
{
    struct req req;

    shared->req_prod = 8;
    while (ring_back_take(&back, &req, sizeof req) == 1)
        ;
    shared->rsp_event = 4; /* the frontend holds off */
    for (int i = 0; i < 3; i++)
        answer(0);
    cr_expect_not(ring_back_publish(&back));
    answer(0);
    cr_expect(ring_back_publish(&back));
    answer(0);
    cr_expect_not(ring_back_publish(&back));
}

Test(ring_back, may_sleep_only_on_an_empty_ring, .init = attached)
{
    struct req req;

    cr_expect(ring_back_may_sleep(&back));
    cr_expect_eq(shared->req_event, 1);
    shared->req_prod = 1;
    cr_expect_not(ring_back_may_sleep(&back));
    ring_back_take(&back, &req, sizeof req);
    cr_expect(ring_back_may_sleep(&back));
    cr_expect_eq(shared->req_event, 2);
}

/* It must look again, and then take must say what is wrong. */
Test(ring_back, does_not_sleep_on_a_lie, .init = attached)
{
    struct req req;

    shared->req_prod = 1000;
    cr_expect_not(ring_back_may_sleep(&back));
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), -EPROTO);
}

Test(ring_back, attaches_where_the_last_backend_left)
{
    struct ring_front front;
    struct req req = {0};

    ring_front_init(&front, page, 4096, sizeof(struct req));
    shared->req_prod = 103;
    shared->rsp_prod = 100;
    cr_assert_eq(ring_back_attach(&back, page, 4096, sizeof(struct req)), 0);
    req_slot(100)->id = 42;
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
    cr_expect_eq(req.id, 42, "an unanswered request is taken again");
    ring_back_take(&back, &req, sizeof req);
    ring_back_take(&back, &req, sizeof req);
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 0);
}

Test(ring_back, refuses_to_attach_to_nonsense)
{
    struct ring_front front;

    ring_front_init(&front, page, 4096, sizeof(struct req));
    shared->req_prod = 33;
    cr_expect_eq(ring_back_attach(&back, page, 4096, sizeof(struct req)),
                 -EPROTO);
    shared->req_prod = 0;
    shared->rsp_prod = 1;
    cr_expect_eq(ring_back_attach(&back, page, 4096, sizeof(struct req)),
                 -EPROTO);
    shared->rsp_prod = 0;
    cr_expect_eq(ring_back_attach(&back, page, 100, sizeof(struct req)),
                 -EINVAL);
    cr_expect_eq(ring_back_attach(&back, page, 4096, 0), -EINVAL);
}

Test(ring_back, works_across_the_wrap_of_all_counters)
{
    struct req req;

    attach_at(UINT32_MAX - 2);
    shared->req_prod = 29; /* 32 requests */
    for (int i = 0; i < 32; i++) {
        cr_expect_eq(ring_back_take(&back, &req, sizeof req), 1);
        answer(0);
    }
    cr_expect_eq(ring_back_take(&back, &req, sizeof req), 0);
    cr_expect(ring_back_publish(&back));
    cr_expect_eq(shared->rsp_prod, 29);
    cr_expect(ring_back_may_sleep(&back));
    cr_expect_eq(shared->req_event, 30);
}

Test(ring_back, uses_all_pages_of_a_large_ring)
{
    struct ring_front front;
    struct req req = {.id = 0}, got;

    ring_front_init(&front, page, sizeof page, sizeof req);
    cr_assert_eq(ring_back_attach(&back, page, sizeof page, sizeof req), 0);
    cr_assert_eq(back.nr_slots, 64);

    for (; ring_front_put(&front, &req, sizeof req); req.id++)
        memset(req.body, (int)req.id + 1, sizeof req.body);
    cr_expect_eq(req.id, 64);
    ring_front_publish(&front);
    for (uint64_t id = 0; id < 64; id++) {
        cr_assert_eq(ring_back_take(&back, &got, sizeof got), 1);
        cr_expect_eq(got.id, id);
        cr_expect_eq(got.body[103], (char)id);
    }
}
