/* user_state: see user_state.h. */
#include "user_state.h"
#include "base/panic.h"

static const enum user_status next[USER_STATUSES][USER_STEPS] = {
    /*                  SUSPEND          REINSTATE     DELETE        RESTORE       ERASE         FORGET */
    [USER_ACTIVE] = {USER_SUSPENDED, USER_ACTIVE, USER_DELETED, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY},
    [USER_SUSPENDED] = {USER_SUSPENDED, USER_ACTIVE, USER_DELETED, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY},
    [USER_DELETED] = {USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_ACTIVE, USER_ERASING, USER_NO_WAY},
    [USER_ERASING] = {USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_ERASED},
    [USER_ERASED] = {USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY, USER_NO_WAY},
};

enum user_status user_state_next(enum user_status state, enum user_step step)
{
    insist((unsigned)state < USER_STATUSES && (unsigned)step < USER_STEPS);
    return next[state][step];
}
