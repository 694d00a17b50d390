/* panic: our own inconsistency ends the process with a message that says which (style.md, habit 4).
 * Never for what a peer, a client or a database did: that is a status and a log line. */
#pragma once

_Noreturn void panic_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define insist(condition)                                                                                          \
    do {                                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                                     \
            panic("insist failed: %s", #condition);                                                                \
    } while (0)
