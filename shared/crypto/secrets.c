/* secrets: files, each one value. A file is written whole under another name, synced, and renamed, so that a
 * crash leaves the old value or the new one; a lock on the directory keeps two makers apart. Modes do not
 * depend on the umask, and a file that others may read is put right or refused. Values never stand in a
 * message. */
#include "secrets.h"
#include "../base/clock.h"
#include "../base/panic.h"
#include "hash.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SECRET_SIZE_MAX = 4096, LOCK_TRIES = 100, LOCK_PAUSE = 50 /* milliseconds */ };

enum kind {
    KIND_RING,
    KIND_KEY,
    KIND_TEXT,
    KIND_GIVEN, /* by another company: put there by a person, never made; none is an empty value */
};

/* Adding an actor with sealed columns is a ring here, one with tables a password. */
static const struct {
    const char *name;
    enum kind kind;
} secrets[] = {
    {"jwt_keys", KIND_RING},
    {"data_keys.accounts", KIND_RING},
    {"data_keys.children", KIND_RING},
    {"data_keys.videos", KIND_RING},
    {"data_keys.admin", KIND_RING},
    {"data_keys.mailer", KIND_RING},
    {"data_keys.assessments", KIND_RING},
    {"data_keys.notifications", KIND_RING},
    {"index_key", KIND_KEY},
    {"token_key", KIND_KEY},
    {"push_vapid", KIND_KEY},
    {"db.accounts", KIND_TEXT},
    {"db.children", KIND_TEXT},
    {"db.videos", KIND_TEXT},
    {"db.admin", KIND_TEXT},
    {"db.mailer", KIND_TEXT},
    {"db.assessments", KIND_TEXT},
    {"db.notifications", KIND_TEXT},
    {"metrics_token", KIND_TEXT},
    {"turn_secret", KIND_TEXT},
    {"smtp_password", KIND_GIVEN},
    {"push_fcm", KIND_GIVEN},
    {"push_apns", KIND_GIVEN},
    {"oauth.google", KIND_GIVEN},
    {"oauth.kakao", KIND_GIVEN},
    {"oauth.naver", KIND_GIVEN},
    {"oauth.apple", KIND_GIVEN},
};

/* The directory of one call. */
typedef struct {
    int fd;
    const char *path;
    char *error;
    size_t error_size;
} place_t;

static int fail(const place_t *place, const char *name, const char *reason)
{
    snprintf(place->error, place->error_size, "%s%s%s: %s", place->path, name ? "/" : "", name ? name : "",
        reason);
    return -1;
}

static int secret_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (strcmp(secrets[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Opens the directory and, when asked, holds its lock until place_close. */
static int place_open(place_t *place, bool lock)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE * 1000000L};
    int tries = 0;

    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->fd < 0)
        return fail(place, NULL, strerror(errno));
    while (lock && flock(place->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || ++tries == LOCK_TRIES) {
            int reason = errno;
            close(place->fd);
            return fail(place, NULL, reason == EWOULDBLOCK ? "locked by another process" : strerror(reason));
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

static void place_close(place_t *place)
{
    close(place->fd); /* and the lock with it */
}

static bool write_all(int fd, text_t value)
{
    while (value.length > 0) {
        ssize_t written = write(fd, value.data, value.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        value.data += written;
        value.length -= (size_t)written;
    }
    return true;
}

/* Puts the value under the name, whatever stood there. The lock is held. */
static int secret_write(const place_t *place, const char *name, text_t value)
{
    char temporary[128];
    snprintf(temporary, sizeof(temporary), ".%s.new", name);
    unlinkat(place->fd, temporary, 0); /* left by a crash: the lock says that nobody is writing it now */
    int fd = openat(place->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, value) && fsync(fd) == 0;
    int reason = errno;

    if (fd >= 0)
        close(fd);
    if (good && (renameat(place->fd, temporary, place->fd, name) != 0 || fsync(place->fd) != 0)) {
        reason = errno;
        good = false;
    }
    if (good)
        return 0;
    unlinkat(place->fd, temporary, 0);
    return fail(place, name, strerror(reason));
}

/* Reads a file of at most SECRET_SIZE_MAX bytes; errno ENOENT when there is none. */
static int file_read(const place_t *place, const char *name, buffer_t *out)
{
    struct stat what;
    int fd = openat(place->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = 0;

    if (fd < 0) {
        int reason = errno;
        fail(place, name, reason == ENOENT ? "missing" : strerror(reason));
        errno = reason;
        return -1;
    }
    bool file = fstat(fd, &what) == 0 && S_ISREG(what.st_mode) && what.st_size <= SECRET_SIZE_MAX;
    bool closed = file && ((what.st_mode & 077) == 0 || fchmod(fd, 0600) == 0);
    if (closed) {
        buffer_reserve(out, SECRET_SIZE_MAX + 1);
        while ((got = read(fd, out->data + out->length, SECRET_SIZE_MAX + 1 - out->length)) > 0)
            out->length += (size_t)got;
    }
    close(fd);
    errno = 0;
    if (!file)
        return fail(place, name, "no regular file of a secret's size");
    if (!closed)
        return fail(place, name, "others may read it, and its mode cannot be changed; make it 0600");
    return got < 0 ? fail(place, name, "unreadable") : 0;
}

static void buffer_wipe(buffer_t *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->capacity);
    buffer_free(buffer);
}

static bool is_valid(enum kind kind, text_t value)
{
    key_ring_t ring;

    if (kind == KIND_RING) {
        bool good = key_ring_parse(value, &ring) == 0;
        explicit_bzero(&ring, sizeof(ring));
        return good;
    }
    if (kind == KIND_KEY)
        return value.length == KEY_BYTES;
    if (kind == KIND_GIVEN)
        return memchr(value.data, '\0', value.length) == NULL;
    for (size_t i = 0; i < value.length; i++)
        if (!isgraph((unsigned char)value.data[i]))
            return false;
    return value.length > 0;
}

/* Reads and checks; what a person wrote with an editor may end with a line's end. */
static int secret_load(const place_t *place, int index, buffer_t *out)
{
    if (file_read(place, secrets[index].name, out) != 0)
        return secrets[index].kind == KIND_GIVEN && errno == ENOENT ? 0 : -1;
    if (secrets[index].kind != KIND_KEY && out->length > 0 && out->data[out->length - 1] == '\n')
        out->length--;
    if (is_valid(secrets[index].kind, buffer_text(out)))
        return 0;
    errno = 0;
    return fail(place, secrets[index].name,
        "damaged; put its backup back, because what it protects cannot be read without");
}

static void add_random_base64(buffer_t *out)
{
    uint8_t key[KEY_BYTES];
    arena_t *arena = arena_create(1024, NULL, NULL);

    random_bytes(key, sizeof(key));
    text_t encoded = base64url_encode(arena, (text_t){(char *)key, sizeof(key)});
    buffer_add_text(out, encoded);
    explicit_bzero((char *)(uintptr_t)encoded.data, encoded.length);
    explicit_bzero(key, sizeof(key));
    arena_destroy(&arena);
}

static int secret_make(const place_t *place, int index)
{
    uint8_t key[KEY_BYTES];
    buffer_t value = {0};

    if (secrets[index].kind == KIND_KEY) {
        random_bytes(key, sizeof(key));
        buffer_add(&value, key, sizeof(key));
        explicit_bzero(key, sizeof(key));
    } else {
        if (secrets[index].kind == KIND_RING)
            buffer_add_string(&value, "k1:");
        add_random_base64(&value);
    }
    int result = secret_write(place, secrets[index].name, buffer_text(&value));
    buffer_wipe(&value);
    return result;
}

/* What is there must be good; what is not there is made. */
static int secret_ensure(const place_t *place, int index)
{
    buffer_t value = {0};
    int result = secret_load(place, index, &value), reason = errno;

    buffer_wipe(&value);
    bool make = result != 0 && reason == ENOENT && secrets[index].kind != KIND_GIVEN;
    return make ? secret_make(place, index) : result;
}

int secrets_ensure(const char *directory, char *error, size_t error_size)
{
    place_t place = {.path = directory, .error = error, .error_size = error_size};
    int result = 0;

    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return fail(&place, NULL, strerror(errno));
    if (place_open(&place, true) != 0)
        return -1;
    if (fchmod(place.fd, 0700) != 0)
        result = fail(&place, NULL, strerror(errno));
    for (size_t i = 0; i < ARRAY_SIZE(secrets) && result == 0; i++)
        result = secret_ensure(&place, (int)i);
    place_close(&place);
    return result;
}

int secrets_read(const char *directory, const char *name, buffer_t *out, char *error, size_t error_size)
{
    place_t place = {.path = directory, .error = error, .error_size = error_size};
    int index = secret_find(name);
    buffer_t value = {0};

    if (index < 0)
        return fail(&place, NULL, "no secret has that name");
    if (place_open(&place, false) != 0)
        return -1;
    int result = secret_load(&place, index, &value);
    if (result == 0)
        buffer_add_text(out, buffer_text(&value));
    buffer_wipe(&value);
    place_close(&place);
    return result;
}

/* --- rings: always put together from the parts of their text, so that no change can alter a key ------------------- */

typedef struct {
    ring_ids_t ids;
    int64_t newest;
    text_t parts[KEY_RING_MAX]; /* "id:base64url", in the text that was read */
} ring_t;

static void ring_split(text_t text, ring_t *out)
{
    key_ring_t keys;

    *out = (ring_t){.ids = {.count = 0}};
    if (key_ring_parse(text, &keys) != 0)
        panic("a ring that was checked is none"); /* secret_load refuses it */
    out->ids.staged = key_ring_staged(&keys);
    out->newest = key_ring_newest(&keys);
    for (; out->ids.count < keys.count && text_split(&text, ',', &out->parts[out->ids.count]); out->ids.count++)
        memcpy(out->ids.ids[out->ids.count], keys.keys[out->ids.count].id, KEY_ID_SIZE);
    explicit_bzero(&keys, sizeof(keys));
}

static void part_add(buffer_t *out, text_t part)
{
    if (out->length > 0)
        buffer_add_char(out, ',');
    buffer_add_text(out, part);
}

/* Each writes the changed ring; NULL, or why it cannot. */
static const char *ring_stage(const ring_t *ring, buffer_t *out)
{
    char id[32];

    if (ring->ids.staged >= 0)
        return "a key is staged already; promote it first";
    if (ring->ids.count == KEY_RING_MAX)
        return "it has as many keys as a ring can; retire the old ones first";
    if (snprintf(id, sizeof(id), "k%lld", (long long)ring->newest + 1) >= KEY_ID_SIZE)
        return "its ids leave no room for another";
    for (int i = 0; i < ring->ids.count; i++)
        part_add(out, ring->parts[i]);
    part_add(out, text_of(id));
    buffer_add_char(out, ':');
    add_random_base64(out);
    return NULL;
}

static const char *ring_promote(const ring_t *ring, buffer_t *out)
{
    if (ring->ids.staged < 0)
        return "no key is staged";
    part_add(out, ring->parts[ring->ids.staged]);
    for (int i = 0; i < ring->ids.count; i++)
        if (i != ring->ids.staged)
            part_add(out, ring->parts[i]);
    return NULL;
}

static const char *ring_retire(const ring_t *ring, buffer_t *out)
{
    if (ring->ids.count == (ring->ids.staged < 0 ? 1 : 2))
        return "no key stands behind the first";
    part_add(out, ring->parts[0]);
    if (ring->ids.staged >= 0)
        part_add(out, ring->parts[ring->ids.staged]);
    return NULL;
}

static int ring_find(place_t *place, const char *name)
{
    int index = secret_find(name);
    if (index >= 0 && secrets[index].kind == KIND_RING)
        return index;
    snprintf(place->error, place->error_size, "no ring is called %s; there are", name);
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        size_t length = strlen(place->error);
        if (secrets[i].kind == KIND_RING)
            snprintf(place->error + length, place->error_size - length, " %s", secrets[i].name);
    }
    return -1;
}

typedef struct {
    const char *directory, *name;
    const char *(*change)(const ring_t *, buffer_t *out);
} ring_change_t;

static int ring_change(ring_change_t what, char *error, size_t error_size)
{
    place_t place = {.path = what.directory, .error = error, .error_size = error_size};
    int index = ring_find(&place, what.name);
    buffer_t old = {0}, new = {0};
    ring_t ring;

    if (index < 0 || place_open(&place, true) != 0)
        return -1;
    buffer_reserve(&new, SECRET_SIZE_MAX); /* grown, it would leave a copy behind that nobody wipes */
    int result = secret_load(&place, index, &old);
    if (result == 0) {
        ring_split(buffer_text(&old), &ring);
        const char *reason = what.change(&ring, &new);
        result = reason == NULL ? secret_write(&place, what.name, buffer_text(&new)) : fail(&place, what.name, reason);
    }
    buffer_wipe(&old);
    buffer_wipe(&new);
    place_close(&place);
    return result;
}

int secrets_stage(const char *directory, const char *ring, char *error, size_t error_size)
{
    return ring_change((ring_change_t){directory, ring, ring_stage}, error, error_size);
}

int secrets_promote(const char *directory, const char *ring, char *error, size_t error_size)
{
    return ring_change((ring_change_t){directory, ring, ring_promote}, error, error_size);
}

int secrets_retire(const char *directory, const char *ring, char *error, size_t error_size)
{
    return ring_change((ring_change_t){directory, ring, ring_retire}, error, error_size);
}

int secrets_ring_ids(const char *directory, const char *name, ring_ids_t *out, char *error, size_t error_size)
{
    place_t place = {.path = directory, .error = error, .error_size = error_size};
    int index = ring_find(&place, name);
    buffer_t value = {0};
    struct stat what;
    ring_t ring;

    if (index < 0 || place_open(&place, true) != 0) /* so that time and text belong together */
        return -1;
    int result = secret_load(&place, index, &value);
    if (result == 0 && fstatat(place.fd, name, &what, AT_SYMLINK_NOFOLLOW) != 0)
        result = fail(&place, name, strerror(errno));
    if (result == 0) {
        ring_split(buffer_text(&value), &ring);
        *out = ring.ids;
        out->changed = what.st_mtim.tv_sec * CLOCK_SECOND + what.st_mtim.tv_nsec / 1000;
    }
    buffer_wipe(&value);
    place_close(&place);
    return result;
}
