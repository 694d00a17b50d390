/* kinds: see the header. */
#include "kinds.h"

const kind_t kinds[NOTIFICATION_TYPES] = {
    [NOTIFY_ASSESSMENT_REMINDER] = {.in_app = true, .push = true},
    [NOTIFY_NEW_VIDEO] = {.in_app = true},
    [NOTIFY_MATCHING_UPDATE] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_CONSULTATION_REMINDER] = {.in_app = true, .email = true, .push = true, .urgent = true},
    [NOTIFY_PAYMENT] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_REFUND] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_REPORT] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_SCHEDULE_CHANGE] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_SETTLEMENT] = {.in_app = true, .email = true},
    [NOTIFY_THERAPIST_APPROVAL] = {.in_app = true, .email = true, .push = true},
    [NOTIFY_SYSTEM] = {.in_app = true, .push = true},
};

/* The child is not named: this shows on locked screens. */
notification_requested_t notice_of_due(arena_t *arena, const assessment_due_t *due)
{
    notification_requested_t notice = {0};
    bool first = !message_has(due, last_completed_at);
    char child[UUID_TEXT_SIZE];
    uuid_format(due->child, child);
    message_set(&notice, user, due->user);
    message_set(&notice, type, NOTIFY_ASSESSMENT_REMINDER);
    message_set(&notice, title, TEXT("발달 체크를 할 때가 되었어요"));
    message_set(&notice, title_en, TEXT("Time for a development check"));
    message_set(&notice, message,
        arena_format(arena, first ? "아이가 %lld개월이 되었어요. 첫 발달 체크로 지금의 모습을 살펴보세요."
                                  : "아이가 %lld개월이 되었어요. 지난번과 얼마나 달라졌는지 살펴보세요.",
            (long long)due->age));
    message_set(&notice, message_en,
        arena_format(arena, first ? "Your child is now at %lld months. A first check shows where it stands."
                                  : "Your child is now at %lld months. See how much has changed since the last check.",
            (long long)due->age));
    message_set(&notice, link_url, arena_format(arena, "/assessments?child_id=%s", child));
    message_set(&notice, subject, due->child);
    return notice;
}
