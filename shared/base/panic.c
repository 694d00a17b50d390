/* panic: the last line of a process that found itself inconsistent. It is a log line like any other, so that
 * whoever reads the log finds the death where everything else stands, and then SIGABRT, so that the
 * supervisor records a crash. */
#include "panic.h"
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void panic_at(const char *file, int line, const char *format, ...)
{
    static _Thread_local bool panicking;
    char reason[1024];

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    /* A panic of the logging itself must still end the process. */
    if (!panicking) {
        panicking = true;
        log_event(LOG_ERROR, "panic", LOG_S("reason", reason), LOG_S("file", file), LOG_I("line", line));
    }
    abort();
}
