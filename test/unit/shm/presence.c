#include "rig.h"
#include "shm/presence.h"
#include <signal.h>
#include <sys/wait.h>

static void is(uuid_t user, int64_t now, bool online, bool announced, int64_t seen, int64_t announced_seen)
{
    presence_t presence = presence_of(segment, user, now);
    assert_int_equal(presence.online, online);
    assert_int_equal(presence.announced, announced);
    assert_int_equal(presence.seen, seen);
    assert_int_equal(presence.announced_seen, announced_seen);
}

static void comes_and_goes(void **state)
{
    uuid_t user = uuid_random(), other = uuid_random();
    (void)state;
    int one = presence_begin(segment, start(3, INSTANCE_STARTING)), two = presence_begin(segment, start(5, INSTANCE_DRAINING));
    assert_int_equal(one, 3);
    assert_int_equal(two, 5);
    is(user, 5, false, false, 0, 0);
    assert_true(presence_change(segment, one, user, 1, 0, 10));
    is(user, 20, true, false, 20, 0);
    assert_true(presence_change(segment, two, user, 1, 1, 30)); /* a second device, at another frontend, which announces */
    is(user, 40, true, true, 40, 40);
    assert_true(presence_change(segment, one, user, -1, 0, 50));
    is(user, 60, true, true, 60, 60);
    assert_true(presence_change(segment, two, user, 0, -1, 70));
    is(user, 80, true, false, 80, 70);
    assert_true(presence_change(segment, two, user, -1, 0, 90));
    is(user, 100, false, false, 90, 70);
    is(other, 100, false, false, 0, 0);
}

/* Whoever was online at a frontend that died is not, at once, and was seen last when it last beat; the next one in its slot forgets
 * neither them nor who had gone before. */
static void leaves_no_ghosts(void **state)
{
    uuid_t online = uuid_random(), gone = uuid_random();
    (void)state;
    segment_instance_t *row = start(3, INSTANCE_READY);
    int slot = presence_begin(segment, row);
    presence_change(segment, slot, online, 2, 1, 10);
    presence_change(segment, slot, gone, 1, 0, 10);
    presence_change(segment, slot, gone, -1, 0, 20);
    presence_beat(segment, slot, 1000);
    is(online, 1500, true, true, 1500, 1500);
    static const enum instance_state dead[] = {INSTANCE_DOWN, INSTANCE_BACKOFF, INSTANCE_FAILED};
    for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
        atomic_store(&row->state, dead[i]);
        is(online, 2000, false, false, 1000, 1000);
    }
    start(3, INSTANCE_STARTING); /* another generation, that has not begun to write */
    is(online, 2000, false, false, 1000, 1000);
    assert_int_equal(presence_begin(segment, row), slot);
    is(online, 3000, false, false, 1000, 1000);
    is(gone, 3000, false, false, 20, 0);
    presence_change(segment, slot, online, 1, 0, 4000);
    is(online, 5000, true, false, 5000, 1000);
    atomic_store(&row->used, 0);
    is(online, 5000, false, false, 4000, 1000);
}

/* Full: an older last time makes room, somebody who is online never does. */
static void has_room_for_who_is_online(void **state)
{
    enum { MANY = 40000, FIRST = 20000 };
    static uuid_t users[MANY];
    int refused = 0;
    (void)state;
    int slot = presence_begin(segment, start(0, INSTANCE_READY));
    for (int i = 0; i < FIRST; i++) {
        users[i] = uuid_random();
        assert_true(presence_change(segment, slot, users[i], 1, 0, i + 1)); /* the sessions of a frontend, by default: all fit */
    }
    for (int i = FIRST; i < MANY; i++) { /* these come and go */
        users[i] = uuid_random();
        if (presence_change(segment, slot, users[i], 1, 0, i + 1))
            presence_change(segment, slot, users[i], -1, 0, i + 1);
        else
            refused++;
    }
    assert_true(refused < 20);
    for (int i = 0; i < FIRST; i++)
        is(users[i], MANY + 1, true, false, MANY + 1, 0);
    for (int i = 0; i < PRESENCE_USERS; i++)
        if (!presence_change(segment, slot, uuid_random(), 1, 0, MANY))
            refused++;
    assert_true(refused > PRESENCE_USERS / 8);
    for (int i = 0; i < FIRST; i++)
        assert_true(presence_of(segment, users[i], MANY + 1).online);
}

/* At the next beat, or when the last socket is gone; others stay, and what was forgotten is room for somebody. */
static void forgets(void **state)
{
    enum { MANY = 1000 };
    static uuid_t users[MANY];
    uuid_t gone = uuid_random(), online = uuid_random(), other = uuid_random();
    (void)state;
    int slot = presence_begin(segment, start(3, INSTANCE_READY));
    presence_change(segment, slot, gone, 1, 1, 10);
    presence_change(segment, slot, gone, -1, -1, 20);
    presence_change(segment, slot, other, 1, 0, 10);
    presence_change(segment, slot, other, -1, 0, 20);
    presence_change(segment, slot, online, 1, 0, 10);
    presence_forget(segment, gone);
    presence_forget(segment, gone);
    presence_forget(segment, online);
    presence_forget(segment, uuid_random());
    is(gone, 30, false, false, 20, 20);
    presence_beat(segment, slot, 30);
    is(gone, 40, false, false, 0, 0);
    is(other, 40, false, false, 20, 0);
    is(online, 40, true, false, 40, 0);
    presence_change(segment, slot, online, -1, 0, 50);
    presence_beat(segment, slot, 60);
    is(online, 70, false, false, 0, 0);
    presence_change(segment, slot, gone, 1, 0, 80); /* nothing is left of the wish */
    presence_change(segment, slot, gone, -1, 0, 80);
    presence_beat(segment, slot, 90);
    is(gone, 100, false, false, 80, 0);
    for (int i = 0; i < MANY; i++) {
        users[i] = uuid_random();
        presence_change(segment, slot, users[i], 1, 0, 100);
        presence_change(segment, slot, users[i], -1, 0, 100);
    }
    presence_change(segment, slot, other, 1, 0, 100);
    for (int i = 0; i < MANY; i++)
        presence_forget(segment, users[i]);
    presence_beat(segment, slot, 110);
    for (int i = 0; i < MANY; i++)
        is(users[i], 120, false, false, 0, 0);
    is(other, 120, true, false, 120, 0);
}

static int changed(int slot, presence_cursor_t *cursor, uuid_t *last)
{
    int count = 0;
    while (presence_next(segment, slot, cursor, last))
        count++;
    return count;
}

static void tells_what_changed(void **state)
{
    uuid_t users[300], found;
    presence_cursor_t cursor = {0}, nobody = {0};
    (void)state;
    segment_instance_t *row = start(7, INSTANCE_READY);
    assert_false(presence_changed(segment, 7, &cursor));
    int slot = presence_begin(segment, row);
    assert_int_equal(changed(slot, &cursor, &found), 0);
    for (int i = 0; i < 300; i++) {
        users[i] = uuid_random();
        presence_change(segment, slot, users[i], 1, 0, 1);
    }
    assert_true(presence_changed(segment, slot, &cursor));
    for (int i = 0; i < 100; i++)
        assert_true(presence_next(segment, slot, &cursor, &found));
    presence_cursor_t kept = cursor;
    assert_int_equal(changed(slot, &cursor, &found), 200);
    assert_int_equal(changed(slot, &kept, &found), 200); /* told again, when it was not taken */
    assert_int_equal(changed(slot, &cursor, &found), 0);
    assert_false(presence_changed(segment, slot, &cursor));
    presence_change(segment, slot, users[17], -1, 0, 2);
    assert_int_equal(changed(slot, &cursor, &found), 1);
    assert_true(uuid_equal(found, users[17]));
    for (int i = 100; i < 150; i++) /* what changes again while it is told comes once more */
        presence_change(segment, slot, users[i], 1, 0, 3);
    assert_true(presence_next(segment, slot, &cursor, &found));
    presence_change(segment, slot, found, 1, 0, 4);
    uuid_t again = found;
    assert_int_equal(changed(slot, &cursor, &found), 49);
    assert_int_equal(changed(slot, &cursor, &found), 1);
    assert_true(uuid_equal(found, again));
    start(7, INSTANCE_STARTING);
    presence_begin(segment, row);
    assert_int_equal(changed(slot, &cursor, &found), 299); /* all but the one that had gone */
    assert_int_equal(changed(slot, &nobody, &found), 300);
}

/* A writer is killed at any instruction, again and again: who takes over its table finds it sound, and readers never see somebody online
 * who could not be. */
static void writer_is_killed(void **state)
{
    enum { USERS = 64, ROUNDS = 60 };
    static uuid_t users[USERS];
    (void)state;
    segment_instance_t *row = start(2, INSTANCE_READY);
    for (int i = 0; i < USERS; i++)
        users[i] = uuid_random();
    for (int round = 0; round < ROUNDS; round++) {
        pid_t writer = fork();
        if (writer == 0) {
            int slot = presence_begin(segment, row);
            for (uint32_t i = 1;; i = i * 1103515245 + 12345) {
                uuid_t user = users[i / 65536 % USERS];
                presence_change(segment, slot, user, 1, 1, 10);
                presence_beat(segment, slot, 20);
                presence_change(segment, slot, user, -1, -1, 15);
            }
        }
        assert_true(writer > 0);
        for (int look = 0; look < 2000; look++) {
            presence_t presence = presence_of(segment, users[look % USERS], 30);
            assert_true(presence.seen == 0 || presence.seen == 10 || presence.seen == 15 || presence.seen == 20 || presence.seen == 30);
            assert_true(presence.seen != 30 || presence.online);
        }
        assert_int_equal(kill(writer, SIGKILL), 0);
        assert_int_equal(waitpid(writer, NULL, 0), writer);
        atomic_store(&row->state, INSTANCE_BACKOFF);
        for (int i = 0; i < USERS; i++)
            assert_false(presence_of(segment, users[i], 30).online);
        row = start(2, INSTANCE_READY);
    }
    int slot = presence_begin(segment, row);
    for (int i = 0; i < USERS; i++) {
        assert_false(presence_of(segment, users[i], 30).online);
        assert_true(presence_change(segment, slot, users[i], 1, 0, 40));
        assert_true(presence_of(segment, users[i], 50).online);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_and_goes, make, leave),
        cmocka_unit_test_setup_teardown(leaves_no_ghosts, make, leave),
        cmocka_unit_test_setup_teardown(has_room_for_who_is_online, make, leave),
        cmocka_unit_test_setup_teardown(forgets, make, leave),
        cmocka_unit_test_setup_teardown(tells_what_changed, make, leave),
        cmocka_unit_test_setup_teardown(writer_is_killed, make, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
