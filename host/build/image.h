/*
 * host/build/image.h: a kernel image file, judged: its ELF headers, its Xen
 * notes, and which doors into it they offer. Every offset and size in the file
 * is checked against the file before it is used. What is packed, as a bzImage
 * or by gzip, is unpacked first.
 *
 * The file is read, never mapped: others may cut or rewrite it while we look.
 * What was judged is a private copy, and what has gone missing since is an
 * error instead of a SIGBUS.
 */
#ifndef HOST_BUILD_IMAGE_H
#define HOST_BUILD_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_SEGMENTS 32

struct image_segment {
    uint64_t file_offset, file_size; /* inside the file, checked */
    uint64_t paddr, vaddr, mem_size;
    uint32_t flags; /* PF_* */
};

/* What the Xen notes said; has_* where absence differs from 0. */
struct image_notes {
    bool any;
    bool legacy; /* from a __xen_guest section */
    bool has_entry, has_hypercall_page, has_virt_base, has_paddr_offset;
    bool has_init_p2m, has_phys32_entry;
    uint64_t entry, hypercall_page, virt_base, paddr_offset, init_p2m;
    uint64_t phys32_entry, mod_start_pfn, supported_features;
    uint64_t l1_mfn_valid_mask, l1_mfn_valid_value, hv_start_low;
    uint64_t suspend_cancel;
    char guest_os[32], guest_version[32], xen_version[32], loader[32];
    char features[256], pae_mode[16], bsd_symtab[16];
};

/* What the kernel was unpacked from, if it was. */
struct image_wrapper {
    const char *compression; /* NULL: from nothing */
    unsigned boot_protocol;  /* of a bzImage, 0x020f is 2.15; 0: no bzImage */
    char version[80];        /* of the kernel, as the bzImage says */
    uint64_t packed_size;    /* bytes */
};

struct image {
    const char *path;
    bool may_lack_notes;
    struct image_wrapper wrapper;
    int fd; /* of the ELF file; -1 when closed */
    uint64_t size;

    struct image_segment segments[IMAGE_MAX_SEGMENTS];
    unsigned nr_segments;
    bool is_32bit; /* for PVH alone */
    uint64_t elf_entry;

    struct image_notes notes;
    bool offers_pv;                         /* acceptable as a PV64 kernel */
    bool offers_pvh;                        /* has a good PHYS32_ENTRY */
    char pv_refusal[160], pvh_refusal[160]; /* why not, when not */

    /* PV: derived from the notes (xen-abi 1.1) */
    uint64_t pv_entry;
    uint64_t virt_start, virt_end; /* page-rounded range of the kernel */

    /* for backtraces: where in the file, checked; 0 if stripped */
    uint64_t symbols_offset, strings_offset, strings_size;
    size_t nr_symbols;
};

/*
 * Read and check (path), which must outlive the image: 0, or -errno with a
 * sentence logged.
 */
int image_open(const char *path, struct image **image);

/* The same, but a file without any Xen notes is taken as well: it offers no
   ABI. */
int image_open_unmarked(const char *path, struct image **image);

/* NULL is fine. */
void image_close(struct image *image);

/*
 * Copy (len) bytes of the file at (offset): 0, or -errno with a sentence
 * logged, also when the file became shorter meanwhile.
 */
int image_read(const struct image *image, uint64_t offset, void *to,
               uint64_t len);

/*
 * Nothing but image_symbol() will be asked from now on: without symbols the
 * file is closed, and the memory given back that it was unpacked to. Returns
 * whether image->fd is still open.
 */
bool image_keep_symbols(struct image *image);

/*
 * The function that (va) lies in and the offset into it: 0, or -ENOENT. Reads
 * the file by pread(image->fd), allocates nothing, and says nothing if it
 * cannot; *name is good until the next call.
 */
int image_symbol(const struct image *image, uint64_t va, const char **name,
                 uint64_t *offset);

#endif
