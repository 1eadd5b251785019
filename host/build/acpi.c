#include "host/build/acpi.h"

#include <stddef.h>
#include <string.h>

#include "host/domain.h"
#include "host/pvh/lapic.h"

#define LAPIC_ADDR 0xfee00000u

#define FADT_REDUCED (1u << 20) /* of (flags): no fixed hardware */

/* Of FADT's boot flags: no VGA, no CMOS clock; no keyboard controller. */
#define BOOT_NO_VGA  (1u << 2)
#define BOOT_NO_CMOS (1u << 5)

#define OFFSET_XSDT 0x040
#define OFFSET_FADT 0x080
#define OFFSET_DSDT 0x1c0
#define OFFSET_MADT 0x200

#define MADT_LAPIC   0 /* kind of entry */
#define LAPIC_USABLE 1u

struct rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct xsdt {
    struct header header;
    uint64_t tables[2];
} __attribute__((packed));

/* What of it is not zero here; revision 6.0 has 276 bytes. */
struct fadt {
    struct header header;
    uint32_t facs, dsdt;
    uint8_t fixed_hardware[65];
    uint16_t boot_flags; /* byte 109 */
    uint8_t reserved;
    uint32_t flags;
    uint8_t reset[15];
    uint8_t minor_revision;
    uint64_t x_facs, x_dsdt;
    uint8_t x_fixed_hardware[128];
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, boot_flags) == 109, "as ACPI has it");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "as ACPI has it");
_Static_assert(sizeof(struct fadt) == 276, "as ACPI 6.0 has it");

struct madt_lapic {
    uint8_t type, length;
    uint8_t processor, apic_id;
    uint32_t flags;
} __attribute__((packed));

struct madt {
    struct header header;
    uint32_t lapic_addr;
    uint32_t flags; /* 0: no PICs beside */
    struct madt_lapic cpus[DOMAIN_MAX_VCPUS];
} __attribute__((packed));

_Static_assert(OFFSET_MADT + sizeof(struct madt) <= PAGE_SIZE, "one page");

static uint8_t checksum(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint8_t sum = 0;

    while (size-- > 0)
        sum = (uint8_t)(sum + *at++);
    return (uint8_t)-sum;
}

static struct header make_header(const char *signature, uint8_t revision,
                                 size_t length)
{
    struct header header = {
        .length = (uint32_t)length,
        .revision = revision,
        .oem_revision = 1,
        .creator_revision = 1,
    };

    memcpy(header.signature, signature, sizeof header.signature);
    memcpy(header.oem_id, "PARAVN", sizeof header.oem_id);
    memcpy(header.oem_table_id, "PARAVANE", sizeof header.oem_table_id);
    memcpy(header.creator_id, "PVAN", sizeof header.creator_id);
    return header;
}

/* (table) begins with its header, whose length is right. */
static void seal(void *table)
{
    struct header *header = table;

    header->checksum = checksum(table, header->length);
}

static void build_madt(struct madt *madt, unsigned nr_cpus)
{
    madt->header = make_header(
        "APIC", 4, offsetof(struct madt, cpus) + nr_cpus * sizeof *madt->cpus);
    madt->lapic_addr = LAPIC_ADDR;
    for (unsigned i = 0; i < nr_cpus; i++)
        madt->cpus[i] = (struct madt_lapic){
            .type = MADT_LAPIC,
            .length = sizeof *madt->cpus,
            .processor = (uint8_t)i,
            .apic_id = lapic_id_of(i),
            .flags = LAPIC_USABLE,
        };
    seal(madt);
}

static void build_fadt(struct fadt *fadt, uint64_t dsdt)
{
    fadt->header = make_header("FACP", 6, sizeof *fadt);
    fadt->dsdt = (uint32_t)dsdt;
    fadt->x_dsdt = dsdt;
    fadt->boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS;
    fadt->flags = FADT_REDUCED;
    seal(fadt);
}

void acpi_build(uint8_t page[PAGE_SIZE], uint64_t paddr, unsigned nr_cpus)
{
    struct rsdp *rsdp = (void *)page;
    struct xsdt *xsdt = (void *)(page + OFFSET_XSDT);
    struct header *dsdt = (void *)(page + OFFSET_DSDT);

    *rsdp = (struct rsdp){
        .revision = 2,
        .length = sizeof *rsdp,
        .xsdt = paddr + OFFSET_XSDT,
    };
    memcpy(rsdp->signature, "RSD PTR ", sizeof rsdp->signature);
    memcpy(rsdp->oem_id, "PARAVN", sizeof rsdp->oem_id);
    rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
    rsdp->extended_checksum = checksum(rsdp, sizeof *rsdp);

    xsdt->header = make_header("XSDT", 1, sizeof *xsdt);
    xsdt->tables[0] = paddr + OFFSET_FADT;
    xsdt->tables[1] = paddr + OFFSET_MADT;
    seal(xsdt);
    *dsdt = make_header("DSDT", 2, sizeof *dsdt);
    seal(dsdt);
    build_fadt((void *)(page + OFFSET_FADT), paddr + OFFSET_DSDT);
    build_madt((void *)(page + OFFSET_MADT), nr_cpus);
}
