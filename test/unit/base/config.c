#include "../unit.h"
#include "base/config.h"
#include <unistd.h>
#include <sys/mman.h>

/* Loads a text as if it were the file "t.yaml". */
static int load(const char *yaml, size_t length, config_t *config, char *error, size_t error_size)
{
    int fd = memfd_create("config", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, length), length);
    int result = config_load_fd(fd, "t.yaml", config, error, error_size);
    close(fd);
    return result;
}

static const struct {
    const char *yaml, *error;
} refusals[] = {
    {"http: {max_body: 1M}\n\nhttp:\n  max_bodi: 1M\n",
        "t.yaml:4: http.max_bodi: no such setting; did you mean http.max_body?"},
    {"htpp:\n  max_body: 1M\n", "t.yaml:1: htpp: no such setting"},
    {"instances:\n  accounts_hash: 3\n",
        "t.yaml:2: instances.accounts_hash: no such setting; did you mean instances.accounts-hash?"},
    {"zzzzzzzzzzzzzzzzzzzzzz: 1\n", "t.yaml:1: zzzzzzzzzzzzzzzzzzzzzz: no such setting"},
    {"http:\n  max_body: big\n", "t.yaml:2: http.max_body: \"big\" is not a size like 512, 64K or 1M"},
    {"http:\n  max_body: 1MB\n", "t.yaml:2: http.max_body: \"1MB\" is not a size like 512, 64K or 1M"},
    {"http:\n  max_body: -1\n", "t.yaml:2: http.max_body: \"-1\" is not a size like 512, 64K or 1M"},
    {"http:\n  max_body: 99999999999999999999G\n", "is not a size"},
    {"http:\n  max_body: 9999999999G\n", "is not a size"},
    {"http:\n  max_body: 65M\n", "t.yaml:2: http.max_body: 65M is out of range (1K to 64M)"},
    {"http:\n  max_body: 0\n", "t.yaml:2: http.max_body: 0 is out of range (1K to 64M)"},
    {"http:\n  max_body: {}\n",
        "t.yaml:2: http.max_body: a size like 512, 64K or 1M is wanted, not a map"},
    {"http:\n  max_body: [1M]\n",
        "t.yaml:2: http.max_body: a size like 512, 64K or 1M is wanted, not a list"},
    {"http:\n  max_body:\n", "t.yaml:2: http.max_body: \"\" is not a size"},
    {"http:\n  max_body: !!str 1M\n", "t.yaml:2: http.max_body: tags and NUL"},
    {"http:\n  max_body: \"1\\0M\"\n", "t.yaml:2: http.max_body: tags and NUL"},
    {"http:\n  request_timeout: 10\n", "t.yaml:2: http.request_timeout: \"10\" is not a duration"},
    {"http:\n  request_timeout: 10 s\n", "t.yaml:2: http.request_timeout: \"10 s\" is not a duration"},
    {"http:\n  max_body: 1M\n  max_url: 4K\n  max_body: 2M\n",
        "t.yaml:4: http.max_body: set twice, first in line 2"},
    {"http.max_body: 1M\nhttp: {max_body: 2M}\n", "t.yaml:2: http.max_body: set twice, first in line 1"},
    {"http: 5\n", "t.yaml:1: http: not a map"},
    {"http: [a]\n", "t.yaml:1: http: not a map"},
    {"- http\n", "t.yaml:1: not a map"},
    {"hello\n", "t.yaml:1: not a map"},
    {"\"\"\n", "t.yaml:1: not a map"},
    {"http: {max_body: 1M\n", "t.yaml:2: broken YAML"},
    {"http:\n\tmax_body: 1M\n", "t.yaml:2: broken YAML"},
    {"http: &a {max_body: 1M}\ncors: *a\n", "t.yaml:2: cors: aliases"},
    {"http: {max_body: 1M}\n---\ncors: {}\n", "t.yaml:2: more than one YAML document"},
    {"? [a]\n: b\n", "t.yaml:1: a setting's name is wanted"},
    {"\"a\\nb\": 1\n", "t.yaml:1: a?b: no such setting"},
    {"listen: {https_address: localhost}\n",
        "t.yaml:1: listen.https_address: \"localhost\" is not an IPv4 or IPv6 address"},
    {"listen: {https_port: 65536}\n", "out of range (0 to 65535)"},
    {"listen: {https_port: 8K}\n", "is not a whole number"},
    {"listen: {trusted_proxies: 10.0.0.0/8}\n",
        "listen.trusted_proxies: a list like [\"a\", \"b\"] is wanted"},
    {"listen:\n  trusted_proxies:\n    - 10.0.0.0/8\n    - 10.0.0.0/33\n",
        "t.yaml:4: listen.trusted_proxies: \"10.0.0.0/33\" is not a network"},
    {"listen: {trusted_proxies: [[a]]}\n", "listen.trusted_proxies: its items are texts"},
    {"listen: {tls_key: /k.pem}\n", "t.yaml:1: listen.tls_key: is wanted exactly when"},
    {"listen: {http_port: 9000, https_port: 9000}\n", "listen.http_port: the same as"},
    {"cors: {origins: [\"https://a.example/\"]}\n", "is not an origin"},
    {"cors: {origins: [\"*\"]}\n", "is not an origin"},
    {"cors: {origins: [\"https://\"]}\n", "is not an origin"},
    {"rate: {enabled: maybe}\n", "is not true or false"},
    {"log: {level: loud}\n", "t.yaml:1: log.level: \"loud\" is not debug, info, warning or error"},
    {"redis: {url: http://x}\n", "redis.url: \"http://x\" is not empty, or like"},
    /* A password is not said, whatever it stands in. */
    {"redis: {url: 'rediss://:secret@x'}\n", "redis.url: is not empty, or like"},
    {"redis: {url:redis://:secret@x}\n", "t.yaml:1: redis.url: a space is wanted after the colon"},
    {"redis:\n  redis://:secret@x\n", "t.yaml:2: redis: not a map"},
    {"http: {max_body: 'redis://:secret@x'}\n", "http.max_body: is not a size"},
    {"cors: {origins: ['https://u:secret@app.example.com']}\n", "cors.origins: is not"},
    {"mail: {host: 'postgresql://u:secret@h/d'}\n", "mail.host: is not"},
    {"auth: {issuer: \"\"}\n", "auth.issuer: \"\" is not a text that is not empty"},
    {"supervisor:\n  backoff_first: 2m\n",
        "t.yaml:2: supervisor.backoff_first: must not exceed supervisor.backoff_most"},
    {"http:\n  max_pending: 100\n",
        "t.yaml:2: http.max_pending_instance: must not exceed http.max_pending"},
    {"oauth:\n  google:\n    token_url: ftp://x\n", "t.yaml:3: oauth.google.token_url: \"ftp://x\" is not a URL"},
    {"oauth: {google: {token_url: \"http://id.example.com/\"}}\n", "is not a URL"},
    {"oauth: {google: {token_url: \"https://\"}}\n", "is not a URL"},
    {"oauth: {google: {token_url: \"http://localhost.example.com/\"}}\n", "is not a URL"},
    {"oauth: {google: {token_url: \"http://localhost:1@example.com/\"}}\n", "oauth.google.token_url: is not a URL"},
    {"oauth: {google: {token_url: \"https://a.example/#b\"}}\n", "is not a URL"},
    {"oauth:\n  kakao:\n    user_url: http://127.0.0.1:9/me\n",
        "t.yaml:3: oauth.kakao.user_url: https is wanted, unless oauth.plain_loopback is on"},
    {"oauth: {redirect_uris: [\"javascript:alert(1)\"]}\n", "is not a redirect URI"},
    {"oauth: {redirect_uris: [\"https://app.example.com/#x\"]}\n", "is not a redirect URI"},
    {"oauth: {redirect_uris: [\"/login\"]}\n", "is not a redirect URI"},
    {"oauth: {google: {client: x}}\n", "oauth.google.client: no such setting"},
    {"oauth:\n  apple:\n    client_id: x\n    team_id: T\n",
        "t.yaml:3: oauth.apple.client_id: is of no use without"},
    {"\xff\xfe\xff", "broken YAML"},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        config_t config;
        char error[512] = "";
        int result = load(refusals[i].yaml, strlen(refusals[i].yaml), &config, error, sizeof(error));
        /* The first case repeats a group, which is allowed as long as no setting is repeated. */
        if (result != -1 || strstr(error, refusals[i].error) == NULL)
            fail_msg("%s\n-> %d: %s\nwanted: %s", refusals[i].yaml, result, error, refusals[i].error);
        assert_null(strstr(error, "secret"));
    }
}

static void too_long(void **state)
{
    (void)state;
    enum { SIZE = 300 * 1024 };
    char *large = test_malloc(SIZE), error[256];
    config_t config;

    memset(large, '#', SIZE);
    assert_int_equal(load(large, SIZE, &config, error, sizeof(error)), -1);
    assert_non_null(strstr(error, "larger than"));
    /* A name of 200 KB is refused as any other. */
    memset(large, 'a', SIZE);
    memcpy(large + 200 * 1024, ": 1\n", 4);
    assert_int_equal(load(large, 200 * 1024 + 4, &config, error, sizeof(error)), -1);
    /* Deep nesting. */
    memset(large, '{', SIZE);
    assert_int_equal(load(large, 100 * 1024, &config, error, sizeof(error)), -1);
    memset(large, '[', SIZE);
    assert_int_equal(load(large, 100 * 1024, &config, error, sizeof(error)), -1);
    test_free(large);
}

static void defaults(void **state)
{
    config_t config;
    char error[256];
    (void)state;
    static const char *const empty[] = {"", "\n", "# nothing\n", "---\n", "http:\ncors:\n"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
        if (load(empty[i], strlen(empty[i]), &config, error, sizeof(error)) != 0)
            fail_msg("%s: %s", empty[i], error);
    assert_int_equal(config.listen.https_port, 8443);
    assert_string_equal(config.listen.http_address, "127.0.0.1");
    assert_int_equal(config.http.max_body, 1024 * 1024);
    assert_int_equal(config.http.request_timeout, 10000);
    assert_int_equal(config.auth.access_lifetime, 15 * 60 * 1000);
    assert_int_equal(config.auth.refresh_lifetime, 7 * 86400 * 1000);
    assert_true(config.security.hsts_max_age == INT64_C(365) * 86400 * 1000);
    assert_true(config.rate.enabled);
    assert_int_equal(config.cors.origins.count, 0);
    assert_int_equal(config_instances(&config, "accounts-hash"), 2);
    assert_int_equal(config_instances(&config, "frontend"), 2);
    assert_int_equal(config_instances(&config, "nobody"), 0);
}

static void values(void **state)
{
    static const char yaml[] = "http:\n  {max_body: 2M, request_timeout: 1500ms}\n"
                               "listen:\n  trusted_proxies: [10.0.0.0/8, \"fd00::/8\", 192.0.2.1]\n"
                               "cors: {origins: [\"http://localhost:3000\", 'https://app.example.com']}\n"
                               "rate: {enabled: off}\nredis: {url: 'redis://u:secret@10.0.0.1:6379/0'}\n"
                               "mail: {ca_file: 'postgresql://a@b:p://secret@10.0.0.1/d'}\n"
                               "realtime: {turn_urls: ['turn://u:secret@h', 'turn:h:3478']}\n"
                               "instances: {accounts-hash: 3}\n";
    config_t config;
    char error[256], *printed;
    size_t size;
    (void)state;

    assert_int_equal(load(yaml, strlen(yaml), &config, error, sizeof(error)), 0);
    assert_int_equal(config.http.max_body, 2 * 1024 * 1024);
    assert_int_equal(config.http.request_timeout, 1500);
    assert_int_equal(config.listen.trusted_proxies.count, 3);
    assert_string_equal(config.listen.trusted_proxies.items[1], "fd00::/8");
    assert_string_equal(config.cors.origins.items[0], "http://localhost:3000");
    assert_false(config.rate.enabled);
    assert_int_equal(config_instances(&config, "accounts-hash"), 3);

    /* What is printed can be read again, and no password is in it, wherever it was written. */
    FILE *out = open_memstream(&printed, &size);
    config_print(&config, out);
    fclose(out);
    assert_null(strstr(printed, "secret"));
    assert_non_null(strstr(printed, "mail.ca_file: \"postgresql://***@10.0.0.1/d\"\n"));
    assert_non_null(strstr(printed, "realtime.turn_urls: [\"turn://***@h\", \"turn:h:3478\"]\n"));
    assert_non_null(strstr(printed, "redis.url: \"redis://***@10.0.0.1:6379/0\"\n"));
    assert_non_null(strstr(printed, "http.max_body: 2M\n"));
    assert_non_null(strstr(printed, "http.request_timeout: 1500ms\n"));
    assert_non_null(strstr(printed, "auth.refresh_lifetime: 7d\n"));
    config_t again;
    if (load(printed, size, &again, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    assert_int_equal(again.http.max_body, config.http.max_body);
    free(printed);
    out = open_memstream(&printed, &size);
    config_describe(out);
    fclose(out);
    assert_non_null(strstr(printed, "http.max_body: 1M\n"));
    free(printed);
}

static void environment(void **state)
{
    config_t config;
    char error[256];
    (void)state;

    setenv("AIPOTEN_HTTPS_PORT", "9443", 1);
    setenv("AIPOTEN_HTTP_PORT", "", 1); /* as if it were not there */
    setenv("AIPOTEN_RATE_LIMITS", "off", 1);
    setenv("AIPOTEN_LOG_LEVEL", "debug", 1);
    setenv("REDIS_URL", "redis://127.0.0.1:6400", 1);
    assert_int_equal(load("listen: {https_port: 1}", 23, &config, error, sizeof(error)), 0);
    assert_int_equal(config.listen.https_port, 9443);
    assert_int_equal(config.listen.http_port, 8080);
    assert_false(config.rate.enabled);
    assert_string_equal(config.log.level, "debug");
    assert_string_equal(config.redis.url, "redis://127.0.0.1:6400");

    setenv("AIPOTEN_HTTPS_PORT", "many", 1);
    assert_int_equal(load("", 0, &config, error, sizeof(error)), -1);
    assert_string_equal(error, "environment: AIPOTEN_HTTPS_PORT: \"many\" is not a whole number");
    unsetenv("AIPOTEN_HTTPS_PORT");
    unsetenv("AIPOTEN_RATE_LIMITS");
    unsetenv("AIPOTEN_LOG_LEVEL");
    unsetenv("REDIS_URL");
}

static void shipped(void **state)
{
    static const char *const files[] = {"/h2o-conf/development.yaml", "/h2o-conf/production.yaml", "/h2o-conf/conformance.yaml"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        config_t config;
        char error[512], path[1024];
        snprintf(path, sizeof(path), "%s%s", SOURCE_ROOT, files[i]);
        if (config_load(path, &config, error, sizeof(error)) != 0)
            fail_msg("%s", error);
    }
    config_t config;
    char error[512];
    assert_int_equal(config_load("/nowhere/x.yaml", &config, error, sizeof(error)), -1);
    assert_string_equal(error, "/nowhere/x.yaml: No such file or directory");
}

static void note(void *out, const char *name, enum config_reach reach)
{
    static const char *const words[] = {[CONFIG_LIVE] = "live", [CONFIG_AT_RESTART] = "restart", [CONFIG_AT_START] = "start"};
    size_t length = strlen(out);
    snprintf((char *)out + length, 256 - length, "%s:%s ", name, words[reach]);
}

static void reloaded(void **state)
{
    (void)state;
    static const char before[] = "log: {level: info}\n",
                      after[] = "log: {level: debug}\nrate: {enabled: no}\ncors: {origins: [https://a.example]}\n"
                                "http: {max_pending: 5000, patience: 3s}\nlisten: {http_port: 9}\n";
    config_t former, fresh, same;
    char error[256], said[256] = "";
    config_live_check();
    assert_int_equal(load(before, sizeof(before) - 1, &former, error, sizeof(error)), 0);
    assert_int_equal(load(before, sizeof(before) - 1, &same, error, sizeof(error)), 0);
    assert_int_equal(load(after, sizeof(after) - 1, &fresh, error, sizeof(error)), 0);
    config_compare(&former, &same, note, said);
    assert_string_equal(said, "");
    config_compare(&former, &fresh, note, said);
    assert_string_equal(said, "listen.http_port:start http.max_pending:restart http.patience:live cors.origins:live "
                              "rate.enabled:live log.level:live ");
    config_take_live(&former, &fresh);
    said[0] = '\0';
    config_compare(&former, &fresh, note, said);
    assert_string_equal(said, "listen.http_port:start http.max_pending:restart ");
    assert_string_equal(former.log.level, "debug");
    assert_false(former.rate.enabled);
    assert_int_equal(former.cors.origins.count, 1);
    assert_int_equal(former.http.patience, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(values),
        cmocka_unit_test(refused), cmocka_unit_test(too_long), cmocka_unit_test(environment),
        cmocka_unit_test(shipped), cmocka_unit_test(reloaded)};
    return cmocka_run_group_tests_name("base/config", tests, NULL, NULL);
}
