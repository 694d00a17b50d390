/* aipotenctl: the operator's hand on a running aipoten, and what is done to it while it is down. `aipotenctl
 * help` has the commands, `aipotenctl man` the manual page; both come from the table here.
 *
 * Exit status: 0 done, 1 failed, 2 usage, 3 no supervisor runs. */
#include "command.h"
#include "../../shared/base/text.h"

#include <stdarg.h>
#include <string.h>

enum { ARGUMENTS_MOST = 16 };

const option_row_t option_rows[OPTIONS] = {
    [OPTION_JSON] = {'j', "json", NULL, false, "answer in JSON"},
    [OPTION_COUNT] = {'n', "number", "N", true, "at most so many"},
    [OPTION_TIMEOUT] = {'t', "timeout", "SECONDS", true, "give up after this, default 60 unless said otherwise"},
    [OPTION_CONFIG] = {'c', "config", "FILE", false, "the configuration, default h2o-conf/development.yaml"},
    [OPTION_DRY] = {0, "dry-run", NULL, false, "only say what would be done"},
    [OPTION_USERS] = {0, "users", "N", true, "so many users, default 10000"},
    [OPTION_CHILDREN] = {0, "children", "N", true, "so many children, default 1.6 a user"},
    [OPTION_VIDEOS] = {0, "videos", "N", true, "so many videos, default 2000"},
    [OPTION_ROLLING] = {0, "rolling", NULL, false, "a new instance is READY before the old one drains"},
    [OPTION_FORCE] = {0, "force", NULL, false, "do it although it is not safe"},
};

const command_t commands[] = {
    {"status", "", 0, 0, TAKES(OPTION_JSON), "Show every instance, and what to do next", NULL, run_status},
    {"start", "[SERVICE[.N]]", 0, 1, TAKES(OPTION_CONFIG) | TAKES(OPTION_TIMEOUT),
        "Start the system, a service or an instance",
        "Without a name, the supervisor is started in the background when none runs; processes that an "
        "earlier one left "
        "serving are adopted. Returns when what was started is READY. FAILED ones are tried again.",
        run_start},
    {"stop", "[SERVICE[.N]]", 0, 1, TAKES(OPTION_TIMEOUT),
        "Drain and stop the system, a service or an instance",
        "Frontends stop routing to an actor before it is told to end; what it has under way is finished. "
        "Without a name the "
        "supervisor ends too.",
        run_stop},
    {"restart", "[SERVICE[.N]]", 0, 1, TAKES(OPTION_TIMEOUT) | TAKES(OPTION_ROLLING),
        "Restart one instance after the other",
        "The configuration file is read and checked first; when it is wrong it is refused and nothing "
        "changes. The next "
        "instance is stopped when the one before is READY again; where a service has only one, a stand-in "
        "serves meanwhile. With --rolling it is the other way round: each instance gets a successor beside it, and drains "
        "when that one is READY; when one does not come up, the old one stays and the rest is left as it is. Its default time "
        "is 300 seconds. Addresses that are listened on change with stop and start only.",
        run_restart},
    {"reload", "", 0, 0, TAKES(OPTION_JSON), "Take over a changed configuration and TLS certificate while it serves",
        "Configuration, certificate and key are read and checked; what is wrong is refused with file and reason, and nothing "
        "changes. Says which changed settings are applied and which need a restart. New TLS handshakes get the new certificate, "
        "established connections stay. SIGHUP to the supervisor does the same.",
        run_reload},
    {"upgrade", "[DIRECTORY]", 0, 1, TAKES(OPTION_TIMEOUT), "Replace what runs by another release while it serves",
        "The programs are those of DIRECTORY, or those beside this aipotenctl after a build. Checks the configuration and whether "
        "the new release can take over, applies its migrations, makes the supervisor the new one, starts the new actors beside "
        "the old ones, then the new frontends, and lets the old ones go when everything new is READY. When something new does "
        "not come up, the old release serves on. The time is 300 seconds when it is not given.",
        run_upgrade},
    {"drain", "SERVICE.N", 1, 1, 0, "Route nothing more to an instance, but let it live",
        "Until start gives it back or stop ends it.", run_drain},
    {"scale", "SERVICE N", 2, 2, TAKES(OPTION_TIMEOUT), "Run so many instances of a service",
        "Until the system is stopped; the configuration says how many there are at a start.", run_scale},
    {"wait", "[SERVICE[.N]]", 0, 1, TAKES(OPTION_TIMEOUT), "Wait until all of it is READY", NULL, run_wait},
    {"history", "", 0, 0, TAKES(OPTION_JSON) | TAKES(OPTION_COUNT), "Show the last deaths, newest first",
        "With signal or exit status, the operation and call it was at, and its last words.", run_history},
    {"top", "", 0, 0, TAKES(OPTION_JSON) | TAKES(OPTION_COUNT), "Watch what every process does, second by second",
        "Requests a second, half and 99 in 100 of them not longer than P50 and P99, 5xx, requests in flight and queued, the share of "
        "the cache, statements and their mean time, the operation at work. q ends it. Without a terminal: one look, or as many as "
        "--number says. Read from shared memory, also when processes hang and when no supervisor runs (as root).",
        run_top},
    {"counters", "[SERVICE[.N]]", 0, 1, TAKES(OPTION_JSON), "Show what the processes count",
        "Read from shared memory, even when a process hangs.", run_counters},
    {"routes", "", 0, 0, TAKES(OPTION_JSON), "Show every endpoint with its service, roles and limits", NULL,
        run_routes},
    {"cache flush", "[TAG]", 0, 1, 0, "Forget all answers in the cache, or those with a tag",
        "A tag is NAME or NAME:ID, as in the header Cache-Tag: child:018f3c..., videos. Needed only after the database was "
        "changed by hand.",
        run_cache_flush},
    {"cache", "", 0, 0, TAKES(OPTION_JSON), "Show what the cache holds and how it is used",
        "Counted since the system was started, by all processes, also those that ended.", run_cache},
    {"config check", "FILE", 1, 1, TAKES(OPTION_JSON), "Check a configuration file",
        "Says file, line and reason of what is wrong.", run_config_check},
    {"config show", "[FILE]", 0, 1, TAKES(OPTION_JSON), "Show all settings with their values",
        "Of the file, of the running system's file, or of the default one. Users and passwords of URLs are not shown.", run_config_show},
    {"config defaults", "", 0, 0, TAKES(OPTION_JSON), "Explain all settings with their defaults", NULL, run_config_defaults},
    {"db migrate", "", 0, 0, TAKES(OPTION_DRY) | TAKES(OPTION_TIMEOUT),
        "Bring the database to this release's schema",
        "As the owner in DATABASE_URL; makes the actors' roles and their passwords. Safe to run while the "
        "system serves.",
        run_db_migrate},
    {"db status", "", 0, 0, TAKES(OPTION_JSON), "Show which migrations are applied", NULL, run_db_status},
    {"db check", "", 0, 0, TAKES(OPTION_JSON), "Say what of the database does not fit what runs over it",
        "As the owner in DATABASE_URL, changing nothing, also while the system serves; after a restore, before an upgrade. Looks at "
        "migrations, the actors' roles and whether they can log in, indexes, constraints and triggers that are not used, and at "
        "numbers and lists that are kept twice. Reads whole tables. The access log has audit verify.",
        run_db_check},
    {"db demo", "", 0, 0, TAKES(OPTION_USERS) | TAKES(OPTION_CHILDREN) | TAKES(OPTION_VIDEOS),
        "Load demo data into an empty database", NULL, run_db_demo},
    {"events retry", "SUBSCRIBER [POSITION]", 1, 2, 0, "Try dead deliveries again", NULL, run_events_retry},
    {"events skip", "SUBSCRIBER POSITION", 2, 2, 0, "Give up one dead delivery, so that those behind it go on", NULL,
        run_events_skip},
    {"events", "", 0, 0, TAKES(OPTION_JSON), "Show the events that wait, by actor and subscriber",
        "A subscriber that fails is tried again with growing pauses; what failed ten times is dead and holds up later events of "
        "the same record until events retry or events skip.",
        run_events},
    {"mail retry", "[ID]", 0, 1, 0, "Try a dead mail again, or all of them", NULL, run_mail_retry},
    {"mail skip", "ID", 1, 1, 0, "Give up a mail that is dead or waits, and empty it", NULL, run_mail_skip},
    {"mail", "", 0, 0, TAKES(OPTION_JSON), "Show how many mails wait, were sent and are dead, and why",
        "What the server refuses for good, or mail.attempts times, is dead until mail retry or mail skip. Neither addresses nor "
        "words are shown.",
        run_mail},
    {"audit verify", "[POSITION:HASH]", 0, 1, TAKES(OPTION_JSON),
        "Compute the access log's chain again",
        "As the owner in DATABASE_URL, also while the system serves. Names each row that was changed, removed or moved, and "
        "anchors that no longer fit. POSITION:HASH is an anchor that was kept elsewhere, from a line audit_anchor in "
        "var/log/admin.1.log or from this command's last words.",
        run_audit_verify},
    {"secrets show", "RING", 1, 1, TAKES(OPTION_JSON), "Show the ids of a ring's keys and what each is for",
        "Rings: jwt_keys, and data_keys.NAME of each actor. Keys themselves are never shown.",
        run_secrets_show},
    {"secrets rotate", "RING", 1, 1, TAKES(OPTION_TIMEOUT),
        "Change the key of a ring while the system serves",
        "Stages a new key, restarts what holds the ring, promotes the key, restarts again: at each moment "
        "every process opens "
        "and verifies what any other one seals and signs. What broke off is gone on with. The time is for "
        "one service, 300 "
        "seconds when it is not given.",
        run_secrets_rotate},
    {"secrets stage", "RING", 1, 1, 0, "Put a new key at the end of a ring",
        "It opens and verifies in every process that is started from then on; it seals and signs nothing "
        "yet. The first step "
        "of rotate; with several machines it is done on one and the file copied to the others.",
        run_secrets_stage},
    {"secrets promote", "RING", 1, 1, TAKES(OPTION_FORCE), "Put the staged key at the head of a ring",
        "Refused while a process of this machine runs that does not know it. Processes that are started from "
        "then on seal and "
        "sign with it.",
        run_secrets_promote},
    {"secrets retire", "RING", 1, 1, TAKES(OPTION_FORCE) | TAKES(OPTION_TIMEOUT), "Drop a ring's older keys",
        "Refused while a process seals or signs with one, while a token or an answer kept for an "
        "Idempotency-Key "
        "needs one, and until every row that one sealed was sealed anew, for which it waits 60 seconds when "
        "no time is "
        "given. What only a dropped key opens is lost. A staged key stays.",
        run_secrets_retire},
    {"help", "[COMMAND]", 0, 2, 0, "Show the commands, or one of them", NULL, run_help},
    {"man", "", 0, 0, 0, "Print the manual page (aipotenctl man | man -l -)", NULL, run_man},
    {"completion", "", 0, 0, 0, "Print completion for bash (source <(aipotenctl completion))", NULL,
        run_completion},
};
const int command_count = ARRAY_SIZE(commands);

enum exit_status complain(enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("aipotenctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

/* How many words of the line are this command's name; 0: it is another. */
static int name_matches(const command_t *command, int count, char *const *words)
{
    const char *space = strchr(command->name, ' ');
    if (space == NULL)
        return strcmp(command->name, words[0]) == 0;
    size_t first = (size_t)(space - command->name);
    return count > 1 && strlen(words[0]) == first && strncmp(words[0], command->name, first) == 0 &&
                   strcmp(words[1], space + 1) == 0
               ? 2
               : 0;
}

static const command_t *command_find(int count, char *const *words, int *used)
{
    for (int i = 0; i < command_count; i++) {
        *used = name_matches(&commands[i], count, words);
        if (*used > 0)
            return &commands[i];
    }
    return NULL;
}

static int option_find(const char *word)
{
    for (int i = 0; i < OPTIONS; i++) {
        size_t length = strlen(option_rows[i].name);
        if (word[1] == '-' && strncmp(word + 2, option_rows[i].name, length) == 0 &&
            (word[2 + length] == '\0' || word[2 + length] == '='))
            return i;
        if (word[1] != '-' && option_rows[i].letter == word[1] && word[1] != '\0')
            return i;
    }
    return -1;
}

/* The value stands in the same word (-n5, --number=5) or in the next; NULL: there is none. */
static const char *option_value(const char *word, int *index, int count, char *const *words)
{
    const char *sign = strchr(word, '=');
    if (word[1] == '-' && sign != NULL)
        return sign + 1;
    if (word[1] != '-' && word[2] != '\0')
        return word + 2;
    return *index + 1 < count ? words[++*index] : NULL;
}

static enum exit_status option_read(
    const command_t *command, invocation_t *invocation, int *index, int count, char *const *words)
{
    const char *word = words[*index];
    int option = option_find(word);
    if (option < 0 || !(command->options & TAKES(option)))
        return complain(
            CTL_USAGE, "%s takes no option %s; see aipotenctl help %s", command->name, word, command->name);
    const option_row_t *row = &option_rows[option];
    invocation->given[option] = true;
    if (row->value == NULL)
        return strchr(word, '=') == NULL && (word[1] == '-' || word[2] == '\0')
                   ? CTL_OK
                   : complain(CTL_USAGE, "--%s takes no value", row->name);
    invocation->text[option] = option_value(word, index, count, words);
    if (invocation->text[option] == NULL)
        return complain(CTL_USAGE, "--%s wants a value: %s", row->name, row->value);
    if (row->number && (!text_to_int(text_of(invocation->text[option]), &invocation->number[option]) ||
                           invocation->number[option] < 0 || invocation->number[option] > INT32_MAX / 1000))
        return complain(CTL_USAGE, "--%s wants a whole number, not %s", row->name, invocation->text[option]);
    return CTL_OK;
}

static enum exit_status command_run(const command_t *command, int count, char *const *words)
{
    static const char *arguments[ARGUMENTS_MOST];
    invocation_t invocation = {.arguments = arguments};
    bool options_end = false;
    for (int i = 0; i < count; i++) {
        if (!options_end && strcmp(words[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && words[i][0] == '-' && words[i][1] != '\0') {
            if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
                arguments[0] = command->name;
                invocation.count = 1;
                return run_help(&invocation);
            }
            enum exit_status status = option_read(command, &invocation, &i, count, words);
            if (status != CTL_OK)
                return status;
        } else if (invocation.count < command->most && invocation.count < ARGUMENTS_MOST) {
            arguments[invocation.count++] = words[i];
        } else {
            return complain(CTL_USAGE, "%s: %s is one argument too many; usage: aipotenctl %s %s",
                command->name, words[i], command->name, command->arguments);
        }
    }
    if (invocation.count < command->least)
        return complain(CTL_USAGE, "usage: aipotenctl %s %s", command->name, command->arguments);
    enum exit_status status = command->run(&invocation);
    if (fflush(stdout) != 0)
        return complain(CTL_FAILED, "standard output cannot be written");
    return status;
}

int main(int count, char **words)
{
    invocation_t nothing = {.count = 0};
    int used = 0;
    if (count < 2) {
        run_help(&nothing);
        return CTL_USAGE;
    }
    if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0)
        return run_help(&nothing);
    const command_t *command = command_find(count - 1, words + 1, &used);
    if (command == NULL) { /* "db" alone: its commands; a word that begins none: a sentence */
        run_help(&(invocation_t){.arguments = (const char *[]){words[1]}, .count = 1});
        return CTL_USAGE;
    }
    return command_run(command, count - 1 - used, words + 1 + used);
}
