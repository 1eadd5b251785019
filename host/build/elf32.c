#include "host/build/elf32.h"

#include <string.h>

Elf64_Ehdr elf32_header(const Elf32_Ehdr *from)
{
    Elf64_Ehdr to = {
        .e_type = from->e_type,
        .e_machine = from->e_machine,
        .e_version = from->e_version,
        .e_entry = from->e_entry,
        .e_phoff = from->e_phoff,
        .e_shoff = from->e_shoff,
        .e_flags = from->e_flags,
        .e_ehsize = from->e_ehsize,
        .e_phentsize = from->e_phentsize,
        .e_phnum = from->e_phnum,
        .e_shentsize = from->e_shentsize,
        .e_shnum = from->e_shnum,
        .e_shstrndx = from->e_shstrndx,
    };

    memcpy(to.e_ident, from->e_ident, sizeof to.e_ident);
    return to;
}

Elf64_Phdr elf32_segment(const Elf32_Phdr *from)
{
    return (Elf64_Phdr){
        .p_type = from->p_type,
        .p_flags = from->p_flags,
        .p_offset = from->p_offset,
        .p_vaddr = from->p_vaddr,
        .p_paddr = from->p_paddr,
        .p_filesz = from->p_filesz,
        .p_memsz = from->p_memsz,
        .p_align = from->p_align,
    };
}

Elf64_Shdr elf32_section(const Elf32_Shdr *from)
{
    return (Elf64_Shdr){
        .sh_name = from->sh_name,
        .sh_type = from->sh_type,
        .sh_flags = from->sh_flags,
        .sh_addr = from->sh_addr,
        .sh_offset = from->sh_offset,
        .sh_size = from->sh_size,
        .sh_link = from->sh_link,
        .sh_info = from->sh_info,
        .sh_addralign = from->sh_addralign,
        .sh_entsize = from->sh_entsize,
    };
}
