/* demo_people: see the header. */
#include "demo_people.h"
#include "../base/panic.h"
#include <inttypes.h>
#include <stdlib.h>

/* Users came one after the other in the 540 days that end two days before demo_today: what they do at first
 * still fits. */
enum {
    JOINED_DAYS = 540,
    JOINED_END = 2,
    SUSPENDED_PER_MILLE = 3,
    ENGLISH_PER_MILLE = 15,
    UNVERIFIED_PER_MILLE = 40
};
enum { MOTHERS_PER_MILLE = 700, TWINS_PER_MILLE = 25, AGE_DAYS_MAX = 2550 };
enum { PRETERM_PER_MILLE = 85, WEEKS_UNTOLD_PER_MILLE = 60, SEX_UNKNOWN_PER_MILLE = 3 };

/* Per mille of families with so many children; the first parents come to one and a half on average. */
static const int family_weights[] = {80, 420, 380, 100, 20};
/* Weeks of pregnancy, per mille of births at term and before it. */
static const int term_weights[] = {100, 220, 330, 280, 70};                   /* 37 … 41 */
static const int preterm_weights[] = {40, 40, 50, 60, 80, 90, 140, 190, 310}; /* 28 … 36 */
static const int era_weights[] = {60, 520, 420}; /* births of parents: 1970s, 1980s, 1990s */
static const int history_per_mille[HISTORIES] = {120, 800, 150, 80, 200};

typedef struct {
    const char *email, *surname, *given, *role, *phone;
} named_user_t;
static const named_user_t named_users[DEMO_NAMED] = {
    [DEMO_ADMIN] = {"admin@example.com", "이", "하늘", "admin", "010-1000-0001"},
    [DEMO_THERAPIST] = {"therapist@example.com", "박", "소연", "therapist", "010-1000-0002"},
    [DEMO_PARENT] = {"parent@example.com", "김", "지혜", "parent", "010-1000-0003"},
};

typedef struct {
    const char *given;
    enum demo_sex sex;
    int year, month, day, weeks, birth_weight;
    enum demo_history told;
} named_child_t;
static const named_child_t named_children[DEMO_NAMED_CHILDREN] = {
    {.given = "서아",
        .sex = SEX_FEMALE,
        .year = 2022,
        .month = 5,
        .day = 17,
        .weeks = 39,
        .birth_weight = 324,
        .told = HISTORY_NOTES},
    {.given = "이준",
        .sex = SEX_MALE,
        .year = 2025,
        .month = 10,
        .day = 5,
        .weeks = 32,
        .birth_weight = 178,
        .told = HISTORY_PRETERM},
};

int32_t demo_today(void)
{
    return date_of(DEMO_TODAY_YEAR, DEMO_TODAY_MONTH, DEMO_TODAY_DAY);
}

static int64_t day_begin(int32_t day)
{
    return day * CLOCK_DAY;
}

static int weighted(dice_t *dice, const int *weights, int count)
{
    int left = dice_range(dice, 0, 999);
    for (int i = 0; i < count; i++)
        if ((left -= weights[i]) < 0)
            return i;
    panic("weights do not add up to 1000");
}

/* --- users --- */

bool demo_is_parent(int user)
{
    return user == DEMO_PARENT || (user >= DEMO_NAMED && user % DEMO_THERAPIST_EACH != 0);
}

int64_t demo_children_most(int users)
{
    int64_t most = DEMO_NAMED_CHILDREN;
    for (int i = DEMO_NAMED; i < users; i++)
        most += demo_is_parent(i) ? DEMO_FAMILY_MAX : 0;
    return most;
}

/* One pass gives each parent a family as they are; what is left over then goes round, one child at a time. */
static void families_share(demo_people_t *people, int left)
{
    for (int i = DEMO_NAMED; i < people->users && left > 0; i++) {
        if (!demo_is_parent(i))
            continue;
        dice_t dice = dice_of("family", (uint64_t)i);
        int size = weighted(&dice, family_weights, ARRAY_SIZE(family_weights));
        people->families[i] = (uint8_t)(size < left ? size : left);
        left -= people->families[i];
    }
    while (left > 0)
        for (int i = DEMO_NAMED; i < people->users && left > 0; i++)
            if (demo_is_parent(i) && people->families[i] < DEMO_FAMILY_MAX) {
                people->families[i]++;
                left--;
            }
}

bool demo_people_plan(demo_people_t *people, const demo_lists_t *lists, int users, int children, FILE *out)
{
    *people = (demo_people_t){.lists = lists, .users = users, .children = children};
    if (users < DEMO_NAMED || users > 1000000) {
        fprintf(out, "demo data has %d to 1000000 users\n", DEMO_NAMED);
        return false;
    }
    if (children < DEMO_NAMED_CHILDREN || children > demo_children_most(users)) {
        fprintf(out, "demo data with %d users has %d to %" PRId64 " children\n", users, DEMO_NAMED_CHILDREN,
            demo_children_most(users));
        return false;
    }
    people->families = memory_zeroed((size_t)users, 1);
    people->families[DEMO_PARENT] = DEMO_NAMED_CHILDREN;
    families_share(people, children - DEMO_NAMED_CHILDREN);
    return true;
}

void demo_people_free(demo_people_t *people)
{
    free(people->families);
    *people = (demo_people_t){0};
}

static void user_drawn(const demo_people_t *people, demo_user_t *user, dice_t *dice)
{
    enum demo_sex sex = dice_chance(dice, MOTHERS_PER_MILLE) ? SEX_FEMALE : SEX_MALE;
    enum demo_era era = (enum demo_era)weighted(dice, era_weights, ARRAY_SIZE(era_weights));
    const demo_word_t *given = demo_list_pick(&people->lists->given[era][sex], dice);
    const demo_word_t *surname = demo_list_pick(&people->lists->surnames, dice);
    user->surname = surname->text;
    user->role = demo_is_parent(user->index) ? "parent" : "therapist";
    user->status = dice_chance(dice, SUSPENDED_PER_MILLE) ? "suspended" : "active";
    user->language = dice_chance(dice, ENGLISH_PER_MILLE) ? "en" : "ko";
    user->verified = !dice_chance(dice, UNVERIFIED_PER_MILLE);
    snprintf(user->name, sizeof user->name, "%s%s", surname->text, given->text);
    snprintf(
        user->email, sizeof user->email, "%s.%s%d@example.com", given->roman, surname->roman, user->index);
    snprintf(user->phone, sizeof user->phone, "010-%04d-%04d", dice_range(dice, 2000, 9999),
        dice_range(dice, 0, 9999));
}

static void user_known(demo_user_t *user)
{
    const named_user_t *named = &named_users[user->index];
    user->surname = named->surname;
    user->role = named->role;
    user->status = "active";
    user->language = "ko";
    user->verified = true;
    snprintf(user->name, sizeof user->name, "%s%s", named->surname, named->given);
    snprintf(user->email, sizeof user->email, "%s", named->email);
    snprintf(user->phone, sizeof user->phone, "%s", named->phone);
}

demo_user_t demo_user(const demo_people_t *people, int index)
{
    dice_t dice = dice_of("user", (uint64_t)index);
    int64_t step = JOINED_DAYS * CLOCK_DAY / people->users;
    demo_user_t user = {.index = index};
    user.created_at = day_begin(demo_today() - JOINED_END - JOINED_DAYS) + step * index +
                      (int64_t)(dice_bits(&dice) % (uint64_t)step);
    user.id = dice_uuid(&dice, user.created_at);
    if (index < DEMO_NAMED)
        user_known(&user);
    else
        user_drawn(people, &user, &dice);
    return user;
}

/* --- children --- */

/* Days of life on demo_today: the youngest first, then each elder one by its distance. */
static int child_age(const demo_people_t *people, int parent, int ordinal)
{
    dice_t dice = dice_of("births", (uint64_t)parent);
    int size = people->families[parent], distance_most = size > 2 ? 700 : 1100;
    int youngest_most = AGE_DAYS_MAX - (size - 1) * distance_most;
    int age = dice_range(&dice, 60, youngest_most > 1450 ? 1450 : youngest_most < 90 ? 90 : youngest_most);
    for (int i = size - 1; i > ordinal; i--) {
        bool twins = dice_chance(&dice, TWINS_PER_MILLE);
        int distance = dice_range(&dice, 380, distance_most);
        age += twins ? 0 : distance;
    }
    return age;
}

static void child_birth(demo_child_t *child, dice_t *dice)
{
    if (dice_chance(dice, WEEKS_UNTOLD_PER_MILLE))
        return;
    if (dice_chance(dice, PRETERM_PER_MILLE))
        child->gestational_weeks = 28 + weighted(dice, preterm_weights, ARRAY_SIZE(preterm_weights));
    else
        child->gestational_weeks = 37 + weighted(dice, term_weights, ARRAY_SIZE(term_weights));
    child->birth_weight = demo_birth_weight(child->sex, child->build, child->gestational_weeks);
}

static void child_histories(const demo_people_t *people, demo_child_t *child, dice_t *dice)
{
    bool preterm = child->gestational_weeks && child->gestational_weeks < 37;
    for (int kind = 0; kind < HISTORIES; kind++) {
        const demo_word_t *told = demo_list_pick(&people->lists->histories[kind], dice);
        bool tells = dice_chance(dice, history_per_mille[kind]);
        if (tells && (kind != HISTORY_PRETERM || preterm))
            child->histories[kind == HISTORY_PRETERM ? HISTORY_MEDICAL : kind] = told->text;
    }
}

static void child_known(
    const demo_people_t *people, demo_child_t *child, const demo_user_t *parent, int ordinal)
{
    const named_child_t *named = &named_children[ordinal];
    child->build = (demo_build_t){.height = 250, .weight = 150};
    child->sex = named->sex;
    child->birth_date = date_of(named->year, named->month, named->day);
    child->gestational_weeks = named->weeks;
    child->birth_weight = named->birth_weight;
    snprintf(child->name, sizeof child->name, "%s%s", parent->surname, named->given);
    enum demo_history column = named->told == HISTORY_PRETERM ? HISTORY_MEDICAL : named->told;
    child->histories[column] = people->lists->histories[named->told].items[0].text;
}

/* Brothers do not share a name: the family draws once, and each child goes on from there by as many names as
 * no multiple below DEMO_FAMILY_MAX leads back. */
static const char *sibling_name(const demo_people_t *people, enum demo_sex sex, int parent, int ordinal)
{
    dice_t dice = dice_of("names", (uint64_t)parent);
    const demo_list_t *list = &people->lists->given[ERA_2020][sex];
    int first = (int)(demo_list_pick(list, &dice) - list->items);
    return list->items[(first + ordinal * 7) % list->count].text;
}

static void child_drawn(
    const demo_people_t *people, demo_child_t *child, const demo_user_t *parent, int ordinal, dice_t *dice)
{
    child->sex = dice_chance(dice, 512) ? SEX_MALE : SEX_FEMALE;
    child->sex_unknown = dice_chance(dice, SEX_UNKNOWN_PER_MILLE);
    child->birth_date = demo_today() - child_age(people, parent->index, ordinal);
    child_birth(child, dice);
    child_histories(people, child, dice);
    snprintf(child->name, sizeof child->name, "%s%s", parent->surname,
        sibling_name(people, child->sex, parent->index, ordinal));
}

demo_child_t demo_child(const demo_people_t *people, const demo_user_t *parent, int ordinal)
{
    uint64_t number = (uint64_t)parent->index * DEMO_FAMILY_MAX + (uint64_t)ordinal;
    dice_t dice = dice_of("child", number);
    demo_child_t child = {.number = number, .build = demo_build(&dice)};
    if (parent->index == DEMO_PARENT)
        child_known(people, &child, parent, ordinal);
    else
        child_drawn(people, &child, parent, ordinal, &dice);
    /* Registered minutes after the parent joined, or weeks after the birth when that came later. */
    int64_t joined = parent->created_at + (int64_t)dice_range(&dice, 100, 1200) * CLOCK_SECOND +
                     ordinal * 90 * CLOCK_SECOND;
    int64_t born = day_begin(child.birth_date + dice_range(&dice, 3, 50)) +
                   (int64_t)dice_range(&dice, 0, 86399) * CLOCK_SECOND;
    child.created_at = joined > born ? joined : born;
    child.id = dice_uuid(&dice, child.created_at);
    return child;
}
