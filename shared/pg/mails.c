/* mails: see the header. */
#include "mails.h"
#include "admin_sql.h"
#include <stdlib.h>
#include <string.h>

/* Words of ours and codes only: nothing in a column here needs quoting in JSON. */
static const char counts_sql[] =
    "SELECT s, count(j.id), coalesce(round(extract(epoch FROM aipoten.app_now() - min(j.created_at)"
    " FILTER (WHERE j.state IN ('waiting', 'sending')))), 0)"
    " FROM unnest(ARRAY['waiting', 'sending', 'sent', 'dead', 'expired', 'skipped']) WITH ORDINALITY AS known (s, place)"
    " LEFT JOIN mailer.mail_jobs j ON j.state = s GROUP BY s, place ORDER BY place";
static const char troubled_sql[] =
    "SELECT id, state, template, attempts, round(extract(epoch FROM aipoten.app_now() - created_at)), last_error,"
    " content IS NOT NULL FROM mailer.mail_jobs WHERE last_error IS NOT NULL AND state IN ('waiting', 'sending', 'dead')"
    " ORDER BY state = 'dead' DESC, created_at DESC LIMIT 50";

static void counts_print(PGresult *rows, FILE *out, bool json)
{
    if (!json)
        fprintf(out, "%-10s %9s %12s\n", "STATE", "MAILS", "OLDEST");
    for (int i = 0; i < PQntuples(rows); i++)
        if (json)
            fprintf(out, "%s\"%s\": {\"mails\": %s, \"oldest_seconds\": %s}", i ? ", " : "", PQgetvalue(rows, i, 0),
                PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
        else if (strcmp(PQgetvalue(rows, i, 1), "0") != 0)
            fprintf(out, "%-10s %9s %10s s\n", PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
}

static void troubled_print(PGresult *rows, FILE *out, bool json)
{
    if (!json && PQntuples(rows) > 0)
        fprintf(out, "\n%-36s %-8s %-20s %8s %10s  %s\n", "ID", "STATE", "TEMPLATE", "ATTEMPTS", "AGE", "LAST ERROR");
    for (int i = 0; i < PQntuples(rows); i++)
        fprintf(out,
            json ? "%s{\"id\": \"%s\", \"state\": \"%s\", \"template\": \"%s\", \"attempts\": %s, \"age_seconds\": %s,"
                   " \"last_error\": \"%s\", \"can_be_sent\": %s}"
                 : "%s%-36s %-8s %-20s %8s %8s s  %s%s\n",
            json && i ? ", " : "", PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2), PQgetvalue(rows, i, 3),
            PQgetvalue(rows, i, 4), PQgetvalue(rows, i, 5),
            *PQgetvalue(rows, i, 6) == 't' ? (json ? "true" : "") : (json ? "false" : " (too late for it now)"));
}

int mails_status(const char *url, FILE *out, bool json)
{
    PGconn *pg = admin_connect(url, out);
    bool good = pg && admin_settings(pg, out);
    PGresult *counts = good ? admin_query(pg, out, "could not read the mails", counts_sql, 0, NULL) : NULL;
    PGresult *troubled = counts ? admin_query(pg, out, "could not read the mails", troubled_sql, 0, NULL) : NULL;
    if (troubled) {
        fputs(json ? "{\"states\": {" : "", out);
        counts_print(counts, out, json);
        fputs(json ? "}, \"troubled\": [" : "", out);
        troubled_print(troubled, out, json);
        fputs(json ? "]}\n" : "", out);
    }
    good = troubled != NULL;
    PQclear(counts);
    PQclear(troubled);
    PQfinish(pg);
    return good ? 0 : -1;
}

/* A dead one whose words are gone came too late and stays as it is. */
static const char retry_sql[] =
    "UPDATE mailer.mail_jobs SET state = 'waiting', failures = 0, next_at = aipoten.app_now(), queued_at = NULL, done_at = NULL"
    " WHERE state = 'dead' AND content IS NOT NULL AND ($1 = '' OR id::text = lower($1))";
static const char skip_sql[] =
    "UPDATE mailer.mail_jobs SET state = 'skipped', content = NULL, done_at = aipoten.app_now()"
    " WHERE state IN ('dead', 'waiting') AND id::text = lower($1)";

int mails_resolve(const char *url, FILE *out, const char *id, bool skip)
{
    const char *values[] = {id ? id : ""};
    PGconn *pg = admin_connect(url, out);
    PGresult *result =
        pg && admin_settings(pg, out) ? admin_query(pg, out, "could not change the mails", skip ? skip_sql : retry_sql, 1, values) : NULL;
    int changed = result ? atoi(PQcmdTuples(result)) : 0;
    bool good = result && (changed > 0 || id == NULL);
    if (good)
        fprintf(out, "%d mail%s %s\n", changed, changed == 1 ? "" : "s", skip ? "given up" : "due again");
    else if (result)
        fprintf(out, "no %s mail has that id\n", skip ? "dead or waiting" : "dead");
    PQclear(result);
    PQfinish(pg);
    return good ? 0 : -1;
}
