/* demo: deterministic demo data (aipotenctl db demo): the same sizes give the same people, families and growth on every
 * machine, and the same videos. Only for a database that has no users yet, since everybody's password is known. */
#pragma once
#include <stdio.h>

enum { DEMO_USERS = 10000, DEMO_CHILDREN = 16000, DEMO_VIDEOS = 2000 };
/* Of every demo account: parent@example.com, therapist@example.com, admin@example.com and all others. */
#define DEMO_PASSWORD "aipoten-demo-1"

typedef struct {
    const char *url;               /* as in migrate.h */
    const char *schema_directory;  /* name lists in its folder demo */
    const char *secrets_directory; /* keys that seal phones and histories */
    int users;                     /* 0: DEMO_USERS, or however many are there already */
    int children;                  /* 0: as many for each user as DEMO_CHILDREN for DEMO_USERS */
    int videos;                    /* 0: DEMO_VIDEOS, or however many are there already */
    FILE *out;
} demo_options_t;

/* 0 when the data is there (now, or since an earlier load with the sizes that were given), else 1 and a sentence in `out`. */
int demo_load(const demo_options_t *);
