/* children: the children of parents, who may see them, how they grow. Owns the schema `children`; of accounts it reads the view
 * current_consents and guardian_facts.
 *
 * What always holds: only guardians and admins see a child, everybody else gets a 404; a child is registered only under the
 * consents child_guardian and child_health; histories and notes are sealed before they leave this process and stand in no list
 * and no log (product.md, sections 2 to 4). A deleted child stays as an empty row, because others refer to it. */
#include "children.h"
#include "../../shared/actor/events.h"
#include "../../shared/actor/page.h"
#include "../../shared/actor/personal_data.h"
#include "../../shared/actor/record_read.h"
#include "../../shared/base/age.h"
#include "../../shared/base/clock.h"

enum { OLDEST_YEARS = 19 }; /* "children" in the law that this is about: under 19 */

_Static_assert(offsetof(child_summary_t, updated_at) == offsetof(child_row_t, updated_at), "a summary begins with its row");
_Static_assert(offsetof(child_detail_t, notes) == offsetof(child_record_t, notes), "a detail begins with its record");

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Both answers end with the ages; the macro is there because their structs differ. */
#define AGES_SET(child, today)                                                                                     \
    do {                                                                                                           \
        age_t age = age_on((child)->birth_date, (int)(child)->gestational_weeks, (today));                         \
        message_set((child), chronological_age_months, age.chronological);                                         \
        message_set((child), corrected_age_months, age.corrected);                                                 \
        message_set((child), used_age_months, age.used);                                                           \
    } while (0)

static void detail_reply(call_t *call, const child_record_t *record)
{
    child_detail_t detail = {0};
    memcpy(&detail, record, sizeof(*record));
    AGES_SET(&detail, date_today_seoul());
    reply_value(call, &detail);
}

/* --- who asks ----------------------------------------------------------------------------------------------------- */

bool viewer_is_admin(const call_t *call)
{
    return call->principal.role == ROLE_ADMIN;
}

void child_read_tell(call_t *call, uuid_t child)
{
    if (viewer_is_admin(call))
        record_read_emit(call, "child", child, 1);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* The id after which the page begins; no id is zero. */
static uuid_t cursor_read(call_t *call, const window_t *window)
{
    uuid_t after = {{0}};
    if (window->cursor.data && uuid_parse(window->cursor, &after) != 0)
        call_fail_field(call, ERROR_VALIDATION, "cursor", PROBLEM_FORMAT);
    return after;
}

static const rows_t *page_query(call_t *call, const window_t *window)
{
    uuid_t after = cursor_read(call, window);
    if (viewer_is_admin(call))
        return db_query(call, &SQL_children_page_all, bind_uuid(after), bind_integer(window->fetch),
            bind_integer(window->offset));
    return db_query(call, &SQL_children_page, bind_uuid(call->principal.user), bind_uuid(after),
        bind_integer(window->fetch), bind_integer(window->offset));
}

static int64_t total_query(call_t *call)
{
    const rows_t *rows = viewer_is_admin(call)
                             ? db_query(call, &SQL_children_count_all)
                             : db_query(call, &SQL_children_count, bind_uuid(call->principal.user));
    const total_row_t *row = row_first(call, rows);
    return row->total;
}

static void children_list(call_t *call)
{
    const page_params_t *params = call->params;
    window_t window = window_of(params->page, params->limit, params->cursor);
    const rows_t *rows = page_query(call, &window);
    size_t shown = window_shown(&window, rows);
    int32_t today = date_today_seoul();
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    call_cache_until(call, date_ends_seoul(today)); /* the ages change then */
    child_summary_t *children = arena_allocate(call->arena, (shown + 1) * sizeof(*children));
    for (size_t i = 0; i < shown; i++) {
        memcpy(&children[i], row_at(call, rows, (int)i), sizeof(child_row_t));
        AGES_SET(&children[i], today);
        call_tag(call, TAG_CHILD, children[i].id);
        child_read_tell(call, children[i].id);
    }
    int64_t total = window_needs_count(&window, rows) ? total_query(call) : window_total(&window, rows);
    char next[UUID_TEXT_SIZE] = "";
    if (shown > 0)
        uuid_format(children[shown - 1].id, next);
    page_t page = window_page(&window, rows, total, text_of(next));
    reply_values(call, children, shown, &page);
}

/* --- one child ---------------------------------------------------------------------------------------------------- */

static void child_get(call_t *call)
{
    const id_params_t *params = call->params;
    const child_record_t *record = row_or_404(call, db_query(call, &SQL_child_get, bind_uuid(params->id),
        bind_uuid(call->principal.user), bind_boolean(viewer_is_admin(call))));
    child_read_tell(call, params->id);
    detail_reply(call, record);
}

static void birth_date_check(call_t *call, int32_t birth_date)
{
    int32_t today = date_today_seoul();
    if (birth_date > today)
        call_fail_field(call, ERROR_VALIDATION, "birth_date", PROBLEM_FUTURE);
    if (age_is_over(birth_date, today, OLDEST_YEARS))
        call_fail_field(call, ERROR_VALIDATION, "birth_date", PROBLEM_TOO_EARLY);
}

/* 422 that names each consent that is not there (product.md, section 3). */
_Noreturn void consents_fail(call_t *call)
{
    const rows_t *rows = db_query(call, &SQL_consents_missing, bind_uuid(call->principal.user));
    problems_t *problems = arena_allocate(call->arena, sizeof(*problems));
    problems->arena = call->arena;
    for (int i = 0; i < rows->count; i++) {
        const consent_row_t *row = row_at(call, rows, i);
        problem_add(problems, row->kind, PROBLEM_CONSENT, NULL, 0);
    }
    if (problems->count == 0) /* given between the two statements */
        call_fail(call, ERROR_UNAVAILABLE);
    call_fail_problems(call, ERROR_CONSENT_REQUIRED, problems);
}

/* A sealed column of one child, as a parameter. */
#define SEALED(call, id, value, column) bind_sealed((call), "children.children", #column, (id), (value)->column)

static void child_create(call_t *call)
{
    const child_create_t *in = call->input;
    birth_date_check(call, in->birth_date);
    uuid_t id = uuid_new();
    const rows_t *rows = db_query(call, &SQL_child_insert, bind_uuid(id), bind_uuid(call->principal.user),
        BIND(child_create, in, name), BIND(child_create, in, birth_date), BIND(child_create, in, gender),
        BIND(child_create, in, gestational_weeks), BIND(child_create, in, birth_weight),
        BIND(child_create, in, current_height), BIND(child_create, in, current_weight),
        SEALED(call, id, in, medical_history), SEALED(call, id, in, family_history), SEALED(call, id, in, treatment_history),
        SEALED(call, id, in, notes));
    const child_record_t *record = row_first(call, rows);
    if (record == NULL)
        consents_fail(call);
    call_tag(call, TAG_GUARDIAN, call->principal.user);
    detail_reply(call, record);
}

static void child_update(call_t *call)
{
    const id_params_t *params = call->params;
    const child_patch_t *patch = call->input;
    child_record_t child = *(const child_record_t *)row_or_404(call,
        db_query(call, &SQL_child_lock, bind_uuid(params->id), bind_uuid(call->principal.user)));
    message_merge(&child_patch_message, patch, &child_record_message, &child);
    if (message_has(patch, birth_date))
        birth_date_check(call, child.birth_date);
    const rows_t *rows = db_query(call, &SQL_child_update, bind_uuid(child.id), BIND(child_record, &child, name),
        BIND(child_record, &child, birth_date), BIND(child_record, &child, gender),
        BIND(child_record, &child, gestational_weeks), BIND(child_record, &child, birth_weight),
        BIND(child_record, &child, current_height), BIND(child_record, &child, current_weight),
        SEALED(call, child.id, &child, medical_history), SEALED(call, child.id, &child, family_history),
        SEALED(call, child.id, &child, treatment_history), SEALED(call, child.id, &child, notes));
    call_tag(call, TAG_CHILD, child.id);
    detail_reply(call, row_or_404(call, rows));
}

void child_deleted_tell(call_t *call, uuid_t child)
{
    child_deleted_t event = {0};
    message_set(&event, child, child);
    event_emit(call, "child.deleted", child, &child_deleted_message, &event);
}

static void child_delete(call_t *call)
{
    const id_params_t *params = call->params;
    param_t id = bind_uuid(params->id), user = bind_uuid(call->principal.user);
    const rows_t *guardians = db_query(call, &SQL_child_delete, id, user);
    if (guardians->count == 0) {
        row_or_404(call, db_query(call, &SQL_child_visible, id, user, bind_boolean(false)));
        call_fail(call, ERROR_FORBIDDEN); /* a guardian, but not the owner */
    }
    call_tag(call, TAG_CHILD, params->id);
    for (int i = 0; i < guardians->count; i++) /* also on those pages of their lists that did not show it */
        call_tag(call, TAG_GUARDIAN, ((const key_row_t *)row_at(call, guardians, i))->id);
    child_deleted_tell(call, params->id);
    reply_nothing(call);
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define CHILDREN "/api/v1/children"

/* What the cache keeps, and every statement that changes it (children.sql); each is followed by its call_tag:
 *
 *     children.list          tags: the viewer as guardian, each child shown; until Seoul's midnight, since ages stand in it
 *     children.measurements  tag: the child
 *     children.guardians     tags: the child, each guardian as user (accounts.guardian_facts: their names)
 *
 *     child_insert           its owner as guardian
 *     child_update           the child
 *     child_delete           the child, all who guarded it
 *     measurement_insert     the child (its height and weight stand in the list)
 *     guardian_insert        the child, the new guardian
 *     guardian_remove        the child, who guarded it; owner_succeed: in the same call
 *     person_step_down, person_succeed, person_erase    the person, all children that the person guarded
 *
 * child_reseal changes bytes that stand in none of these answers; invitations are in none. Whether somebody may see a child at all
 * (child_visible) changes with the guardians and by child_delete only. Reading by admins is logged: they are always answered by
 * this actor. Details hold sealed fields, and are never kept. */
static const endpoint_t endpoints[] = {
    {.operation = "children.list", .method = "GET", .path = CHILDREN, .handler = children_list, .roles = PARENT | ADMIN,
        .summary = "A parent's children; for an admin everybody's", .params = &page_params_message,
        .output = &child_summary_message, .shape = SHAPE_LIST, .cache = CACHE_PERSONAL, .logged = ADMIN},
    {.operation = "children.create", .method = "POST", .path = CHILDREN, .handler = child_create, .roles = PARENT,
        .summary = "Register a child", .input = &child_create_message, .output = &child_detail_message, .status = 201,
        .errors = {ERROR_CONSENT_REQUIRED}, .writes = true},
    {.operation = "children.get", .method = "GET", .path = CHILDREN "/:id", .handler = child_get, .roles = MEMBER,
        .summary = "A child with its histories and notes", .params = &id_params_message, .output = &child_detail_message},
    {.operation = "children.update", .method = "PATCH", .path = CHILDREN "/:id", .handler = child_update, .roles = PARENT,
        .summary = "Change a child; null clears, absent keeps", .params = &id_params_message, .input = &child_patch_message,
        .output = &child_detail_message, .writes = true},
    {.operation = "children.delete", .method = "DELETE", .path = CHILDREN "/:id", .handler = child_delete, .roles = PARENT,
        .summary = "Delete a child, by its owner", .params = &id_params_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "children.measurements", .method = "GET", .path = CHILDREN "/:id/measurements",
        .handler = measurements_list, .roles = MEMBER, .summary = "How a child grew, newest first",
        .params = &measurement_params_message, .output = &measurement_message, .shape = SHAPE_LIST,
        .cache = CACHE_PERSONAL, .logged = ADMIN},
    {.operation = "children.measure", .method = "POST", .path = CHILDREN "/:id/measurements",
        .handler = measurements_create, .roles = PARENT, .summary = "Record a measurement", .params = &id_params_message,
        .input = &measurement_create_message, .output = &measurement_message, .status = 201, .errors = {ERROR_CONFLICT},
        .writes = true},

    {.operation = "children.guardians", .method = "GET", .path = CHILDREN "/:id/guardians", .handler = guardian_list,
        .roles = PARENT | ADMIN, .summary = "Who guards a child", .params = &id_params_message,
        .output = &guardian_message, .shape = SHAPE_LIST, .cache = CACHE_PERSONAL, .logged = ADMIN},
    {.operation = "children.guardians.invite", .method = "POST", .path = CHILDREN "/:id/guardians",
        .handler = guardian_invite, .roles = PARENT, .summary = "Invite a further guardian by e-mail, by the owner",
        .params = &id_params_message, .input = &invitation_create_message, .output = &invitation_message, .status = 201,
        .errors = {ERROR_CONFLICT, ERROR_FORBIDDEN, ERROR_RATE_LIMITED}, .writes = true},
    {.operation = "children.guardians.accept", .method = "POST", .path = CHILDREN "/:id/guardians/accept",
        .handler = guardian_accept, .roles = PARENT,
        .summary = "Become a guardian, by the token of the mail and with its verified address",
        .params = &id_params_message, .input = &invitation_token_message, .output = &guardian_message, .status = 201,
        .errors = {ERROR_CONSENT_REQUIRED, ERROR_INVALID_STATE}, .writes = true},
    {.operation = "children.guardians.decline", .method = "POST", .path = CHILDREN "/:id/guardians/decline",
        .handler = guardian_decline, .roles = ANYONE, .summary = "Decline an invitation, by the token of the mail",
        .params = &id_params_message, .input = &invitation_token_message, .shape = SHAPE_NOTHING, .writes = true},
    {.operation = "children.guardians.remove", .method = "DELETE", .path = CHILDREN "/:id/guardians/:user_id",
        .handler = guardian_remove, .roles = PARENT,
        .summary = "Remove a guardian, by the owner or oneself; never the last one", .params = &guardian_params_message,
        .shape = SHAPE_NOTHING, .errors = {ERROR_LAST_GUARDIAN}, .writes = true},
    {.operation = "children.invitations", .method = "GET", .path = CHILDREN "/:id/guardians/invitations",
        .handler = invitation_list, .roles = PARENT, .summary = "Invitations that can still be accepted, newest first",
        .params = &id_params_message, .output = &invitation_message, .shape = SHAPE_LIST},
    {.operation = "children.invitations.withdraw", .method = "DELETE",
        .path = CHILDREN "/:id/guardians/invitations/:invitation_id", .handler = invitation_withdraw, .roles = PARENT,
        .summary = "Withdraw an invitation, by the owner", .params = &invitation_params_message, .shape = SHAPE_NOTHING,
        .writes = true},

    PERSONAL_DATA_ROW("children", children_personal_data),
    {.operation = "children.user_erased", .event = "user.erased", .handler = children_user_erased,
        .summary = "Forget a guardian, and the children who had no other", .input = &user_erased_message,
        .shape = SHAPE_NOTHING, .writes = true},
};

/* The soonest of both. */
static int64_t children_chore(call_t *call)
{
    static bool resealed;
    int64_t tidy = invitations_tidy(call), reseal = resealed ? -1 : children_reseal(call);
    resealed |= reseal < 0;
    return reseal < 0 || reseal > tidy ? tidy : reseal;
}

const actor_t children_actor = {.name = "children",
    .endpoints = endpoints,
    .endpoint_count = ARRAY_SIZE(endpoints),
    .statements = children_statements,
    .statement_count = children_statement_count,
    .data_keys = "data_keys.children",
    .chore = children_chore};
