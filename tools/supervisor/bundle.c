#include "bundle.h"
#include "../../shared/crypto/secrets.h"
#include "../../shared/shm/process.h"
#include "certificate.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* RFC 3986, section 2.3: everything but unreserved characters is escaped. */
static void add_escaped(buffer_t *out, text_t text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buffer_add_char(out, (char)c);
        else
            buffer_format(out, "%%%02X", c);
    }
}

/* The parts of postgresql://[user[:password]@]authority[/path][?query] (libpq, section 34.1.1.2). */
static bool url_split(const char *url, text_t *authority, text_t *path, text_t *query)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    const char *rest = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            rest = url + strlen(schemes[i]);
    if (rest == NULL)
        return false;
    size_t length = strcspn(rest, "/?");
    const char *at = memrchr(rest, '@', length);
    const char *host = at != NULL ? at + 1 : rest;
    *authority = (text_t){.data = host, .length = (size_t)(rest + length - host)};
    *path = (text_t){.data = rest + length, .length = strcspn(rest + length, "?")};
    const char *mark = rest + length + path->length;
    *query = text_of(*mark == '?' ? mark + 1 : "");
    return true;
}

static void add_query(buffer_t *out, text_t query)
{
    char mark = '?';
    text_t part;
    while (text_split(&query, '&', &part)) {
        if (part.length == 0 || text_starts_with(part, TEXT("user=")) ||
            text_starts_with(part, TEXT("password=")) || text_starts_with(part, TEXT("passfile=")))
            continue;
        buffer_add_char(out, mark);
        buffer_add_text(out, part);
        mark = '&';
    }
}

int bundle_database_url(
    const char *url, const char *user, text_t password, buffer_t *out, char *error, size_t error_size)
{
    text_t authority, path, query;
    if (url == NULL || !url_split(url, &authority, &path, &query)) {
        snprintf(error, error_size,
            "DATABASE_URL %s: it must be postgresql://user:password@host:port/database",
            url == NULL ? "is not set" : "is no URI");
        return -1;
    }
    buffer_add_string(out, "postgresql://");
    add_escaped(out, text_of(user));
    buffer_add_char(out, ':');
    add_escaped(out, password);
    buffer_add_char(out, '@');
    buffer_add_text(out, authority);
    buffer_add_text(out, path);
    add_query(out, query);
    return 0;
}

void bundle_database_place(const char *url, char *out, size_t out_size)
{
    text_t authority, path, query;
    if (url == NULL || !url_split(url, &authority, &path, &query)) {
        snprintf(out, out_size, "unknown");
        return;
    }
    if (authority.length == 0) /* a socket's directory stands in the query */
        authority = TEXT("local socket");
    snprintf(out, out_size, "%.*s%.*s", TEXT_ARG(authority), TEXT_ARG(path));
}

static int add_database_url(
    const supervisor_t *supervisor, const service_t *service, buffer_t *value, char *error, size_t error_size)
{
    char name[64], user[64];
    snprintf(name, sizeof(name), "db.%s", service->role);
    snprintf(user, sizeof(user), "aipoten_%s", service->role);
    buffer_t password = {0};
    int result = secrets_read(supervisor->paths.secrets, name, &password, error, error_size);
    if (result == 0)
        result = bundle_database_url(
            supervisor->database_url, user, buffer_text(&password), value, error, error_size);
    buffer_free(&password);
    return result;
}

static int add_secret(const supervisor_t *supervisor, const service_t *service, const char *name,
    buffer_t *bundle, char *error, size_t error_size)
{
    buffer_t value = {0};
    int result;
    if (strcmp(name, "database_url") == 0)
        result = add_database_url(supervisor, service, &value, error, error_size);
    else if (strcmp(name, "tls_certificate") == 0 || strcmp(name, "tls_key") == 0)
        result = certificate_read(&supervisor->config, supervisor->paths.tls, strcmp(name, "tls_key") == 0,
            &value, error, error_size);
    else
        result = secrets_read(supervisor->paths.secrets, name, &value, error, error_size);
    if (result == 0)
        process_secret_add(bundle, name, buffer_text(&value));
    if (value.data != NULL)
        explicit_bzero(value.data, value.length);
    buffer_free(&value);
    return result;
}

int bundle_make(const supervisor_t *supervisor, const service_t *service, char *error, size_t error_size)
{
    buffer_t bundle = {0};
    int result = 0, fd = -1;
    for (int i = 0; service->secrets != NULL && service->secrets[i] != NULL && result == 0; i++)
        result = add_secret(supervisor, service, service->secrets[i], &bundle, error, error_size);
    if (result == 0) {
        fd = memfd_create("aipoten-secrets", MFD_CLOEXEC);
        if (fd < 0 || write(fd, bundle.data ? bundle.data : "", bundle.length) != (ssize_t)bundle.length) {
            snprintf(error, error_size, "cannot hand over secrets: %s", strerror(errno));
            if (fd >= 0)
                close(fd);
            fd = -1;
        }
    }
    if (bundle.data != NULL)
        explicit_bzero(bundle.data, bundle.length);
    buffer_free(&bundle);
    return fd;
}
