#include "exec.h"

#include <elf.h>
#include <string.h>

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include "filesystem.h"
#include "process.h"

#define MAX_SEGMENTS 8
#define IMAGE_END    (USER_STACK - STACK_MAX - HEAP_MAX)

static bool is_program(const Elf64_Ehdr *header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_type == ET_EXEC && header->e_machine == EM_X86_64 &&
           header->e_phentsize == sizeof(Elf64_Phdr) &&
           header->e_phnum <= MAX_SEGMENTS && header->e_phoff <= UINT32_MAX &&
           header->e_entry >= USER_START && header->e_entry < IMAGE_END;
}

static bool is_sound(const Elf64_Phdr *segment)
{
    return segment->p_filesz <= segment->p_memsz &&
           segment->p_offset <= UINT32_MAX - segment->p_filesz &&
           segment->p_filesz <= UINT32_MAX && segment->p_vaddr >= USER_START &&
           segment->p_vaddr < IMAGE_END &&
           segment->p_memsz <= IMAGE_END - segment->p_vaddr;
}

/* What of the file belongs at [va, va + len), which lies in one page. */
static int load_part(uint32_t inode, const Elf64_Phdr *segment, uint64_t va,
                     size_t len, char *to)
{
    uint64_t at = va - segment->p_vaddr;
    long rc;

    if (at >= segment->p_filesz)
        return 0;
    if (len > segment->p_filesz - at)
        len = segment->p_filesz - at;
    rc = fs_read(inode, to, (uint32_t)(segment->p_offset + at), len);
    if (rc < 0)
        return (int)rc;
    return (size_t)rc == len ? 0 : E_NOEXEC;
}

static int load_segment(struct space *space, uint32_t inode,
                        const Elf64_Phdr *segment)
{
    const uint64_t end = segment->p_vaddr + segment->p_memsz;
    uint64_t next;

    for (uint64_t va = segment->p_vaddr; va < end; va = next) {
        char *page =
            space_add_page(space, va & ~(PAGE_SIZE - 1),
                           segment->p_flags & PF_W, segment->p_flags & PF_X);
        int rc;

        if (!page)
            return E_NOMEM;
        next = (va | (PAGE_SIZE - 1)) + 1;
        if (next > end)
            next = end;
        rc = load_part(inode, segment, va, next - va,
                       page + (va & (PAGE_SIZE - 1)));
        if (rc)
            return rc;
    }
    if (end > space->heap_start)
        space->heap_start = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return 0;
}

static int load(struct space *space, uint32_t inode, uint64_t *entry)
{
    Elf64_Ehdr header;
    long rc = fs_read(inode, &header, 0, sizeof header);

    if (rc < 0)
        return (int)rc;
    if (rc != sizeof header || !is_program(&header))
        return E_NOEXEC;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;

        rc = fs_read(inode, &segment,
                     (uint32_t)header.e_phoff + i * (uint32_t)sizeof segment,
                     sizeof segment);
        if (rc != sizeof segment)
            return rc < 0 ? (int)rc : E_NOEXEC;
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
            continue;
        if (!is_sound(&segment))
            return E_NOEXEC;
        rc = load_segment(space, inode, &segment);
        if (rc)
            return (int)rc;
    }
    space->heap_end = space->heap_start;
    *entry = header.e_entry;
    return 0;
}

/*
 * At the top of the stack: the strings, below them the pointers to them. All
 * fit into one page and the next. (*sp) is where both begin.
 */
static int push_args(struct space *space, char *const *argv, unsigned *nr,
                     uint64_t *sp)
{
    uint64_t pointers[ARGS_MAX + 1], at = USER_STACK;
    size_t total = 0, size;

    for (*nr = 0; argv[*nr]; ++*nr) {
        size_t len = strlen(argv[*nr]) + 1;

        if (*nr == ARGS_MAX || len > ARGS_SIZE - total)
            return E_TOOBIG;
        total += len;
        at -= len;
        pointers[*nr] = at;
        if (!space_write(space, at, argv[*nr], len))
            return E_NOMEM;
    }
    pointers[*nr] = 0;
    size = (*nr + 1) * sizeof *pointers;
    *sp = (at - size) & ~15ull;
    return space_write(space, *sp, pointers, size) ? 0 : E_NOMEM;
}

/* The process is called as the file, as far as there is room. */
static void set_name(struct process *process, const char *path)
{
    const char *name = path;

    for (; *path; path++)
        if (*path == '/')
            name = path + 1;
    guest_format(process->name, sizeof process->name, "%s", name);
}

int exec(const char *path, char *const *argv)
{
    struct process *process = process_current();
    long inode = fs_find(process->folder, path);
    uint64_t entry = 0, sp = 0;
    struct space space;
    unsigned nr_args = 0;
    int rc;

    if (inode < 0)
        return (int)inode;
    if (!space_create(&space))
        return E_NOMEM;
    rc = load(&space, (uint32_t)inode, &entry);
    if (!rc)
        rc = push_args(&space, argv, &nr_args, &sp);
    if (rc) {
        space_destroy(&space);
        return rc;
    }
    space_go_live(&space);
    process_replace_space(&space);
    set_name(process, path);
    user_prepare(process->user, entry, sp);
    process->user->registers.rdi = nr_args;
    process->user->registers.rsi = sp;
    return 0;
}
