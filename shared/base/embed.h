/* embed: a file as it is at build time, in the program. Its .c names it as OBJECT_DEPENDS in CMakeLists.txt. */
#pragma once

/* The bytes of the file, between `symbol` and symbol_end. */
#define EMBED(symbol, file)                                                                                        \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" file "\"\n" #symbol "_end:\n.byte 0\n.popsection\n");     \
    extern const char symbol[] __attribute__((visibility("hidden"))), symbol##_end[] __attribute__((visibility("hidden")))
