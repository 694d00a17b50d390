/* What the files of the videos actor tell each other. */
#pragma once
#include "messages.h"
#include "videos.sql.h"

/* videos.c: a 400 that says how small the number in this field may be at least. */
_Noreturn void fail_below(call_t *, text_t field, int64_t least);
/* video_list.c */
void video_list(call_t *);
void category_videos(call_t *);
/* interactions.c */
void video_view(call_t *);
void bookmark_add(call_t *);
void bookmark_remove(call_t *);
void bookmark_list(call_t *);
void video_complete(call_t *);
void watched_list(call_t *);
/* Ends the call with 404 unless the child (if any was given) is one that the caller guards. */
void watcher_check(call_t *, uuid_t child, bool given);
/* progress.c */
void progress_put(call_t *);
/* recommended.c */
void recommended_list(call_t *);
/* recommend.c */
void recommend_completed(call_t *);
/* Ranks by the child's latest attempt, whose event did not come yet. */
void recommend_latest(call_t *, uuid_t child);
void recommend_prescribed(call_t *);
/* Ranks a child's recommendations anew, of its latest attempt, if there is one: something was watched with it. Comes after all
 * that the call locks otherwise. Ends the call with 404 when the child was deleted meanwhile. */
void recommend_again(call_t *, uuid_t child);
/* admin_videos.c */
void admin_video_list(call_t *);
void admin_video_get(call_t *);
void admin_video_create(call_t *);
void admin_video_update(call_t *);
void admin_video_delete(call_t *);
/* categories.c */
void category_list(call_t *);
void admin_category_list(call_t *);
void admin_category_create(call_t *);
void admin_category_update(call_t *);
void admin_category_delete(call_t *);
/* personal.c */
void videos_personal_data(call_t *);
void videos_user_erased(call_t *);
void videos_child_deleted(call_t *);
