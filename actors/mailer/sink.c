/* sink: mails as files, for development (mail.transport: file): var/mail/JOB.eml, mode 0600, as whole files only. A mail that is
 * written twice takes its own place. */
#include "../../shared/base/log.h"
#include "../../shared/shm/process.h"
#include "mailer.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool write_whole(int fd, text_t text)
{
    while (text.length > 0) {
        ssize_t written = write(fd, text.data, text.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text.data += written;
        text.length -= (size_t)written;
    }
    return true;
}

void sink_remove(const char *directory, uuid_t id)
{
    char id_text[UUID_TEXT_SIZE], path[PATH_MAX];
    uuid_format(id, id_text);
    snprintf(path, sizeof path, "%s/%s.eml", directory, id_text);
    if (unlink(path) != 0 && errno != ENOENT)
        log_event(LOG_ERROR, "mail_file", LOG_S("reason", strerror(errno)), LOG_S("next", "remove it below var/mail by hand"));
}

bool sink_write(const char *directory, uuid_t id, text_t mail)
{
    char name[64], temporary[64], id_text[UUID_TEXT_SIZE];
    uuid_format(id, id_text);
    snprintf(name, sizeof name, "%s.eml", id_text);
    snprintf(temporary, sizeof temporary, ".%s.new", id_text);
    int place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = place < 0 ? -1 : openat(place, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_whole(fd, mail) && renameat(place, temporary, place, name) == 0;
    if (!good)
        log_event(LOG_ERROR, "mail_file", LOG_S("reason", strerror(errno)), LOG_S("next", "see var/mail: its owner, a full disk"));
    if (fd >= 0)
        close(fd);
    if (place >= 0)
        close(place);
    return good;
}
