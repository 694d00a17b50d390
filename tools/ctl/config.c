/* config: what stands in a configuration file, and whether it is right; the file of the running system, where none is named. In JSON a value
 * has the form in which a file may have it ("64K", "15s"), so that `settings` is itself a configuration. */
#include "../../shared/base/config.h"
#include "../supervisor/home.h"
#include "../supervisor/paths.h"
#include "client.h"
#include "command.h"

enum { ANSWER_MILLISECONDS = 10000, ERROR_SIZE = 1024 };

static void json_end(json_t *take_answer)
{
    json_dumpf(take_answer, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(take_answer);
}

static json_t *json_value(const config_shown_t *shown)
{
    if (shown->form == CONFIG_FORM_PLAIN)
        return json_loads(shown->values[0], JSON_DECODE_ANY, NULL);
    if (shown->form != CONFIG_FORM_LIST)
        return json_string(shown->values[0]);
    json_t *list = json_array();
    for (int i = 0; i < shown->count; i++)
        json_array_append_new(list, json_string(shown->values[i]));
    return list;
}

enum exit_status run_config_check(const invocation_t *invocation)
{
    config_t config;
    char error[ERROR_SIZE];
    const char *file = invocation->arguments[0];
    bool good = config_load(file, &config, error, sizeof(error)) == 0;
    if (invocation->given[OPTION_JSON])
        json_end(json_pack("{s:s s:b s:s?}", "file", file, "good", good, "error", good ? NULL : error));
    else if (good)
        printf("%s: good\n", file);
    return good ? CTL_OK : complain(CTL_FAILED, "%s", error);
}

void config_path(const invocation_t *invocation, char out[static PATH_MAX])
{
    client_t client;
    char root[PATH_MAX];
    out[0] = '\0';
    if (invocation->count > 0) {
        snprintf(out, PATH_MAX, "%s", invocation->arguments[0]);
        return;
    }
    if (client_connect(&client)) {
        json_t *status = client_ask(&client, json_pack("{s:s}", "request", "status"), ANSWER_MILLISECONDS);
        const char *path =
            json_string_value(json_object_get(json_object_get(status, "supervisor"), "config"));
        snprintf(out, PATH_MAX, "%s", path != NULL ? path : "");
        json_decref(status);
        client_close(&client);
    }
    if (out[0] == '\0') {
        home_root(root);
        paths_join(out, PATH_MAX, root, "h2o-conf/development.yaml");
    }
}

static void value_add(void *argument, const config_shown_t *shown)
{
    json_object_set_new(argument, shown->name, json_value(shown));
}

enum exit_status run_config_show(const invocation_t *invocation)
{
    config_t config;
    char error[ERROR_SIZE], path[PATH_MAX];
    config_path(invocation, path);
    if (config_load(path, &config, error, sizeof(error)) != 0)
        return complain(CTL_FAILED, "%s", error);
    if (invocation->given[OPTION_JSON]) {
        json_t *settings = json_object();
        config_walk(&config, value_add, settings);
        json_end(json_pack("{s:s s:o}", "file", path, "settings", settings));
    } else {
        printf("# %s\n", path);
        config_print(&config, stdout);
    }
    return CTL_OK;
}

static void row_add(void *argument, const config_shown_t *shown)
{
    json_array_append_new(argument,
        json_pack("{s:s s:o s:s s:s? s:s? s:s? s:s}", "name", shown->name, "default", json_value(shown), "wanted", shown->wanted, "least",
            shown->least, "most", shown->most, "environment", shown->environment, "meaning", shown->meaning));
}

enum exit_status run_config_defaults(const invocation_t *invocation)
{
    if (!invocation->given[OPTION_JSON]) {
        config_describe(stdout);
        return CTL_OK;
    }
    json_t *settings = json_array();
    config_walk(NULL, row_add, settings);
    json_end(json_pack("{s:o}", "settings", settings));
    return CTL_OK;
}
