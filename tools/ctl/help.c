/* help, manual page and completion, all from the tables of ctl.c and services.c. */
#include "../../shared/shm/services.h"
#include "command.h"

#include <stdio.h>
#include <string.h>

static void options_print(unsigned options)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (!(options & TAKES(i)))
            continue;
        const option_row_t *row = &option_rows[i];
        char letter[8] = "    ", name[48];
        if (row->letter)
            snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        snprintf(
            name, sizeof(name), "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        printf("  %s%-20s %s\n", letter, name, row->meaning);
    }
}

static void command_print(const command_t *command)
{
    printf("usage: aipotenctl %s%s%s%s\n\n%s.", command->name, command->options ? " [options]" : "",
        command->arguments[0] ? " " : "", command->arguments, command->summary);
    if (command->details != NULL)
        printf(" %s", command->details);
    printf("\n");
    if (command->options != 0)
        printf("\n");
    options_print(command->options);
}

/* "help config check" and "help config" both find something. */
static bool command_asked(const command_t *command, const invocation_t *invocation)
{
    char asked[64];
    snprintf(asked, sizeof(asked), "%s%s%s", invocation->arguments[0], invocation->count > 1 ? " " : "",
        invocation->count > 1 ? invocation->arguments[1] : "");
    size_t length = strlen(asked);
    return strncmp(command->name, asked, length) == 0 &&
           (command->name[length] == '\0' || command->name[length] == ' ');
}

enum exit_status run_help(const invocation_t *invocation)
{
    int found = 0;
    for (int i = 0; invocation->count > 0 && i < command_count; i++)
        if (command_asked(&commands[i], invocation)) {
            printf("%s", found++ ? "\n" : "");
            command_print(&commands[i]);
        }
    if (invocation->count > 0)
        return found ? CTL_OK
                     : complain(CTL_USAGE, "there is no command %s; see aipotenctl help",
                           invocation->arguments[0]);
    printf("usage: aipotenctl COMMAND [options] [arguments]\n\n");
    for (int i = 0; i < command_count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s %s", commands[i].name, commands[i].arguments);
        printf("  %-24s %s\n", line, commands[i].summary);
    }
    printf("\nSERVICE is one of");
    for (int i = 0; i < service_count; i++)
        printf(" %s", services[i].name);
    printf(
        "; SERVICE.N one of its instances.\n"
        "aipotenctl help COMMAND says more. Exit status: 0 done, 1 failed, 2 usage, 3 no supervisor runs.\n"
        "AIPOTEN_VAR says which system is meant.\n");
    return CTL_OK;
}

/* man(7): a hyphen is a minus, a line must not begin with a dot. */
static void roff(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void roff_command(const command_t *command)
{
    printf(".TP\n.B ");
    roff(command->name);
    if (command->options != 0)
        printf("\\fR [options]");
    printf("\\fI %s\\fR\n", command->arguments);
    roff(command->summary);
    printf(".\n");
    if (command->details != NULL) {
        roff(command->details);
        printf("\n");
    }
    for (int i = 0; i < OPTIONS; i++)
        if (command->options & TAKES(i)) {
            printf(".br\n");
            if (option_rows[i].letter)
                printf("\\fB\\-%c\\fR, ", option_rows[i].letter);
            printf("\\fB\\-\\-");
            roff(option_rows[i].name);
            printf("\\fR%s\\fI%s\\fR: ", option_rows[i].value ? " " : "", option_rows[i].value ? option_rows[i].value : "");
            roff(option_rows[i].meaning);
            printf("\n");
        }
}

enum exit_status run_man(const invocation_t *invocation)
{
    (void)invocation;
    printf(".TH AIPOTENCTL 8 \"\" aipoten \"System administration\"\n"
           ".SH NAME\naipotenctl \\- look at and steer a running aipoten\n"
           ".SH SYNOPSIS\n.B aipotenctl\n.I command\n[options] [arguments]\n"
           ".SH DESCRIPTION\n"
           "The processes of aipoten are started and kept running by its supervisor. aipotenctl asks the "
           "supervisor what is, and\n"
           "tells it what should be, over a socket that only its own user and root may open.\n"
           "SERVICE is one of");
    for (int i = 0; i < service_count; i++) {
        printf("%s ", i ? "," : "");
        roff(services[i].name);
    }
    printf("; SERVICE.N is one of its instances.\n.SH COMMANDS\n");
    for (int i = 0; i < command_count; i++)
        roff_command(&commands[i]);
    printf(".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed; a sentence says why\n.TP\n.B "
           "2\nusage\n.TP\n.B 3\nno supervisor "
           "runs\n"
           ".SH ENVIRONMENT\n.TP\n.B AIPOTEN_VAR\nwhere the system's data is: which system is meant\n"
           ".TP\n.B DATABASE_URL\nthe database as its owner sees it, for the db commands and start\n"
           ".SH FILES\n.TP\n.I var/log/supervisor.log\nwhat the supervisor did, a line of JSON each\n"
           ".TP\n.I var/log/access.N.log\nthe requests of frontend.N\n"
           ".TP\n.I var/log/SERVICE.N.log\nwhat an instance says\n");
    return CTL_OK;
}

/* The words that can follow a first word: the second halves of names, or services where an argument is one.
 */
static void completion_case(const char *first, size_t length)
{
    printf("    %.*s) words=\"", (int)length, first);
    for (int i = 0; i < command_count; i++) {
        const command_t *command = &commands[i];
        if (strncmp(command->name, first, length) != 0 ||
            (command->name[length] != '\0' && command->name[length] != ' '))
            continue;
        if (command->name[length] == ' ')
            printf("%s ", command->name + length + 1);
        if (strstr(command->arguments, "SERVICE") != NULL)
            for (int service = 0; service < service_count; service++)
                printf("%s ", services[service].name);
        for (int option = 0; option < OPTIONS; option++)
            if (command->options & TAKES(option))
                printf("--%s ", option_rows[option].name);
    }
    printf("\" ;;\n");
}

enum exit_status run_completion(const invocation_t *invocation)
{
    (void)invocation;
    const char *before = "";
    size_t before_length = 0;
    printf("_aipotenctl() {\n  local words=\"\"\n  case ${COMP_WORDS[1]} in\n");
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < command_count; i++) {
            size_t length = strcspn(commands[i].name, " ");
            if (length == before_length && strncmp(commands[i].name, before, length) == 0)
                continue; /* the rows of one first word stand together */
            before = commands[i].name;
            before_length = length;
            if (pass == 0)
                completion_case(before, length);
            else
                printf("%.*s ", (int)length, before);
        }
        before_length = 0;
        if (pass == 0)
            printf("  esac\n  [ \"$COMP_CWORD\" != 1 ] || words=\"");
    }
    printf("\"\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
           "complete -o default -F _aipotenctl aipotenctl\n");
    return CTL_OK;
}
