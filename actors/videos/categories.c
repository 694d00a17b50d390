/* categories: what videos are sorted into. One that has videos cannot be deleted; one whose name changes is changed in what lists
 * show of its videos in the same transaction. */
#include "videos.h"

void category_list(call_t *call)
{
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    reply_rows(call, db_query(call, &SQL_categories_all), NULL);
}

void admin_category_list(call_t *call)
{
    reply_rows(call, db_query(call, &SQL_admin_categories), NULL);
}

void admin_category_create(call_t *call)
{
    const category_create_t *in = call->input;
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    db_on_violation(call, "video_categories_slug_key", ERROR_CONFLICT);
    reply_row(call, db_query(call, &SQL_category_insert, bind_uuid(uuid_new()), bind_text(in->name), bind_text(in->slug)));
}

void admin_category_update(call_t *call)
{
    const id_params_t *params = call->params;
    const category_patch_t *in = call->input;
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    if (in->head.given == 0)
        call_fail_field(call, ERROR_VALIDATION, "body", PROBLEM_EMPTY);
    db_on_violation(call, "video_categories_slug_key", ERROR_CONFLICT);
    db_send(call, &SQL_categories_before_videos);
    const void *row = row_or_404(call, db_query(call, &SQL_category_update, bind_uuid(params->id),
        BIND(category_patch, in, name), BIND(category_patch, in, slug)));
    db_query(call, &SQL_category_show, bind_uuid(params->id));
    reply_value(call, row);
}

void admin_category_delete(call_t *call)
{
    const id_params_t *params = call->params;
    call_tag(call, TAG_VIDEOS, (uuid_t){{0}});
    db_on_violation(call, "video_category_mapping_category_id_fkey", ERROR_IN_USE);
    db_send(call, &SQL_categories_before_videos);
    row_or_404(call, db_query(call, &SQL_category_delete, bind_uuid(params->id)));
    reply_nothing(call);
}
