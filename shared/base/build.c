#include "build.h"
#include "text.h"
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>

const char build_version[] = AIPOTEN_VERSION;

static size_t aligned(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* The note NT_GNU_BUILD_ID among those of one segment (elf(5)); true: it was there. */
static bool note_find(const uint8_t *at, size_t size, char *out)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        memcpy(&head, at, sizeof(head));
        size_t name = aligned(head.n_namesz), length = aligned(head.n_descsz);
        if (size - sizeof(head) < name + length)
            return false;
        const uint8_t *value = at + sizeof(head) + name;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(at + sizeof(head), "GNU", 4) == 0) {
            for (size_t i = 0; i < head.n_descsz && 2 * i + 2 < BUILD_ID_SIZE; i++)
                snprintf(out + 2 * i, 3, "%02x", value[i]);
            return true;
        }
        at = value + length;
        size -= sizeof(head) + name + length;
    }
    return false;
}

/* The program itself comes first (dl_iterate_phdr(3)). */
static int on_object(struct dl_phdr_info *object, size_t size, void *out)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_NOTE && note_find((const uint8_t *)(object->dlpi_addr + part->p_vaddr), part->p_memsz, out))
            break;
    }
    return 1;
}

void build_id(char out[static BUILD_ID_SIZE])
{
    out[0] = '\0';
    dl_iterate_phdr(on_object, out);
}
