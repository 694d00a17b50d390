/* demo_people: who is in the demo data. User 0 is admin@example.com, 1 therapist@example.com, 2 parent@example.com with two
 * children, the second born at 32 weeks; after them each twelfth user is a therapist and all others are parents. Pure: a
 * person follows from the number alone, so that no table of people is kept. */
#pragma once
#include "../base/clock.h"
#include "demo_growth.h"

enum { DEMO_ADMIN = 0, DEMO_THERAPIST = 1, DEMO_PARENT = 2, DEMO_NAMED = 3, DEMO_THERAPIST_EACH = 12 };
enum { DEMO_FAMILY_MAX = 6, DEMO_NAMED_CHILDREN = 2 };

/* The demo data ends on this day; nothing in it is younger. */
#define DEMO_TODAY_YEAR 2026
#define DEMO_TODAY_MONTH 1
#define DEMO_TODAY_DAY 1
int32_t demo_today(void);

typedef struct {
    const demo_lists_t *lists;
    int users, children;
    uint8_t *families; /* children of each user */
} demo_people_t;

typedef struct {
    int index;
    uuid_t id;
    const char *role, *status, *language;
    bool verified;
    char name[64], email[96], phone[16]; /* "010-1234-5678" */
    const char *surname;
    int64_t created_at;
} demo_user_t;

typedef struct {
    uint64_t number; /* no other child has it */
    uuid_t id;
    char name[64];
    int32_t birth_date;
    enum demo_sex sex;
    bool sex_unknown;    /* gender "unknown" */
    int gestational_weeks; /* 0: not told */
    int birth_weight;    /* 10 g, 0: not told */
    demo_build_t build;
    const char *histories[HISTORIES]; /* NULL: not told; preterm stands under medical */
    int64_t created_at;
} demo_child_t;

/* The most children that so many users can have. */
int64_t demo_children_most(int users);
/* Shares the children out. false with a sentence in `out` when so many do not fit so few parents. */
bool demo_people_plan(demo_people_t *, const demo_lists_t *, int users, int children, FILE *out);
void demo_people_free(demo_people_t *);
bool demo_is_parent(int user);
demo_user_t demo_user(const demo_people_t *, int user);
/* The user's child number `ordinal`, the eldest is 0. */
demo_child_t demo_child(const demo_people_t *, const demo_user_t *parent, int ordinal);
