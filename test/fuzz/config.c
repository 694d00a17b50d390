/* fuzz: any bytes as a configuration file: read, or refused with "name:line: reason" on one line. */
#include "base/config.h"
#include "base/panic.h"
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config_t config;
    char error[512] = "";
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    insist(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    if (config_load_fd(fd, "f", &config, error, sizeof(error)) == 0)
        insist(config.http.max_body > 0 && config_instances(&config, "frontend") >= 0);
    else
        insist(text_starts_with(text_of(error), TEXT("f:")) && strchr(error, '\n') == NULL);
    close(fd);
    return 0;
}
