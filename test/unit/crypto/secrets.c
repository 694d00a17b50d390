#include "../unit.h"
#include "crypto/keys.h"
#include "crypto/secrets.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = {"jwt_keys", "data_keys.accounts", "data_keys.children", "index_key",
    "token_key", "db.accounts", "db.children"};

static char directory[64], error[256];

static int make(void **state)
{
    (void)state;
    char base[] = "/tmp/unit-secrets-XXXXXX";
    umask(0); /* modes must not depend on it */
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(directory, sizeof(directory), "%s/secrets", base);
    return 0;
}

static int destroy(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %.*s", (int)(strrchr(directory, '/') - directory), directory);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[192];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *value, mode_t mode)
{
    unlink(path_of(name));
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, value, strlen(value)), strlen(value));
    close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat what;
    assert_int_equal(lstat(path, &what), 0);
    return what.st_mode & 07777;
}

static buffer_t value_of(const char *name)
{
    buffer_t value = {0};
    if (secrets_read(directory, name, &value, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return value;
}

static void made(void **state)
{
    key_ring_t ring;
    buffer_t first[ARRAY_SIZE(names)];
    (void)state;
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    assert_int_equal(mode_of(directory), 0700);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(mode_of(path_of(names[i])), 0600);
        first[i] = value_of(names[i]);
        assert_true(first[i].length >= 32);
        for (size_t k = 0; k < i; k++)
            assert_false(text_equal(buffer_text(&first[i]), buffer_text(&first[k])));
    }
    assert_int_equal(key_ring_parse(buffer_text(&first[0]), &ring), 0);
    assert_int_equal(ring.count, 1);
    assert_string_equal(ring.keys[0].id, "k1");
    assert_int_equal(first[3].length, 32);
    assert_int_equal(first[5].length, 43);
    /* Again: nothing changes. A missing one is made, the others stay. */
    unlink(path_of("token_key"));
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        buffer_t second = value_of(names[i]);
        assert_int_equal(
            text_equal(buffer_text(&first[i]), buffer_text(&second)), strcmp(names[i], "token_key") != 0);
        buffer_free(&first[i]);
        buffer_free(&second);
    }
}

/* What another company gives is never made; until somebody puts it there it is empty. */
static void given(void **state)
{
    (void)state;
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    assert_int_equal(access(path_of("oauth.apple"), F_OK), -1);
    buffer_t value = value_of("oauth.apple");
    assert_int_equal(value.length, 0);
    put("oauth.apple", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", 0644);
    value = value_of("oauth.apple");
    assert_text(buffer_text(&value), "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----");
    assert_int_equal(mode_of(path_of("oauth.apple")), 0600);
    buffer_free(&value);
    unlink(path_of("oauth.apple"));
    assert_int_equal(symlink("/etc/hostname", path_of("oauth.apple")), 0);
    assert_int_equal(secrets_read(directory, "oauth.apple", &value, error, sizeof(error)), -1);
    unlink(path_of("oauth.apple"));
}

static void damaged(void **state)
{
    buffer_t value = {0};
    (void)state;
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    /* Never replaced silently: what it protects would be lost. */
    put("jwt_keys", "k1:short", 0600);
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), -1);
    assert_non_null(strstr(error, "jwt_keys: damaged"));
    assert_null(strstr(error, "short"));
    assert_int_equal(secrets_read(directory, "jwt_keys", &value, error, sizeof(error)), -1);
    assert_null(value.data);
    put("index_key", "0123456789", 0600);
    assert_int_equal(secrets_read(directory, "index_key", &value, error, sizeof(error)), -1);
    put("db.accounts", "two words", 0600);
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    put("db.accounts", "", 0600);
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    /* An editor's line end is no part of a text. */
    put("db.accounts", "swordfish\n", 0600);
    value = value_of("db.accounts");
    assert_text(buffer_text(&value), "swordfish");
    buffer_free(&value);
    /* Open to others: closed. A link, a directory, something huge: refused. */
    put("db.accounts", "swordfish", 0644);
    value = value_of("db.accounts");
    buffer_free(&value);
    assert_int_equal(mode_of(path_of("db.accounts")), 0600);
    unlink(path_of("db.accounts"));
    assert_int_equal(symlink("/etc/hostname", path_of("db.accounts")), 0);
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    unlink(path_of("db.accounts"));
    assert_int_equal(mkdir(path_of("db.accounts"), 0700), 0);
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    rmdir(path_of("db.accounts"));
    assert_int_equal(mkfifo(path_of("db.accounts"), 0600), 0);
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    unlink(path_of("db.accounts"));
    assert_int_equal(secrets_read(directory, "db.accounts", &value, error, sizeof(error)), -1);
    assert_non_null(strstr(error, "missing"));
    assert_int_equal(secrets_read(directory, "../passwd", &value, error, sizeof(error)), -1);
    assert_int_equal(secrets_read("/nowhere", "jwt_keys", &value, error, sizeof(error)), -1);
    assert_int_equal(secrets_ensure("/nowhere/at/all", error, sizeof(error)), -1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unlink(path_of(names[i]));
}

static key_ring_t ring_of(const char *name)
{
    key_ring_t ring;
    buffer_t value = value_of(name);
    assert_int_equal(key_ring_parse(buffer_text(&value), &ring), 0);
    buffer_free(&value);
    return ring;
}

typedef int step_t(const char *directory, const char *ring, char *error, size_t error_size);

static void step_good(step_t *step, const char *ring)
{
    if (step(directory, ring, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    assert_int_equal(mode_of(path_of(ring)), 0600);
}

/* Refused for this reason, and nothing changed. */
static void step_bad(step_t *step, const char *ring, const char *reason)
{
    key_ring_t before = ring_of(ring);
    assert_int_equal(step(directory, ring, error, sizeof(error)), -1);
    if (strstr(error, reason) == NULL)
        fail_msg("%s does not say: %s", error, reason);
    key_ring_t after = ring_of(ring);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void rotation(void **state)
{
    (void)state;
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    key_ring_t before = ring_of("jwt_keys");
    step_bad(secrets_promote, "jwt_keys", "no key is staged");
    step_bad(secrets_retire, "jwt_keys", "no key stands behind");

    step_good(secrets_stage, "jwt_keys");
    key_ring_t staged = ring_of("jwt_keys");
    assert_int_equal(staged.count, 2);
    assert_memory_equal(&staged.keys[0], &before.keys[0], sizeof(ring_key_t));
    assert_string_equal(staged.keys[1].id, "k2");
    assert_memory_not_equal(staged.keys[1].key, before.keys[0].key, KEY_BYTES);
    step_bad(secrets_stage, "jwt_keys", "staged already");
    step_bad(secrets_retire, "jwt_keys", "no key stands behind");

    step_good(secrets_promote, "jwt_keys");
    key_ring_t promoted = ring_of("jwt_keys");
    assert_int_equal(promoted.count, 2);
    assert_memory_equal(&promoted.keys[0], &staged.keys[1], sizeof(ring_key_t));
    assert_memory_equal(&promoted.keys[1], &staged.keys[0], sizeof(ring_key_t));
    step_bad(secrets_promote, "jwt_keys", "no key is staged");

    /* What is staged meanwhile stays. */
    step_good(secrets_stage, "jwt_keys");
    key_ring_t again = ring_of("jwt_keys");
    step_good(secrets_retire, "jwt_keys");
    key_ring_t retired = ring_of("jwt_keys");
    assert_int_equal(retired.count, 2);
    assert_memory_equal(&retired.keys[0], &promoted.keys[0], sizeof(ring_key_t));
    assert_memory_equal(&retired.keys[1], &again.keys[2], sizeof(ring_key_t));
    step_good(secrets_promote, "jwt_keys");
    step_good(secrets_retire, "jwt_keys");
    retired = ring_of("jwt_keys");
    assert_int_equal(retired.count, 1);
    assert_string_equal(retired.keys[0].id, "k3");
}

/* A full ring gives up no key by itself: what it sealed would be lost. */
static void rotation_limits(void **state)
{
    (void)state;
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    for (int i = 2; i <= KEY_RING_MAX; i++) {
        step_good(secrets_stage, "data_keys.children");
        step_good(secrets_promote, "data_keys.children");
    }
    key_ring_t full = ring_of("data_keys.children");
    assert_int_equal(full.count, KEY_RING_MAX);
    for (int i = 0; i < KEY_RING_MAX; i++)
        assert_int_equal(key_number(full.keys[i].id), KEY_RING_MAX - i);
    step_bad(secrets_stage, "data_keys.children", "retire the old ones");
    step_good(secrets_retire, "data_keys.children");
    step_good(secrets_stage, "data_keys.children");

    assert_int_equal(secrets_stage(directory, "index_key", error, sizeof(error)), -1);
    assert_int_equal(secrets_stage(directory, "nobody", error, sizeof(error)), -1);
    assert_non_null(strstr(error, "jwt_keys data_keys.accounts data_keys.children data_keys.videos data_keys.admin data_keys.mailer "
                                  "data_keys.assessments data_keys.notifications"));
    assert_int_equal(secrets_stage("/nowhere", "jwt_keys", error, sizeof(error)), -1);
    put("data_keys.accounts", "k999999999999999:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0600);
    step_bad(secrets_stage, "data_keys.accounts", "no room");
    /* Ids of somebody else's, and an editor's line end. */
    put("data_keys.accounts", "winter:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0600);
    step_good(secrets_stage, "data_keys.accounts");
    step_good(secrets_promote, "data_keys.accounts");
    key_ring_t ring = ring_of("data_keys.accounts");
    assert_string_equal(ring.keys[0].id, "k1");
    assert_string_equal(ring.keys[1].id, "winter");
}

static void ids(void **state)
{
    ring_ids_t ids;
    struct stat what;
    (void)state;
    unlink(path_of("jwt_keys"));
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    assert_int_equal(secrets_ring_ids(directory, "jwt_keys", &ids, error, sizeof(error)), 0);
    assert_int_equal(ids.count, 1);
    assert_int_equal(ids.staged, -1);
    step_good(secrets_stage, "jwt_keys");
    assert_int_equal(secrets_ring_ids(directory, "jwt_keys", &ids, error, sizeof(error)), 0);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.staged, 1);
    assert_string_equal(ids.ids[0], "k1");
    assert_string_equal(ids.ids[1], "k2");
    assert_int_equal(stat(path_of("jwt_keys"), &what), 0);
    assert_int_equal(ids.changed / 1000000, what.st_mtim.tv_sec);
    assert_int_equal(secrets_ring_ids(directory, "token_key", &ids, error, sizeof(error)), -1);
    put("jwt_keys", "k1:short", 0600);
    assert_int_equal(secrets_ring_ids(directory, "jwt_keys", &ids, error, sizeof(error)), -1);
    assert_null(strstr(error, "short"));
    unlink(path_of("jwt_keys"));
}

/* Several at once: one of them stages, one promotes, one retires; nothing is ever half. */
static void together(void **state)
{
    enum { PROCESSES = 6, TURNS = 10 };
    static step_t *const steps[] = {secrets_stage, secrets_promote, secrets_retire};
    int status, done = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unlink(path_of(names[i]));
    assert_int_equal(secrets_ensure(directory, error, sizeof(error)), 0);
    for (int turn = 0; turn < TURNS * (int)ARRAY_SIZE(steps); turn++, done = 0) {
        for (int i = 0; i < PROCESSES; i++)
            if (fork() == 0) {
                buffer_t value = {0};
                int good = secrets_ensure(directory, error, sizeof(error)) == 0 &&
                           secrets_read(directory, "data_keys.children", &value, error, sizeof(error)) == 0;
                int result = steps[turn % 3](directory, "data_keys.children", error, sizeof(error));
                buffer_free(&value);
                _exit(good ? (result == 0 ? 1 : 0) : 2);
            }
        for (int i = 0; i < PROCESSES; i++) {
            assert_true(wait(&status) > 0);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
            done += WEXITSTATUS(status);
        }
        assert_int_equal(done, 1);
    }
    key_ring_t ring = ring_of("data_keys.children");
    assert_int_equal(ring.count, 1);
    assert_string_equal(ring.keys[0].id, "k11");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(made), cmocka_unit_test(given),
        cmocka_unit_test(damaged), cmocka_unit_test(rotation), cmocka_unit_test(rotation_limits), cmocka_unit_test(ids),
        cmocka_unit_test(together)};
    return cmocka_run_group_tests_name("crypto/secrets", tests, make, destroy);
}
