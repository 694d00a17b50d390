"""The matrix endpoint × role × own or other's, as one table. Each row is called with real data; its answer is validated
against OpenAPI by the client; what it writes is read again in PostgreSQL, and what is refused must have written nothing.

A new endpoint gets its rows in MATRIX; without them test_every_operation_has_its_rows fails."""
import datetime
import hashlib
import uuid

import pytest

from harness import attempts, mail, people, questions
from harness.client import Client

# Who calls. `parent` owns the child, the session and the record that a path names; `guardian` was invited to the child; the
# others are strangers to them. `anyone` has no token.
ANYONE, PARENT, GUARDIAN, OTHER_PARENT, THERAPIST, ADMIN = 'anyone', 'parent', 'guardian', 'other parent', 'therapist', 'admin'
NEW_ADMIN = 'new admin'  # one that a row may change, or do away with
ROLES = {ANYONE: 'anyone', PARENT: 'parent', GUARDIAN: 'parent', OTHER_PARENT: 'parent', THERAPIST: 'therapist', ADMIN: 'admin',
         NEW_ADMIN: 'admin'}
UNKNOWN = '01890000-0000-7000-8000-000000000000'


class World:
    """Made for each row of the table: who calls, and whose things stand in the path. People come to life when first named."""

    def __init__(self, system, database):
        self.system, self.database, self.made = system, database, {}

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def person(self, who):
        if who == ADMIN:
            return people.demo(self.system, 'admin')
        if who == NEW_ADMIN:
            return self.once(who, lambda: people.another_admin(self.system))
        return self.once(who, lambda: people.newcomer(self.system, ROLES[who]))

    def client(self, who):
        return Client(self.system) if who == ANYONE else self.person(who).client

    @property
    def parent(self):
        return self.person(PARENT)

    @property
    def child(self):
        """Of the parent, with the guardian and one measurement."""
        def make():
            child = self.parent.child(medical_history='천식')['id']
            self.database.rows('INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, %s)',
                               child, self.person(GUARDIAN).id, 'guardian')
            self.parent.client.post(f'/api/v1/children/{child}/measurements',
                                    {'measured_on': '2025-01-10', 'height': 72.5}).expect(201)
            return child
        return self.once('child', make)

    @property
    def session(self):
        """A second session of the parent."""
        def make():
            people.log_in(self.system, self.parent.email, self.parent.password)
            return self.database.value('SELECT id FROM accounts.auth_sessions WHERE user_id = %s ORDER BY created_at DESC LIMIT 1',
                                       self.parent.id)
        return self.once('session', make)

    @property
    def user(self):
        return self.parent.id

    @property
    def caller_id(self):
        return people.demo(self.system, 'admin').id

    unknown = UNKNOWN

    @property
    def guardian_id(self):
        return self.child and self.person(GUARDIAN).id

    @property
    def invitation(self):
        """Of the other parent, whose address is verified, to the child."""
        def make():
            other = self.person(OTHER_PARENT)
            self.database.rows('UPDATE accounts.users SET email_verified_at = now() WHERE id = %s', other.id)
            return self.parent.client.post(f'/api/v1/children/{self.child}/guardians', {'email': other.email}).expect(201).data['id']
        return self.once('invitation', make)

    @property
    def invitation_token(self):
        """The real one stands in the mail only: another one takes its place."""
        token = f'{self.child}-token'
        self.database.rows('UPDATE children.guardian_invitations SET token_hash = %s WHERE id = %s',
                           hashlib.sha256(token.encode()).digest(), self.invitation)
        return token

    @property
    def refresh_token(self):
        return self.parent.refresh_token

    @property
    def notification(self):
        """Of the parent, not read; and one more."""
        def make():
            self.database.rows('INSERT INTO notifications.counters (user_id, seq, unread) VALUES (%s, 2, 2)', self.parent.id)
            return [self.database.value("""
                INSERT INTO notifications.notifications (id, user_id, seq, type, title, message)
                VALUES (%s, %s, %s, 'system', '알림', '표를 위한 알림') RETURNING id""", str(uuid.uuid4()), self.parent.id, seq)
                for seq in (1, 2)][0]
        return self.once('notification', make)

    @property
    def device(self):
        return self.once('device', lambda: self.parent.client.post(
            '/api/v1/notifications/devices', {'platform': 'fcm', 'token': uuid.uuid4().hex}).expect(201).data['id'])

    @property
    def broadcast(self):
        return self.once('broadcast', lambda: self.person(ADMIN).client.post(
            '/api/v1/admin/notifications/broadcast', BROADCAST).expect(202).data['id'])

    @property
    def category(self):
        """One without videos."""
        return self.once('category', lambda: self.person(ADMIN).client.post('/api/v1/admin/categories', {
            'name': '표 놀이', 'slug': f'matrix-{uuid.uuid4().hex[:12]}'}).expect(201).data['id'])

    @property
    def video(self):
        """A published one, which parent, therapist and admin have bookmarked."""
        def make():
            video = self.person(ADMIN).client.post('/api/v1/admin/videos', VIDEO).expect(201).data['id']
            for who in (PARENT, THERAPIST, ADMIN):
                self.client(who).post(f'/api/v1/videos/{video}/bookmark').expect(200)
            return video
        return self.once('video', make)

    @property
    def old_child(self):
        """Of the parent, with the guardian, of an age that assessments are for, whenever this runs."""
        def make():
            born = datetime.date.today() - datetime.timedelta(900)
            child = self.parent.child(birth_date=born.isoformat(), gestational_weeks=40)['id']
            self.database.rows('INSERT INTO children.child_guardians (child_id, user_id, relation) VALUES (%s, %s, %s)',
                               child, self.person(GUARDIAN).id, 'guardian')
            questions.ensure(self.system, self.database)
            return child
        return self.once('old_child', make)

    @property
    def started(self):
        """An attempt in progress of that child."""
        return self.once('attempt', lambda: self.parent.client.post(
            '/api/v1/assessments', {'child_id': self.old_child}).expect(201).data)

    @property
    def attempt(self):
        return self.started['id']

    @property
    def draft(self):
        return self.once('draft', lambda: self.person(ADMIN).client.post(
            '/api/v1/admin/videos', {**VIDEO, 'is_published': False}).expect(201).data['id'])

    @property
    def question(self):
        """A live one, asked at the last age only."""
        return self.once('question', lambda: self.person(ADMIN).client.post(
            '/api/v1/admin/assessments/questions', QUESTION).expect(201).data['id'])

    def ask_no_more(self, question):
        self.person(ADMIN).client.delete(f'/api/v1/admin/assessments/questions/{question}').expect(200)

    @property
    def answered(self):
        """An attempt of the child, with an answer to its only question."""
        def make():
            questions = attempts.make_questions(self.database, [{'category': 'language', 'answer_type': 'yes_no'}])
            attempt = attempts.make_attempt(self.database, self.parent, self.child, questions)
            attempts.save(self.parent.client, attempt, {questions[0]: True}).expect(200)
            return attempt
        return self.once('answered', make)

    @property
    def completed(self):
        def make():
            self.parent.client.post(f'/api/v1/assessments/{self.answered}/complete').expect(200)
            return self.answered
        return self.once('completed', make)


# --- what a row may have changed: read before and after in PostgreSQL --------------------------------------------------------

def completions(world, _):
    return world.database.rows('SELECT a.status, count(r.id) AS results FROM assessments.development_assessments a'
                               ' LEFT JOIN assessments.assessment_results r ON r.assessment_id = a.id WHERE a.id = %s'
                               ' GROUP BY a.status', world.answered)


def completed_now(world, before, after, answer):
    assert before == [{'status': 'in_progress', 'results': 0}] and after == [{'status': 'completed', 'results': 1}]
    assert answer.data['id'] == world.answered and answer.data['results'][0]['score'] == 100


def users_of(world, who):
    return world.database.rows('SELECT id, name, language, status, role, phone IS NULL AS no_phone FROM accounts.users'
                               ' WHERE id = %s', world.person(who).id if who != ANYONE else UNKNOWN)


def registered(world, _):
    return world.database.rows('SELECT email, role, status FROM accounts.users WHERE email = %s', world.body['email'])


def sessions(world, _):
    return world.database.rows('SELECT id, revoked_at IS NULL AS live, rotation FROM accounts.auth_sessions WHERE user_id = %s'
                               ' ORDER BY created_at', world.parent.id)


def consents(world, who):
    return world.database.rows('SELECT kind, granted FROM accounts.consents WHERE user_id = %s ORDER BY created_at, id',
                               world.person(who).id if who != ANYONE else UNKNOWN)


def target_user(world, _):
    return world.database.rows('SELECT status, role FROM accounts.users WHERE id IN (%s, %s) ORDER BY id', world.parent.id,
                               world.caller_id)


def verification(world, who):
    return world.database.rows('SELECT u.email_verified_at IS NOT NULL AS verified, count(v) AS tokens, count(v.spent_at) AS spent'
                               ' FROM accounts.users u LEFT JOIN accounts.email_verifications v ON v.user_id = u.id'
                               ' WHERE u.id = %s GROUP BY u.id', world.parent.id if who == ANYONE else world.person(who).id)


def standing(world, who):
    return world.database.rows('SELECT u.status, u.password_version, count(s) FILTER (WHERE s.revoked_at IS NULL) AS live'
                               ' FROM accounts.users u LEFT JOIN accounts.auth_sessions s ON s.user_id = u.id'
                               ' WHERE u.id = %s GROUP BY u.id', world.parent.id if who == ANYONE else world.person(who).id)


def standing_of_parent(world, _):
    return standing(world, PARENT)


def child_row(world, _):
    return world.database.rows('SELECT name, notes, medical_history, deleted_at FROM children.children WHERE id = %s',
                               world.child)


def children_of(world, who):
    return world.database.rows('SELECT id, name FROM children.children WHERE user_id = %s AND deleted_at IS NULL',
                               world.person(who).id if who != ANYONE else UNKNOWN)


def measurements(world, _):
    return world.database.rows('SELECT measured_on::text, weight::float FROM children.child_measurements WHERE child_id = %s'
                               ' ORDER BY measured_on', world.child)


def guardians(world, _):
    return world.database.rows('SELECT user_id, relation FROM children.child_guardians WHERE child_id = %s ORDER BY created_at,'
                               ' user_id', world.child)


def invitations(world, _):
    return world.database.rows('SELECT id, ended_at IS NULL AS live FROM children.guardian_invitations WHERE child_id = %s'
                               ' ORDER BY created_at', world.child)


def exports(world, who):
    return world.database.rows('SELECT id FROM accounts.exports WHERE user_id = %s',
                               world.person(who).id if who != ANYONE else UNKNOWN)


def video_row(world, _):
    return world.database.rows('SELECT title, view_count, bookmark_count, completion_count, is_published, deleted_at'
                               ' FROM videos.videos WHERE id = %s', world.video)


def videos_of_title(world, _):
    return world.database.rows('SELECT id FROM videos.videos WHERE title = %s', world.body['title'])


def interaction(world, who):
    return world.database.rows('SELECT is_bookmarked, is_completed, watch_time FROM videos.user_video_interactions'
                               ' WHERE video_id = %s AND user_id = %s', world.video, world.person(who).id if who != ANYONE else UNKNOWN)


def categories(world, _):
    return world.database.rows('SELECT id, name, slug FROM videos.video_categories ORDER BY created_at, id')


def category_row(world, _):
    return world.database.rows('SELECT name FROM videos.video_categories WHERE id = %s', world.category)


def question_versions(world, _):
    return world.database.rows('SELECT version, question_text, retired_at IS NULL AS live FROM assessments.assessment_questions'
                               ' WHERE lineage = %s ORDER BY version', world.question)


def live_questions(world, _):
    return world.database.rows('SELECT id FROM assessments.assessment_questions WHERE retired_at IS NULL')


# --- what a success must have written: (world, before, after, answer) --------------------------------------------------------

def wrote_user(world, before, after, answer):
    assert before == [] and after == [{'email': world.body['email'], 'role': world.body['role'], 'status': 'active'}]
    assert answer.data['email'] == world.body['email']


def wrote_session(_, before, after, answer):
    assert len(after) == len(before) + 1 and after[-1]['live']
    assert answer.data['access_token']


def rotated_session(_, before, after, answer):
    assert [row['rotation'] for row in after] == [row['rotation'] + 1 for row in before]
    assert answer.data['refresh_token']


def ended_session(_, before, after, __):
    assert all(row['live'] for row in before) and [row['live'] for row in after].count(False) == 1


def wrote_name(world, _, after, answer):
    assert after[0]['name'] == world.body['name'] == answer.data['name']


def wrote_consent(world, before, after, _):
    assert after == before + [{'kind': world.body['kind'], 'granted': world.body['granted']}]


def wrote_status(world, before, after, answer):
    assert before != after and answer.data['status'] == world.body['status']


def verified(_, before, after, __):
    assert not before[0]['verified'] and after[0]['verified'] and after[0]['spent'] == before[0]['spent'] + 1


def wrote_token(_, before, after, __):
    assert after[0]['tokens'] == before[0]['tokens'] + 1 and after[0]['spent'] == before[0]['spent'] + 1


def set_password(_, before, after, __):
    assert after[0]['password_version'] == before[0]['password_version'] + 1 and after[0]['live'] == 0 < before[0]['live']


def deleted_account(_, before, after, __):
    assert before[0]['status'] == 'active' and after[0]['status'] == 'deleted' and after[0]['live'] == 0


def wrote_child(world, before, after, answer):
    assert {'id': answer.data['id'], 'name': world.body['name']} in after and len(after) == len(before) + 1


def changed_child(world, before, after, answer):
    assert after[0]['name'] == world.body['name'] == answer.data['name']
    assert answer.data['notes'] == world.body['notes'], 'what is sealed must open again'
    assert world.body['notes'].encode() not in bytes(after[0]['notes']), 'notes stand in the table unsealed'
    assert after[0]['medical_history'] != b'' and answer.data['medical_history'] == '천식', 'absent keeps'


def deleted_child(_, before, after, __):
    assert before[0]['deleted_at'] is None and after[0]['deleted_at'] is not None
    assert after[0]['name'] == '' or after[0]['name'] != before[0]['name'], 'a tombstone holds no personal data'
    assert after[0]['notes'] is None and after[0]['medical_history'] is None


def wrote_measurement(world, before, after, _):
    assert after == before + [{'measured_on': world.body['measured_on'], 'weight': world.body['weight']}]


def wrote_invitation(_, before, after, answer):
    assert before == [] and after == [{'id': answer.data['id'], 'live': True}]


def ended_invitation(_, before, after, __):
    assert [row['live'] for row in before] == [True] and [row['live'] for row in after] == [False]


def wrote_guardian(world, before, after, answer):
    assert after == before + [{'user_id': world.person(OTHER_PARENT).id, 'relation': 'guardian'}]
    assert answer.data['user_id'] == world.person(OTHER_PARENT).id


def removed_guardian(world, before, after, _):
    assert after == [row for row in before if row['user_id'] != world.person(GUARDIAN).id] and len(after) == 1


def wrote_export(_, before, after, answer):
    assert len(after) == len(before) + 1 and answer.data['state'] == 'collecting'


def viewed(_, before, after, answer):
    assert after[0]['view_count'] == before[0]['view_count'] + 1 == answer.data['view_count'] and answer.data['counted']


def completed(_, before, after, answer):
    assert not before[0]['is_completed'] and after[0]['is_completed'] and answer.data['first']


def bookmarked(_, before, after, answer):
    assert before == [] and after[0]['is_bookmarked'] and answer.data['is_bookmarked']


def unbookmarked(_, before, after, answer):
    assert before[0]['is_bookmarked'] and not after[0]['is_bookmarked'] and not answer.data['is_bookmarked']


def watched(_, before, after, answer):
    assert before[0]['watch_time'] == 0 and after[0]['watch_time'] == answer.data['watch_time'] == 10


def wrote_video(world, before, after, answer):
    assert len(after) == len(before) + 1 and answer.data['title'] == world.body['title']


def changed_video(world, before, after, answer):
    assert after == [{**before[0], 'title': world.body['title']}] and answer.data['title'] == world.body['title']


def deleted_video(_, before, after, __):
    assert before[0]['deleted_at'] is None and after[0]['deleted_at'] and not after[0]['is_published']


def wrote_category(world, before, after, answer):
    assert after == before + [{'id': answer.data['id'], 'name': world.body['name'], 'slug': world.body['slug']}]


def changed_category(world, before, after, _):
    assert before != after == [{'name': world.body['name']}]


def attempts_of(world, _):
    return world.database.rows('SELECT id, status FROM assessments.development_assessments WHERE child_id = %s', world.old_child)


def wrote_attempt(_, before, after, answer):
    assert before == [] and after == [{'id': answer.data['id'], 'status': 'in_progress'}]


def noted_attempt(world, _):
    return world.database.rows('SELECT notes FROM assessments.development_assessments WHERE id = %s', world.attempt)


def wrote_note(world, before, after, answer):
    assert before == [{'notes': None}] and after[0]['notes'] and answer.data['notes'] == world.body['notes']


def responses_of(world, _):
    return world.database.rows('SELECT question_id, response FROM assessments.assessment_responses WHERE assessment_id = %s',
                               world.attempt)


def wrote_response(world, before, after, answer):
    assert before == [] and after == [world.body] and answer.data['answered'] == 1


def deleted_category(_, before, after, __):
    assert before and not after


def wrote_question(world, before, after, answer):
    assert len(after) == len(before) + 1 and {'id': answer.data['id']} in after
    world.ask_no_more(answer.data['id'])


def changed_question(world, before, after, answer):
    assert after == [{**before[0], 'live': False}, {'version': 2, 'question_text': world.body['question_text'], 'live': True}]
    world.ask_no_more(answer.data['id'])


def retired_question(_, before, after, __):
    assert after == [{**before[0], 'live': False}] != before


# --- the matrix ---------------------------------------------------------------------------------------------------------------

ALL_200 = {ANYONE: 200, PARENT: 200, THERAPIST: 200, ADMIN: 200}
NOWHERE = dict.fromkeys(ALL_200, 404)
OAUTH_CODE = {'code': 'c', 'state': 's', 'redirect_uri': 'https://app.example.com/', 'code_verifier': 'v' * 43}
MEMBERS_200 = {ANYONE: 401, PARENT: 200, THERAPIST: 200, ADMIN: 200}
MEMBERS_201 = {ANYONE: 401, PARENT: 201, THERAPIST: 201, ADMIN: 201}
NOT_FOUND = {ANYONE: 401, PARENT: 404, THERAPIST: 404, ADMIN: 404}
ADMINS_200 = {ANYONE: 401, PARENT: 403, THERAPIST: 403, ADMIN: 200}
CHILD_SEEN = {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 404, ADMIN: 200}
CHILD_MEASURED = {ANYONE: 401, PARENT: 201, GUARDIAN: 201, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_CHANGED = {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_DELETED = {ANYONE: 401, PARENT: 200, GUARDIAN: 403, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_UNKNOWN = {ANYONE: 401, PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_LOOKED = {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_GUARDED = {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 200}
CHILD_INVITED = {ANYONE: 401, PARENT: 201, GUARDIAN: 403, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}
CHILD_ACCEPTED = {ANYONE: 401, PARENT: 403, GUARDIAN: 403, OTHER_PARENT: 201, THERAPIST: 403, ADMIN: 403}
SESSION_ENDED = {ANYONE: 401, PARENT: 200, OTHER_PARENT: 404, THERAPIST: 404, ADMIN: 404}


def registering_as(role):
    return lambda _: people.registration(role)


def logging_in(world):
    return {'email': world.parent.email, 'password': world.parent.password}


def refreshing(world):
    return {'refresh_token': world.refresh_token}


def accepting(world):
    return {'token': world.invitation_token}


def verifying(world):
    return {'token': mail.planted(world.database, 'email_verifications', world.caller.id if world.caller else world.parent.id)}


def resetting(world):
    return {'token': mail.planted(world.database, 'password_resets', world.parent.id), 'new_password': 'another horse 2'}


def own_password(world):
    return {'current_password': world.caller.password if world.caller else 'none'}


def inbox(world, _):
    """The parent's."""
    return world.notification and world.database.rows("""
        SELECT n.id, n.is_read, n.deleted_at IS NOT NULL AS deleted, c.unread
        FROM notifications.notifications n JOIN notifications.counters c USING (user_id) WHERE n.user_id = %s ORDER BY n.seq""",
        world.parent.id)


def read_one(world, before, after, answer):
    assert [(row['is_read'], row['unread']) for row in after] == [(True, 1), (False, 1)]
    assert (answer.data['id'], answer.data['unread']) == (world.notification, 1)


def read_all(world, before, after, answer):
    if world.caller is world.parent:
        assert [(row['is_read'], row['unread']) for row in after] == [(True, 0), (True, 0)]
    else:
        assert after == before


def preferences(world, who):
    return world.database.rows('SELECT type, in_app, email, push FROM notifications.notification_preferences WHERE user_id = %s',
                               world.person(who).id) if who != ANYONE else []


def chosen(world, before, after, answer):
    assert after == [{'type': 'payment', 'in_app': True, 'email': False, 'push': True}]
    assert len(answer.data['types']) == 11


def devices(world, who):
    return world.database.value('SELECT count(*) FROM notifications.devices WHERE user_id = %s',
                                world.person(who).id) if who != ANYONE else 0


def registered_device(world, before, after, answer):
    assert after == 1 and answer.data['platform'] == 'fcm'


def devices_of_parent(world, _):
    return world.device and devices(world, PARENT)


def removed_device(world, before, after, answer):
    assert (before, after) == (1, 0)


def broadcasts(world, _):
    return world.database.value('SELECT count(*) FROM notifications.broadcasts')


def ordered(world, before, after, answer):
    assert after == before + 1 and answer.data['finished_at'] is None


def deleted_one(world, before, after, answer):
    assert [(row['deleted'], row['unread']) for row in after] == [(True, 1), (False, 1)]


def answering(world):
    question = world.started['questions'][0]
    return {'question_id': question['id'], 'response': questions.answer(question)}


CONSENT = {'kind': 'marketing', 'granted': True}
CHILD_PATCH = {'name': '김바다', 'notes': '땅콩 알레르기'}
MEASURED = {'measured_on': '2025-03-20', 'weight': 9.4}
VIDEO = {'title': '표에서 만든 영상', 'description': '표를 위한 영상입니다.', 'video_url': 'https://videos.example.com/watch/m',
         'video_platform': 'vimeo', 'duration': 60, 'target_age_min': 12, 'target_age_max': 24, 'difficulty': 'easy', 'priority': 1,
         'areas': ['language'], 'is_published': True}
QUESTION = {'category': 'emotional', 'age_range_start': 71, 'age_range_end': 71, 'question_text': '표에서 만든 질문인가요?',
            'answer_type': 'yes_no'}
DEVICE = {'platform': 'fcm', 'token': 'matrix:' + uuid.uuid4().hex}
PREFERENCES = {'quiet_from': '22:00', 'quiet_until': '07:00',
               'types': [{'type': 'payment', 'in_app': True, 'email': False, 'push': True}]}
BROADCAST = {'role': 'admin', 'title': '표의 알림', 'message': '관리자에게만', 'link_url': '/notices'}
PROGRESS = {'intervals': [{'start': 0, 'end': 10}]}

# operation, path, body, {caller: status}, state that is read before and after, what a success wrote
MATRIX = [
    ('auth.register', '/api/v1/auth/register', registering_as('parent'), dict.fromkeys(ALL_200, 201), registered, wrote_user),
    ('auth.register', '/api/v1/auth/register', registering_as('therapist'), {ANYONE: 201}, registered, wrote_user),
    ('auth.register', '/api/v1/auth/register', registering_as('admin'), dict.fromkeys(ALL_200, 400), registered, None),
    ('auth.login', '/api/v1/auth/login', logging_in, ALL_200, sessions, wrote_session),
    ('auth.login', '/api/v1/auth/login', lambda world: {**logging_in(world), 'password': 'wrong horse 1'}, {ANYONE: 401},
     sessions, None),
    ('auth.refresh', '/api/v1/auth/refresh', refreshing, ALL_200, sessions, rotated_session),
    ('auth.refresh', '/api/v1/auth/refresh', {}, {ANYONE: 401}, sessions, None),
    # No provider is configured here; who may do what with one is in 30-oauth_test.py.
    ('auth.oauth.start', f'/api/v1/auth/oauth/google/start?redirect_uri=x:/&code_challenge={"A" * 43}', None, NOWHERE, None, None),
    ('auth.oauth.start', '/api/v1/auth/oauth/google/start', None, {ANYONE: 400}, None, None),
    ('auth.oauth.login', '/api/v1/auth/oauth/google', OAUTH_CODE, NOWHERE, sessions, None),
    ('auth.oauth.login', '/api/v1/auth/oauth/google', {}, {ANYONE: 400}, sessions, None),
    ('auth.logout', '/api/v1/auth/logout', refreshing, ALL_200, sessions, ended_session),
    ('auth.logout', '/api/v1/auth/logout', {}, {PARENT: 200}, sessions, ended_session),
    ('auth.logout', '/api/v1/auth/logout', {}, {ANYONE: 401}, sessions, None),

    ('auth.email.verify', '/api/v1/auth/email/verify', verifying, {ANYONE: 200, PARENT: 200, THERAPIST: 200}, verification, verified),
    ('auth.email.verify', '/api/v1/auth/email/verify', {'token': 'A' * 43}, {ADMIN: 422}, None, None),
    ('auth.email.verification', '/api/v1/auth/email/verification', None, {ANYONE: 401, PARENT: 202, THERAPIST: 202}, verification,
     wrote_token),
    ('auth.email.verification', '/api/v1/auth/email/verification', None, {NEW_ADMIN: 202}, verification, wrote_token),
    ('auth.password.reset', '/api/v1/auth/password/reset', resetting, ALL_200, standing_of_parent, set_password),
    ('auth.password.reset', '/api/v1/auth/password/reset', lambda world: {'email': world.parent.email},
     dict.fromkeys(ALL_200, 202), None, None),

    ('users.me', '/api/v1/users/me', None, MEMBERS_200, None, None),
    ('users.me.delete', '/api/v1/users/me', own_password, {ANYONE: 401, PARENT: 200, THERAPIST: 200, NEW_ADMIN: 200}, standing,
     deleted_account),
    ('users.me.delete', '/api/v1/users/me', {'current_password': 'wrong horse 1'}, {PARENT: 401}, standing, None),
    ('users.me.update', '/api/v1/users/me', {'name': '박새이름'}, {ANYONE: 401, PARENT: 200, THERAPIST: 200}, users_of, wrote_name),
    ('users.me.update', '/api/v1/users/me', {'name': '관리자'}, {ADMIN: 200}, users_of, wrote_name),
    ('users.me.sessions', '/api/v1/users/me/sessions', None, MEMBERS_200, None, None),
    ('users.me.sessions.revoke', '/api/v1/users/me/sessions/{session}', None, SESSION_ENDED, sessions, ended_session),
    ('users.me.sessions.revoke', '/api/v1/users/me/sessions/{unknown}', None, NOT_FOUND, None, None),

    ('users.me.export', '/api/v1/users/me/export', None, NOT_FOUND, None, None),
    ('users.me.export.start', '/api/v1/users/me/export', None, {ANYONE: 401, PARENT: 202, THERAPIST: 202, ADMIN: 202}, exports,
     wrote_export),
    ('exports.download', '/api/v1/exports/{unknown}?expires=1&signature=x', None, dict.fromkeys(ALL_200, 403), None, None),

    ('consents.list', '/api/v1/consents', None, MEMBERS_200, None, None),
    ('consents.create', '/api/v1/consents', CONSENT, MEMBERS_201, consents, wrote_consent),

    ('admin.users.list', '/api/v1/admin/users?limit=5', None, ADMINS_200, None, None),
    ('admin.users.get', '/api/v1/admin/users/{user}', None, ADMINS_200, None, None),
    ('admin.users.get', '/api/v1/admin/users/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.users.update', '/api/v1/admin/users/{user}', {'status': 'suspended'}, ADMINS_200, target_user, wrote_status),
    ('admin.users.update', '/api/v1/admin/users/{caller_id}', {'role': 'parent'}, {ADMIN: 409}, target_user, None),
    ('admin.users.update', '/api/v1/admin/users/{unknown}', {'status': 'suspended'},
     {ANYONE: 401, PARENT: 403, THERAPIST: 403, ADMIN: 404}, target_user, None),

    ('admin.users.delete', '/api/v1/admin/users/{user}', None, ADMINS_200, standing_of_parent, deleted_account),
    ('admin.users.delete', '/api/v1/admin/users/{caller_id}', None, {ADMIN: 409}, target_user, None),
    ('admin.users.delete', '/api/v1/admin/users/{unknown}', None, {ANYONE: 401, PARENT: 403, THERAPIST: 403, ADMIN: 404}, None, None),

    ('admin.audit_logs', '/api/v1/admin/audit-logs?limit=5', None, ADMINS_200, None, None),

    ('children.list', '/api/v1/children?limit=5', None, {ANYONE: 401, PARENT: 200, THERAPIST: 403, ADMIN: 200}, None, None),
    ('children.create', '/api/v1/children', people.CHILD, {ANYONE: 401, PARENT: 201, THERAPIST: 403, ADMIN: 403}, children_of,
     wrote_child),
    ('children.get', '/api/v1/children/{child}', None, CHILD_SEEN, None, None),
    ('children.get', '/api/v1/children/{unknown}', None, NOT_FOUND, None, None),
    ('children.update', '/api/v1/children/{child}', CHILD_PATCH, CHILD_CHANGED, child_row, changed_child),
    ('children.update', '/api/v1/children/{unknown}', CHILD_PATCH, CHILD_UNKNOWN, None, None),
    ('children.delete', '/api/v1/children/{child}', None, CHILD_DELETED, child_row, deleted_child),
    ('children.delete', '/api/v1/children/{unknown}', None, CHILD_UNKNOWN, None, None),
    ('children.measurements', '/api/v1/children/{child}/measurements', None, CHILD_SEEN, None, None),
    ('children.measurements', '/api/v1/children/{unknown}/measurements', None, NOT_FOUND, None, None),
    ('children.measure', '/api/v1/children/{child}/measurements', MEASURED, CHILD_MEASURED, measurements, wrote_measurement),
    ('children.measure', '/api/v1/children/{unknown}/measurements', MEASURED, CHILD_UNKNOWN, None, None),
    ('children.access_log', '/api/v1/children/{child}/access-log', None, CHILD_LOOKED, None, None),
    ('children.access_log', '/api/v1/children/{unknown}/access-log', None, CHILD_UNKNOWN, None, None),

    ('children.guardians', '/api/v1/children/{child}/guardians', None, CHILD_GUARDED, None, None),
    ('children.guardians', '/api/v1/children/{unknown}/guardians', None, {**CHILD_UNKNOWN, ADMIN: 404}, None, None),
    ('children.guardians.invite', '/api/v1/children/{child}/guardians', {'email': 'second@example.org'}, CHILD_INVITED,
     invitations, wrote_invitation),
    ('children.guardians.invite', '/api/v1/children/{unknown}/guardians', {'email': 'second@example.org'}, CHILD_UNKNOWN, None,
     None),
    ('children.guardians.accept', '/api/v1/children/{child}/guardians/accept', accepting, CHILD_ACCEPTED, guardians,
     wrote_guardian),
    ('children.guardians.accept', '/api/v1/children/{unknown}/guardians/accept', {'token': 'x'}, CHILD_UNKNOWN, None, None),
    ('children.guardians.decline', '/api/v1/children/{child}/guardians/decline', accepting, {**ALL_200, OTHER_PARENT: 200},
     invitations, ended_invitation),
    ('children.guardians.decline', '/api/v1/children/{unknown}/guardians/decline', {'token': 'x'}, dict.fromkeys(ALL_200, 404),
     None, None),
    ('children.guardians.remove', '/api/v1/children/{child}/guardians/{guardian_id}', None, CHILD_CHANGED, guardians,
     removed_guardian),
    ('children.guardians.remove', '/api/v1/children/{unknown}/guardians/{unknown}', None, CHILD_UNKNOWN, None, None),
    ('children.invitations', '/api/v1/children/{child}/guardians/invitations', None,
     {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 403, ADMIN: 403}, None, None),
    ('children.invitations', '/api/v1/children/{unknown}/guardians/invitations', None, CHILD_UNKNOWN, None, None),
    ('children.invitations.withdraw', '/api/v1/children/{child}/guardians/invitations/{invitation}', None, CHILD_DELETED,
     invitations, ended_invitation),
    ('children.invitations.withdraw', '/api/v1/children/{unknown}/guardians/invitations/{unknown}', None, CHILD_UNKNOWN, None,
     None),

    ('assessments.questions', '/api/v1/assessments/questions?age=24', None, ALL_200, None, None),
    ('assessments.questions', '/api/v1/assessments/questions?age=72', None, dict.fromkeys(ALL_200, 422), None, None),
    ('assessments.list', '/api/v1/assessments?limit=5', None, MEMBERS_200, None, None),
    ('assessments.list', '/api/v1/assessments?child_id={child}', None, CHILD_SEEN, None, None),
    ('assessments.list', '/api/v1/assessments?child_id={unknown}', None, NOT_FOUND, None, None),
    ('assessments.start', '/api/v1/assessments', lambda world: {'child_id': world.old_child}, CHILD_MEASURED, attempts_of,
     wrote_attempt),
    ('assessments.start', '/api/v1/assessments', {'child_id': UNKNOWN}, CHILD_UNKNOWN, None, None),
    ('assessments.get', '/api/v1/assessments/{attempt}', None, CHILD_SEEN, None, None),
    ('assessments.get', '/api/v1/assessments/{unknown}', None, NOT_FOUND, None, None),
    ('assessments.update', '/api/v1/assessments/{attempt}', {'notes': '졸려 했어요'}, CHILD_CHANGED, noted_attempt, wrote_note),
    ('assessments.update', '/api/v1/assessments/{unknown}', {'notes': '졸려 했어요'}, CHILD_UNKNOWN, None, None),
    ('assessments.respond', '/api/v1/assessments/{attempt}/responses', answering, CHILD_CHANGED, responses_of, wrote_response),
    ('assessments.respond', '/api/v1/assessments/{unknown}/responses', answering, CHILD_UNKNOWN, None, None),
    ('assessments.complete', '/api/v1/assessments/{answered}/complete', None, CHILD_CHANGED, completions, completed_now),
    ('assessments.complete', '/api/v1/assessments/{unknown}/complete', None, CHILD_UNKNOWN, None, None),
    ('assessments.results', '/api/v1/assessments/{completed}/results', None, CHILD_SEEN, None, None),
    ('assessments.results', '/api/v1/assessments/{unknown}/results', None, NOT_FOUND, None, None),
    ('assessments.report', '/api/v1/assessments/{completed}/report.html', None, CHILD_SEEN, None, None),
    ('assessments.report', '/api/v1/assessments/{unknown}/report.html', None, NOT_FOUND, None, None),
    ('notifications.list', '/api/v1/notifications', None, MEMBERS_200, None, None),
    ('notifications.list', '/api/v1/notifications?after={notification}', None, {**NOT_FOUND, PARENT: 200}, None, None),
    ('notifications.read', '/api/v1/notifications/{notification}/read', None, {**NOT_FOUND, PARENT: 200, OTHER_PARENT: 404}, inbox,
     read_one),
    ('notifications.read', '/api/v1/notifications/{unknown}/read', None, NOT_FOUND, None, None),
    ('notifications.read_all', '/api/v1/notifications/read-all', None, MEMBERS_200, inbox, read_all),
    ('notifications.delete', '/api/v1/notifications/{notification}', None, {**NOT_FOUND, PARENT: 200, OTHER_PARENT: 404}, inbox,
     deleted_one),
    ('notifications.delete', '/api/v1/notifications/{unknown}', None, NOT_FOUND, None, None),
    ('notifications.preferences.get', '/api/v1/notifications/preferences', None, MEMBERS_200, None, None),
    ('notifications.preferences.put', '/api/v1/notifications/preferences', PREFERENCES, MEMBERS_200, preferences, chosen),
    ('notifications.push_key', '/api/v1/notifications/push-key', None, MEMBERS_200, None, None),
    ('notifications.devices', '/api/v1/notifications/devices', None, MEMBERS_200, None, None),
    ('notifications.devices.create', '/api/v1/notifications/devices', DEVICE, MEMBERS_201, devices, registered_device),
    ('notifications.devices.delete', '/api/v1/notifications/devices/{device}', None, {**NOT_FOUND, PARENT: 200, OTHER_PARENT: 404},
     devices_of_parent, removed_device),
    ('notifications.devices.delete', '/api/v1/notifications/devices/{unknown}', None, NOT_FOUND, None, None),
    ('admin.notifications.broadcast', '/api/v1/admin/notifications/broadcast', BROADCAST,
     {ANYONE: 401, PARENT: 403, THERAPIST: 403, ADMIN: 202}, broadcasts, ordered),
    ('admin.notifications.broadcasts', '/api/v1/admin/notifications/broadcasts', None, ADMINS_200, None, None),
    ('admin.notifications.broadcasts.get', '/api/v1/admin/notifications/broadcasts/{broadcast}', None, ADMINS_200, None, None),
    ('admin.notifications.broadcasts.get', '/api/v1/admin/notifications/broadcasts/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None,
     None),
    ('videos.list', '/api/v1/videos?limit=5', None, ALL_200, None, None),
    ('videos.categories', '/api/v1/videos/categories', None, ALL_200, None, None),
    ('videos.category', '/api/v1/videos/categories/art-play?limit=5', None, ALL_200, None, None),
    ('videos.category', '/api/v1/videos/categories/no-such-play', None, NOWHERE, None, None),
    ('videos.get', '/api/v1/videos/{video}', None, ALL_200, None, None),
    ('videos.get', '/api/v1/videos/{draft}', None, NOWHERE, None, None),
    ('videos.get', '/api/v1/videos/{unknown}', None, NOWHERE, None, None),
    ('videos.recommended', '/api/v1/videos/recommended?child_id={child}', None,
     {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 404, ADMIN: 200}, None, None),
    ('videos.recommended', '/api/v1/videos/recommended?child_id={unknown}', None, NOT_FOUND, None, None),
    ('videos.bookmarks', '/api/v1/videos/bookmarks', None, MEMBERS_200, None, None),
    ('videos.watched', '/api/v1/videos/me', None, MEMBERS_200, None, None),
    ('videos.view', '/api/v1/videos/{video}/view', {}, ALL_200, video_row, viewed),
    ('videos.view', '/api/v1/videos/{draft}/view', {}, NOWHERE, None, None),
    ('videos.view', '/api/v1/videos/{video}/view', lambda world: {'child_id': world.child},
     {ANYONE: 401, PARENT: 200, GUARDIAN: 200, OTHER_PARENT: 404, THERAPIST: 404, ADMIN: 404}, video_row, viewed),
    ('videos.complete', '/api/v1/videos/{video}/complete', {}, MEMBERS_200, interaction, completed),
    ('videos.complete', '/api/v1/videos/{video}/complete', lambda world: {'child_id': world.child}, {OTHER_PARENT: 404, ADMIN: 404},
     interaction, None),
    ('videos.complete', '/api/v1/videos/{draft}/complete', {}, NOT_FOUND, None, None),
    ('videos.progress', '/api/v1/videos/{video}/progress', PROGRESS, MEMBERS_200, interaction, watched),
    ('videos.progress', '/api/v1/videos/{video}/progress', lambda world: {**PROGRESS, 'child_id': world.child},
     {OTHER_PARENT: 404, THERAPIST: 404}, interaction, None),
    ('videos.progress', '/api/v1/videos/{draft}/progress', PROGRESS, NOT_FOUND, None, None),
    ('videos.bookmark', '/api/v1/videos/{video}/bookmark', None, {ANYONE: 401, OTHER_PARENT: 200, NEW_ADMIN: 200}, interaction,
     bookmarked),
    ('videos.bookmark', '/api/v1/videos/{video}/bookmark', None, {PARENT: 200, THERAPIST: 200, ADMIN: 200}, None, None),
    ('videos.bookmark', '/api/v1/videos/{draft}/bookmark', None, NOT_FOUND, None, None),
    ('videos.bookmark.remove', '/api/v1/videos/{video}/bookmark', None, MEMBERS_200, interaction, unbookmarked),
    ('videos.bookmark.remove', '/api/v1/videos/{unknown}/bookmark', None, NOT_FOUND, None, None),

    ('admin.videos.list', '/api/v1/admin/videos?limit=5', None, ADMINS_200, None, None),
    ('admin.videos.get', '/api/v1/admin/videos/{draft}', None, ADMINS_200, None, None),
    ('admin.videos.get', '/api/v1/admin/videos/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.videos.create', '/api/v1/admin/videos', VIDEO, {**ADMINS_200, ADMIN: 201}, videos_of_title, wrote_video),
    ('admin.videos.update', '/api/v1/admin/videos/{video}', {'title': '표에서 바꾼 영상'}, ADMINS_200, video_row, changed_video),
    ('admin.videos.update', '/api/v1/admin/videos/{unknown}', {'title': '없음'}, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.videos.delete', '/api/v1/admin/videos/{video}', None, ADMINS_200, video_row, deleted_video),
    ('admin.videos.delete', '/api/v1/admin/videos/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.categories.list', '/api/v1/admin/categories', None, ADMINS_200, None, None),
    ('admin.categories.create', '/api/v1/admin/categories', lambda _: {'name': '표', 'slug': f'made-{uuid.uuid4().hex[:12]}'},
     {**ADMINS_200, ADMIN: 201}, categories, wrote_category),
    ('admin.categories.update', '/api/v1/admin/categories/{category}', {'name': '바꾼 놀이'}, ADMINS_200, category_row,
     changed_category),
    ('admin.categories.update', '/api/v1/admin/categories/{unknown}', {'name': '없음'}, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.categories.delete', '/api/v1/admin/categories/{category}', None, ADMINS_200, category_row, deleted_category),
    ('admin.categories.delete', '/api/v1/admin/categories/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),

    ('admin.questions.list', '/api/v1/admin/assessments/questions?limit=5', None, ADMINS_200, None, None),
    ('admin.questions.get', '/api/v1/admin/assessments/questions/{question}', None, ADMINS_200, None, None),
    ('admin.questions.get', '/api/v1/admin/assessments/questions/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.questions.create', '/api/v1/admin/assessments/questions', QUESTION, {**ADMINS_200, ADMIN: 201}, live_questions,
     wrote_question),
    ('admin.questions.update', '/api/v1/admin/assessments/questions/{question}', {'question_text': '표에서 바꾼 질문인가요?'},
     ADMINS_200, question_versions, changed_question),
    ('admin.questions.update', '/api/v1/admin/assessments/questions/{unknown}', {'question_text': '없는 질문인가요?'},
     {**ADMINS_200, ADMIN: 404}, None, None),
    ('admin.questions.retire', '/api/v1/admin/assessments/questions/{question}', None, ADMINS_200, question_versions,
     retired_question),
    ('admin.questions.retire', '/api/v1/admin/assessments/questions/{unknown}', None, {**ADMINS_200, ADMIN: 404}, None, None),
]


def cases():
    for number, (operation, path, body, expected, state, wrote) in enumerate(MATRIX):
        for who, status in expected.items():
            yield pytest.param(operation, path, body, who, status, state, wrote,
                               id=f'{number:02d}-{operation}-{who.replace(" ", "-")}-{status}')


@pytest.mark.parametrize('operation, path, body, who, status, state, wrote', cases())
def test_matrix(system, database, operation, path, body, who, status, state, wrote):
    world = World(system, database)
    row = next((row for row in system.openapi.operations if row.id == operation), None)
    assert row is not None, f'the OpenAPI document has no operation {operation}'
    names = {name: getattr(world, name) for name in ('child', 'session', 'user', 'caller_id', 'unknown', 'guardian_id',
                                                 'invitation', 'video', 'draft', 'category', 'question',
                                                 'notification', 'attempt', 'broadcast', 'answered',
                                                 'completed', 'device') if f'{{{name}}}' in path}
    client = world.client(who)
    world.caller = world.person(who) if who != ANYONE else None
    world.body = body(world) if callable(body) else body
    before = state(world, who) if state else None

    answer = client.request(row.method, path.format(**names), world.body).expect(status)

    assert system.openapi.find(row.method, answer.path)[0].id == operation
    if state is None:
        return
    after = state(world, who)
    if status < 300:
        wrote(world, before, after, answer)
    else:
        assert after == before, f'{status}, and yet it wrote'


def test_reads_give_only_ones_own(system, newcomer):
    """Lists and records of one person hold nothing of another."""
    mine, others = newcomer(), newcomer()
    child, other_child = mine.child(name='내아이'), others.child(name='남의아이')
    assert [row['id'] for row in mine.client.get('/api/v1/children').expect(200).data] == [child['id']]
    assert [row['id'] for row in others.client.get('/api/v1/children').expect(200).data] == [other_child['id']]
    assert mine.client.get('/api/v1/users/me').expect(200).data['email'] == mine.email
    for row in mine.client.get('/api/v1/children').data:
        assert not {'medical_history', 'family_history', 'treatment_history', 'notes'} & set(row), 'the list is a summary'


def test_every_operation_has_its_rows(system):
    """Derived from the document: each operation with each role, and with nobody; those with an id in the path also with
    somebody else's."""
    covered = {}
    for operation, path, _, expected, _, _ in MATRIX:
        covered.setdefault(operation, set()).update((ROLES[who], '{unknown}' in path or who == OTHER_PARENT) for who in expected)
    missing = []
    for row in system.openapi.operations:
        if row.id in PUBLIC:
            continue
        roles = {role for role, _ in covered.get(row.id, ())}
        missing += [f'{row.id}: {role}' for role in ('anyone', 'parent', 'therapist', 'admin') if role not in roles]
        if '{id}' in row.template and not any(others for _, others in covered.get(row.id, ())):
            missing.append(f'{row.id}: an id that is not the caller\'s')
    assert not missing, 'rows missing in MATRIX:\n  ' + '\n  '.join(missing)
    unknown = set(covered) - {row.id for row in system.openapi.operations}
    assert not unknown, f'MATRIX has rows of operations that are no more: {sorted(unknown)}'


# Answered by the frontend itself, the same for everybody.
PUBLIC = {'system.healthz', 'system.readyz', 'system.openapi'}
