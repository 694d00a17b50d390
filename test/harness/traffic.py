"""traffic: writers that go on at a given rate whatever happens, and remember of each request what came of it and which frontend had
its connection, so that a test can afterwards hold every answer against what really stands in the database."""
import collections
import http.client
import os
import random
import select
import threading
import time
import uuid

from . import people
from .client import Client
from .workers import Workers

CHILDREN, USERS, ME = '/api/v1/children', '/api/v1/admin/users', '/api/v1/users/me'
READ = 'read'  # the operation of all reads
UNKNOWN = 0  # the status of a request whose connection broke


def frontend_of(local, remote):
    """The pid that holds the server's side of a connection over loopback; None when that cannot be seen."""
    def address(pair):
        return ''.join(f'{int(part):02X}' for part in reversed(pair[0].split('.'))) + f':{pair[1]:04X}'
    ours, theirs, inode = address(remote), address(local), None
    with open('/proc/net/tcp', encoding='ascii') as table:
        for line in table:
            fields = line.split()
            if fields[1] == ours and fields[2] == theirs:
                inode = f'socket:[{fields[9]}]'
    for pid in filter(str.isdigit, os.listdir('/proc')) if inode else ():
        try:
            with open(f'/proc/{pid}/comm', encoding='ascii', errors='replace') as file:
                if file.read().strip() != 'frontend':
                    continue
            if any(os.readlink(f'/proc/{pid}/fd/{fd}') == inode for fd in os.listdir(f'/proc/{pid}/fd')):
                return int(pid)
        except OSError:
            continue
    return None


def was_closed(connection):
    """Has the server ended this kept connection? What clients ask before they use one again (urllib3's is_connection_dropped)."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return bool(waiting.poll(0))


class Line(Client):
    """A client that never repeats a request by itself; `frontend` is who serves its connection, known after its first answer."""

    def __init__(self, system, token, tls=False, look=True):
        super().__init__(system, token, tls, check=False)
        self.look = look  # at who serves it: dear where connections are many
        self.frontend, self.opened = None, 0.0

    def exchange(self, method, path, body, headers):
        if self.connection is not None and was_closed(self.connection):
            self.close()
        fresh = self.connection is None
        if fresh:
            self.frontend, self.opened, self.connection = None, time.monotonic(), self.connect()
        try:
            self.connection.request(method, path, body=body, headers=headers)
            ends = self.connection.sock.getsockname(), self.connection.sock.getpeername()
            response = self.connection.getresponse()
            answer = self.answer_of(response, method, path)
        except Exception:
            self.close()
            raise
        if response.will_close:
            self.close()
        elif fresh and self.look:
            self.frontend = frontend_of(*ends)
        return answer


Attempt = collections.namedtuple('Attempt', 'operation status began ended frontend opened')
Write = collections.namedtuple('Write', 'operation person what status')  # status: of its last attempt
DAYS = 700  # that a writer measures: one measurement a day, and none before the birth or in the future


class Pace:
    """So many turns a second for all threads together; what was missed is not made up for."""

    def __init__(self, rate):
        self.gap, self.lock, self.next = 1 / rate, threading.Lock(), time.monotonic()

    def wait(self):
        with self.lock:
            now = time.monotonic()
            turn = self.next = max(self.next + self.gap, now - self.gap)
        if turn > now:
            time.sleep(turn - now)


class Traffic(Workers):
    """with Traffic(system, writers=12, editors=3, rate=300) as traffic: … ; afterwards traffic.writes and .attempts.

    A writer is a parent of its own who registers children, changes one of them and measures it; an editor is an administrator who
    changes a user of its own, each of which is an event for the access log; one more thread registers people, which is a mail each.
    Readers, where they are wanted, go on at a rate of their own: lists, details, and every fifth time over a new connection.
    Every second writer sends an Idempotency-Key, and
    repeats a request whose connection broke until it has an answer, as a good client does."""

    def __init__(self, system, writers=12, editors=3, rate=300, seed=0, readers=0, read_rate=300):
        super().__init__()
        self.system, self.pace = system, Pace(rate)
        self.attempts, self.writes = [], []
        self.admin = people.another_admin(system)
        self.before = collections.Counter()  # recorded calls of (operation, person) that are not among the writes
        self.writers = []  # their ids
        for number in range(writers):
            person = people.newcomer(system)
            self.writers.append(person.id)
            self.before['children.create', person.id] += 1
            child = person.child(name='처음')['id']
            self.start_with(self.write, person, child, number % 2 == 1, random.Random(seed * 1000 + number))
        for _ in range(editors):
            self.start_with(self.edit, people.newcomer(system))
        self.start_with(self.register)
        self.read_pace = Pace(read_rate)
        for number in range(readers):
            person = people.newcomer(system)
            self.start_with(self.read, person, person.child(name='읽기')['id'], number % 2 == 1)

    def once(self, line, operation, person, what, method, path, body, keyed):
        headers = {'idempotency-key': uuid.uuid4().hex} if keyed else None
        while True:
            began, status = time.monotonic(), UNKNOWN
            try:
                status = line.request(method, path, body, headers=headers).status
            except (OSError, http.client.HTTPException):
                pass
            self.attempts.append(Attempt(operation, status, began, time.monotonic(), line.frontend, line.opened))
            if status != UNKNOWN or not keyed:
                break
            time.sleep(0.02)
        self.writes.append(Write(operation, person and person.id, what, status))

    def write(self, person, child, keyed, chance):
        line, day = Line(self.system, person.token), 0
        while not self.ending.is_set():
            self.pace.wait()
            name = f'{chance.choice("가나다라마바사")}{uuid.uuid4().hex[:16]}'
            kind = chance.random()
            if kind < 0.5:
                self.once(line, 'children.create', person, name, 'POST', CHILDREN, {**people.CHILD, 'name': name}, keyed)
            elif kind < 0.8 or day == DAYS:
                self.once(line, 'children.update', person, (child, name), 'PATCH', f'{CHILDREN}/{child}', {'name': name}, keyed)
            else:
                day += 1
                self.once(line, 'children.measure', person, child, 'POST', f'{CHILDREN}/{child}/measurements',
                          {'measured_on': time.strftime('%Y-%m-%d', time.gmtime(1706745600 + 86400 * day)),
                           'height': 70}, keyed)
        line.close()

    def register(self):
        line = Line(self.system, None)
        while not self.ending.is_set():
            self.pace.wait()
            body = people.registration()
            self.once(line, 'auth.register', None, body['email'], 'POST', '/api/v1/auth/register', body, True)
        line.close()

    def edit(self, target):
        line = Line(self.system, self.admin.token)
        while not self.ending.is_set():
            self.pace.wait()
            self.once(line, 'admin.users.update', self.admin, target.id, 'PATCH', f'{USERS}/{target.id}', {'role': 'parent'}, False)
        line.close()

    def read(self, person, child, tls):
        """A read is not repeated either: whoever must not notice a death does not."""
        line, turn = Line(self.system, person.token, tls, look=False), 0
        while not self.ending.is_set():
            self.read_pace.wait()
            turn += 1
            path = (CHILDREN, CHILDREN, f'{CHILDREN}/{child}', ME, CHILDREN)[turn % 5]
            if turn % 5 == 0:
                line.close()
            began, status = time.monotonic(), UNKNOWN
            try:
                status = line.get(path).status
            except (OSError, http.client.HTTPException):
                pass
            self.attempts.append(Attempt(READ, status, began, time.monotonic(), line.frontend, line.opened))
        line.close()

    def __enter__(self):
        self.started = time.monotonic()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self.took = time.monotonic() - self.started

    def of(self, operation):
        return [write for write in self.writes if write.operation == operation]

    def failures(self):
        return [attempt for attempt in self.attempts if not 200 <= attempt.status < 300]
