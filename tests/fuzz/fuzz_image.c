/*
 * Any file as a kernel image: it is refused, or what was understood of it holds
 * together and a domain can be built from it or is refused.
 *
 * An input beginning with an odd byte is the file itself; else it is a list of
 * changes to a good image, each an offset, a length and bytes. The next bit of
 * the first byte makes that image a 32-bit one.
 */
#include "input.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "host/build/image.h"
#include "host/build/pv.h"
#include "host/domain.h"
#include "host/lint/lint.h"
#include "host/pagetable.h"
#include "tests/unit/build/test_elf.h"

#define RAM_PAGES 2048

static struct test_elf elf;
static struct domain dom;
static struct domain_config config;

static size_t make_file(struct input *in)
{
    size_t size = sizeof elf;
    const unsigned kind = input_u8(in);

    memset(&elf, 0, sizeof elf);
    if (kind & 1) {
        size = input_left(in) < size ? input_left(in) : size;
        input_take(in, &elf, size);
        return size;
    }
    test_elf_init(&elf);
    test_elf_add_symbols(&elf);
    if (kind & 2)
        test_elf_narrow(&elf);
    while (input_left(in)) {
        size_t offset = input_u16(in) % sizeof elf;
        size_t len = input_u8(in) % 16;

        if (len > sizeof elf - offset)
            len = sizeof elf - offset;
        input_take(in, (uint8_t *)&elf + offset, len);
    }
    return size;
}

static void check(const struct image *image)
{
    const char *name;
    uint64_t offset;

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *s = &image->segments[i];

        PROMISE(s->file_offset + s->file_size >= s->file_offset);
        PROMISE(s->file_offset + s->file_size <= image->size);
        PROMISE(s->file_size <= s->mem_size);
    }
    PROMISE(image->offers_pv == !*image->pv_refusal);
    if (!image->offers_pv)
        return;
    PROMISE(image->virt_start >= image->notes.virt_base);
    PROMISE(image->virt_start < image->virt_end);
    PROMISE(image->pv_entry >= image->virt_start);
    PROMISE(image->pv_entry < image->virt_end);
    if (image_symbol(image, image->pv_entry, &name, &offset) == 0)
        PROMISE(strlen(name) < 128);
}

/* Its code is looked at, or it is refused; what is found has a place. */
static void lint(struct image *image)
{
    struct lint lint = {0};

    if (!image->is_32bit && lint_image(image, &lint) == 0)
        for (size_t i = 0; i < lint.nr_findings; i++)
            PROMISE(lint.findings[i].what && lint.findings[i].length);
    lint_destroy(&lint);
}

static void build(struct image *image)
{
    const struct memory_config mem = {
        .ram_pages = RAM_PAGES, .shared_pages = 2, .scatter = true};
    struct vcpu *vcpu = &dom.vcpus[0];
    struct start_info info;

    memset(&dom, 0, sizeof dom);
    dom.config = &config;
    dom.image = image;
    vcpu->domain = &dom;
    PROMISE(memory_create(&dom.mem, &mem) == 0);
    PROMISE(ports_create(&dom) == 0);
    if (pv_build(&dom) == 0) {
        PROMISE(pagetable_adopt(vcpu) == 0);
        PROMISE(
            !guest_read(vcpu, guest_addr(vcpu->regs.rsi), &info, sizeof info));
        PROMISE(info.nr_pages == RAM_PAGES);
    }
    if (dom.grants.nr_frames)
        free(dom.grants.pins[0]);
    ports_destroy(&dom);
    memory_destroy(&dom.mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const char *path = test_elf_write(&elf, make_file(&in));
    struct image *image;

    if (image_open(path, &image) == 0) {
        check(image);
        lint(image);
        build(image);
        image_close(image);
    }
    close(atoi(strrchr(path, '/') + 1));
    return 0;
}
