/*
 * Both ends of a small ring on two threads, as fast as they can, sleeping
 * whenever they may. Every message is checked; a lost wake-up hangs the test.
 * Meant for the thread sanitizer too: -Db_sanitize=thread.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <ring/back.h>
#include <ring/bytes.h>
#include <ring/front.h>

#ifdef __SANITIZE_THREAD__ /* slower, and it need not happen to see it */
#define NR_MESSAGES 20000
#define NR_ROUNDS   60000
#else
#define NR_MESSAGES 100000
#define NR_ROUNDS   300000
#endif
#define SLOT_SIZE  64
#define RING_BYTES (64 + 2 * SLOT_SIZE) /* few: the ring is often empty */

struct message {
    uint64_t id;
    uint64_t inverse;
    uint64_t pad[4];
};

static _Alignas(64) uint8_t memory[RING_BYTES];
static struct ring_any_sring *shared = (void *)memory;
/* Event channels: pending or not. */
static bool front_event, back_event;

static void notify(bool *event)
{
    __atomic_store_n(event, true, __ATOMIC_SEQ_CST);
}

/* Awake on the other processor at once, so that the two meet in the middle. */
static void sleep_until(bool *event)
{
    for (unsigned spins = 0;
         !__atomic_exchange_n(event, false, __ATOMIC_SEQ_CST); spins++)
        if (spins > 200)
            sched_yield();
}

static void fail(const char *what)
{
    fprintf(stderr, "ring stress: %s\n", what);
    exit(1);
}

static void check(const struct message *message, uint64_t id)
{
    if (message->id != id || message->inverse != ~id)
        fail("a message was torn, lost or repeated");
}

static void *backend(void *arg)
{
    struct ring_back *back = arg;
    uint64_t id = 0;

    while (id < NR_MESSAGES) {
        struct message message;
        int rc;

        while ((rc = ring_back_take(back, &message, sizeof message)) == 1) {
            check(&message, id++);
            message.id = ~message.id;
            message.inverse = ~message.inverse;
            ring_back_put(back, &message, sizeof message);
            if (id % 3 == 0 && ring_back_publish(back))
                notify(&front_event);
        }
        if (rc < 0)
            fail("the backend does not believe the frontend");
        if (ring_back_publish(back))
            notify(&front_event);
        if (id < NR_MESSAGES && ring_back_may_sleep(back))
            sleep_until(&back_event);
    }
    return NULL;
}

static void slots(void)
{
    struct ring_front front;
    struct ring_back back;
    pthread_t thread;
    uint64_t sent = 0, answered = 0;

    ring_front_init(&front, memory, sizeof memory, SLOT_SIZE);
    if (ring_back_attach(&back, memory, sizeof memory, SLOT_SIZE))
        fail("the backend cannot attach");
    pthread_create(&thread, NULL, backend, &back);

    while (answered < NR_MESSAGES) {
        struct message message = {.id = sent, .inverse = ~sent};
        int rc;

        while (sent < NR_MESSAGES &&
               ring_front_put(&front, &message, sizeof message)) {
            sent++;
            message = (struct message){.id = sent, .inverse = ~sent};
        }
        if (ring_front_publish(&front))
            notify(&back_event);

        while ((rc = ring_front_take(&front, &message, sizeof message)) == 1)
            check(&message, ~answered++);
        if (rc < 0)
            fail("the frontend does not believe the backend");
        if (answered < sent && ring_front_may_sleep(&front))
            sleep_until(&front_event);
    }
    pthread_join(thread, NULL);
}

static uint8_t stream[64];
static uint32_t prod, cons;

static void *writer(void *arg)
{
    struct ring_bytes *bytes = arg;
    uint8_t next[7];
    size_t sent = 0;

    while (sent < NR_MESSAGES) {
        ssize_t len;

        for (size_t i = 0; i < sizeof next; i++)
            next[i] = (uint8_t)(sent + i);
        len = ring_bytes_write(bytes, next, sizeof next);
        if (len < 0)
            fail("the producer does not believe the consumer");
        if (len)
            notify(&front_event);
        else
            sleep_until(&back_event);
        sent += (size_t)len;
    }
    return NULL;
}

static void bytes(void)
{
    struct ring_bytes producer, consumer;
    pthread_t thread;
    uint8_t expected = 0;
    size_t got = 0;

    ring_bytes_attach_producer(&producer, stream, sizeof stream, &prod, &cons);
    ring_bytes_attach_consumer(&consumer, stream, sizeof stream, &prod, &cons);
    pthread_create(&thread, NULL, writer, &producer);

    while (got < NR_MESSAGES) {
        uint8_t buf[11];
        ssize_t len = ring_bytes_read(&consumer, buf, sizeof buf);

        if (len < 0)
            fail("the consumer does not believe the producer");
        for (ssize_t i = 0; i < len; i++)
            if (buf[i] != expected++)
                fail("a byte was lost or changed");
        if (len)
            notify(&back_event);
        else
            sleep_until(&front_event);
        got += (size_t)len;
    }
    pthread_join(thread, NULL);
}

/*
 * The race of ring/shared.h by itself: in every round one side falls asleep
 * while the other publishes, a little sooner or later each time.
 */
static struct ring_back sleepy;
static unsigned started, finished;
static bool sleeps;

static void wait_for(const unsigned *counter, unsigned round)
{
    for (unsigned spins = 0;
         __atomic_load_n(counter, __ATOMIC_ACQUIRE) != round; spins++)
        if (spins > 2000)
            sched_yield();
}

static void *sleeper(void *unused)
{
    (void)unused;
    for (unsigned round = 1; round <= NR_ROUNDS; round++) {
        wait_for(&started, round);
        sleeps = ring_back_may_sleep(&sleepy);
        __atomic_store_n(&finished, round, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void wake_ups(void)
{
    struct message message = {.id = 0};
    struct ring_front front;
    pthread_t thread;

    ring_front_init(&front, memory, sizeof memory, SLOT_SIZE);
    if (ring_back_attach(&sleepy, memory, sizeof memory, SLOT_SIZE))
        fail("the backend cannot attach");
    pthread_create(&thread, NULL, sleeper, NULL);

    for (unsigned round = 1; round <= NR_ROUNDS; round++) {
        bool wakes;

        ring_front_put(&front, &message, sizeof message);
        __atomic_store_n(&started, round, __ATOMIC_RELEASE);
        for (volatile unsigned delay = round % 256; delay; delay--)
            ;
        wakes = ring_front_publish(&front);
        wait_for(&finished, round);
        if (sleeps && !wakes)
            fail("a wake-up was lost");

        ring_back_take(&sleepy, &message, sizeof message);
        ring_back_put(&sleepy, &message, sizeof message);
        ring_back_publish(&sleepy);
        ring_front_take(&front, &message, sizeof message);
        /* The mark of a sleeper that stayed awake must not serve again. */
        __atomic_store_n(&shared->req_event, front.req_prod, __ATOMIC_RELAXED);
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    wake_ups();
    slots();
    front_event = back_event = false;
    bytes();
    return 0;
}
