/* Names for addresses, from the image's symbol table. */
#include <errno.h>
#include <unistd.h>

#include "host/build/image.h"

#define SYMBOLS_AT_ONCE 64
#define NAME_SIZE       128

/* Labels in assembly have no type, and some no size. */
static bool may_name(const Elf64_Sym *symbol, uint64_t va)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    if (type != STT_FUNC && type != STT_NOTYPE)
        return false;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
        symbol->st_name == 0 || symbol->st_value > va)
        return false;
    return !symbol->st_size || va - symbol->st_value < symbol->st_size;
}

/* A nearer one, or as near and with a size. */
static bool is_better(const Elf64_Sym *symbol, const Elf64_Sym *best)
{
    if (!best->st_name || symbol->st_value != best->st_value)
        return !best->st_name || symbol->st_value > best->st_value;
    return symbol->st_size && !best->st_size;
}

/* The best of the (nr) symbols from number (first) on; short files end it. */
static bool search(const struct image *image, uint64_t first, size_t nr,
                   uint64_t va, Elf64_Sym *best)
{
    Elf64_Sym symbols[SYMBOLS_AT_ONCE];
    const uint64_t offset = image->symbols_offset + first * sizeof *symbols;
    const size_t size = nr * sizeof *symbols;

    if (pread(image->fd, symbols, size, (off_t)offset) != (ssize_t)size)
        return false;
    for (size_t i = 0; i < nr; i++)
        if (may_name(&symbols[i], va) && is_better(&symbols[i], best))
            *best = symbols[i];
    return true;
}

/* What the strings hold at (start), cut to NAME_SIZE. */
static const char *read_name(const struct image *image, uint32_t start)
{
    static char name[NAME_SIZE];
    uint64_t room;
    ssize_t len;

    if (start >= image->strings_size)
        return NULL;
    room = image->strings_size - start;
    len = pread(image->fd, name, room < NAME_SIZE ? room : NAME_SIZE - 1,
                (off_t)(image->strings_offset + start));
    if (len <= 0 || !*name)
        return NULL;
    name[len] = '\0';
    return name;
}

int image_symbol(const struct image *image, uint64_t va, const char **name,
                 uint64_t *offset)
{
    Elf64_Sym best = {0};

    if (va < image->virt_start || va >= image->virt_end)
        return -ENOENT;
    for (size_t i = 0; i < image->nr_symbols; i += SYMBOLS_AT_ONCE) {
        size_t left = image->nr_symbols - i;

        if (!search(image, i, left < SYMBOLS_AT_ONCE ? left : SYMBOLS_AT_ONCE,
                    va, &best))
            break;
    }
    if (!best.st_name)
        return -ENOENT;
    *name = read_name(image, best.st_name);
    *offset = va - best.st_value;
    return *name ? 0 : -ENOENT;
}
