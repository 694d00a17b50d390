#include "home.h"
#include "../../shared/base/panic.h"
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
}

void home_programs(char out[static PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (length < 0)
        panic("/proc/self/exe: %s", strerror(errno));
    out[length] = '\0';
    cut_last(out);
}

void home_root(char out[static PATH_MAX])
{
    const char *given = getenv("AIPOTEN_ROOT");
    if (given != NULL && given[0] != '\0') {
        snprintf(out, PATH_MAX, "%s", given);
        return;
    }
    char mark[PATH_MAX];
    home_programs(out);
    while (out[0] != '\0') {
        if (paths_join(mark, sizeof(mark), out, "h2o-conf/development.yaml") && access(mark, F_OK) == 0)
            return;
        cut_last(out);
    }
    snprintf(out, PATH_MAX, ".");
}

void home_var(char out[static PATH_MAX])
{
    const char *given = getenv("AIPOTEN_VAR");
    char root[PATH_MAX];
    if (given != NULL && given[0] != '\0') {
        snprintf(out, PATH_MAX, "%s", given);
        return;
    }
    home_root(root);
    if (!paths_join(out, PATH_MAX, root, "var"))
        panic("the path %s is too long", root);
}
