/* catalogue: the published videos with all that ranks them, in this process's memory (about 100 bytes each), so that who ranks for a child
 * reads the child's history alone.
 *
 * What always holds: nothing older than the caller's transaction is ranked. What is remembered is what stood in PostgreSQL at a
 * version, and whoever changes any of it, in whichever instance, on whichever machine or by hand, changes the version in the same
 * transaction (triggers of schema/migrations/0020_catalogue.sql). Who ranks reads the version together with the history; when it
 * is not the one that is remembered, the catalogue is read again. Of the two counters a version keeps the quotient that
 * product.md, section 5, makes of them, not themselves.
 *
 * What the caller's own transaction has changed and not committed yet is ranked, and not remembered. Of more videos than
 * videos.candidates those of the highest priority are there. */
#pragma once
#include "rank.h"
#include "videos.h"

/* Those that train an area of the child and are for its age, give or take RANK_WIDENED_MONTHS, without history: the caller's own, in the
 * order of their ids. `version` was read in the call's transaction, which is open. */
rank_video_t *catalogue_fitting(call_t *, uuid_t version, const rank_child_t *, int *count);
/* One of them; NULL: it is not among them. */
rank_video_t *catalogue_find(rank_video_t *fitting, int count, uuid_t id);
