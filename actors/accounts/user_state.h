/* user_state: the states of an account, and what leads from one to the next (product.md, section 3). Pure. */
#pragma once

/* Order of user_statuses[] in messages.h. */
enum user_status {
    USER_ACTIVE,
    USER_SUSPENDED,
    USER_DELETED, /* by itself or an administrator: a login brings it back for auth.restore_within */
    USER_ERASING, /* for good: event user.erased is on its way to everybody who holds data of it */
    USER_ERASED,  /* all have acknowledged: a tombstone */
    USER_STATUSES,
    USER_NO_WAY = -1,
};
enum user_step {
    STEP_SUSPEND,
    STEP_REINSTATE,
    STEP_DELETE,
    STEP_RESTORE, /* of an account that was active when it was deleted */
    STEP_ERASE,
    STEP_FORGET, /* the last acknowledgement of user.erased */
    USER_STEPS,
};

/* USER_NO_WAY: not from there. The state itself: nothing changes. */
enum user_status user_state_next(enum user_status, enum user_step);
