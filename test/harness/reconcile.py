"""reconcile: people who are told things without pause, their clients, which come back whenever they lose their connection, and what
each of them saw held against the table."""
import http.client
import itertools
import json
import threading
import time
import uuid

import psycopg2

from . import people
from .client import Client
from .emit import Emitter
from .realtime import Ended, Polling, Refused, Socket
from .wait import wait_until

NOTIFICATIONS = '/api/v1/notifications'
GONE = (OSError, Ended, Refused, http.client.HTTPException, ValueError)  # ValueError: half an answer


class Polls:
    """A connected client by polls, as Socket is one by WebSocket."""

    def __init__(self, system, auth):
        self.polling, self.packets = Polling(system), []
        if self.polling.sid is None:
            raise Refused(self.polling.status, self.polling.body)
        self.post('40' + json.dumps(auth))
        self.answer = self.next()

    def post(self, packet):
        if self.polling.post(packet)[0] != 200:
            raise Ended

    def next(self):
        while True:
            while not self.packets:
                status, body = self.polling.get()
                if status != 200:
                    raise Ended
                self.packets = body.split('\x1e')
            packet = self.packets.pop(0)
            if packet == '1':
                raise Ended
            if packet == '2':
                self.post('3')
            elif packet != '6':
                return packet

    def close(self):
        """It is not told: its frontend notices."""


class Listener:
    """A person's client. `seen`: (seq, id), in the order in which they came; `wrong`: what should not have happened."""

    def __init__(self, system, transport):
        self.system, self.person = system, people.newcomer(system, consents=False)
        self.make = Polls if transport == 'polling' else lambda system, auth: Socket(system, auth=auth)
        self.name = f'{transport} {self.person.id}'
        self.seen, self.wrong, self.pid, self.offset = [], [], None, None
        self.connects = self.recovered = 0
        self.connection, self.ending = None, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        for turn in itertools.count():
            try:
                self.listen()
            except GONE:
                self.ending.wait(0.05 * (1 + turn % 3))  # as the library waits, or all come back at once
            if self.ending.is_set():
                return

    def listen(self):
        auth = {'token': self.person.token}
        if self.offset is not None:
            auth.update(pid=self.pid, offset=self.offset)
        self.connection = self.make(self.system, auth)
        try:
            if not self.connection.answer.startswith('40'):
                raise Ended
            pid = json.loads(self.connection.answer[2:])['pid']
            recovered, self.pid = self.offset is not None and pid == self.pid, pid
            self.connects += 1
            self.recovered += recovered
            if self.seen and not recovered:
                self.catch_up()
            while not self.ending.is_set():
                self.take(self.connection.next())
        finally:
            self.connection.close()

    def take(self, packet):
        if packet == '41':
            raise Ended
        name, shown, offset = json.loads(packet[2:])
        if name != 'new_notification' or offset != str(shown['seq']):
            self.wrong.append(packet)
        elif self.offset is not None and int(offset) <= int(self.offset):
            self.wrong.append(f'{offset} was shown after {self.offset}')
        else:
            self.offset = offset
            if (shown['seq'], shown['id']) not in self.seen[-100:]:  # else the list had it when the client caught up
                self.seen.append((shown['seq'], shown['id']))

    def catch_up(self):
        """What nobody could tell it is in the list."""
        answer = wait_until(lambda: self.ending.is_set() or self.ask(f'{NOTIFICATIONS}?limit=50&after={self.seen[-1][1]}'), 60, 'a list')
        while answer is not True and answer.data:
            self.seen += [(row['seq'], row['id']) for row in answer.data]
            answer = wait_until(lambda: self.ending.is_set() or self.ask(f'{NOTIFICATIONS}?limit=50&after={self.seen[-1][1]}'), 60, 'a list')

    def ask(self, path):
        try:
            answer = Client(self.system, self.person.token, check=False).get(path)
        except GONE:
            return None
        return answer if answer.status == 200 else None

    def stop(self):
        self.ending.set()


class Stream:
    """So many people, two in three by WebSocket, and notifications to all of them in turn, `rate` a second. What commits is kept in
    `said`: {person: [title]}."""

    def __init__(self, system, listeners, rate):
        self.system, self.rate, self.numbers = system, rate, itertools.count(1)
        self.listeners = [Listener(system, 'polling' if i % 3 == 2 else 'websocket') for i in range(listeners)]
        self.said = {listener.person.id: [] for listener in self.listeners}
        self.told, self.ending = 0, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        wait_until(lambda: all(listener.connects for listener in self.listeners), 60, 'all to be connected')
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(60)
        for listener in self.listeners:
            listener.stop()

    def work(self):
        while not self.ending.is_set():
            try:
                with self.system.database() as database:
                    self.say(database, self.emitter())
            except psycopg2.Error:  # away; what was under way may have been said or not: the table knows
                self.ending.wait(0.1)

    def emitter(self):
        return Emitter(self.system)

    @staticmethod
    def tell(database, emitter, person, title):
        emitter.emit(database, 'notification.requested', person.id, {
            'user': uuid.UUID(person.id), 'type': 10, 'title': title, 'message': '말' * 20})

    def say(self, database, emitter):
        began, count = time.monotonic(), 0
        while not self.ending.wait(max(0.0, began + count / self.rate - time.monotonic())):
            count += 1
            person = self.listeners[count % len(self.listeners)].person
            title = str(next(self.numbers))
            self.tell(database, emitter, person, title)
            self.said[person.id].append(title)
            self.told += 1

    def goes_on(self, more):
        target = self.told + more
        wait_until(lambda: self.told >= target, 60, f'{more} more to be said')

    def rows(self, database, listener):
        return database.rows('SELECT seq, id::text, title FROM notifications.notifications WHERE user_id = %s ORDER BY seq', listener.person.id)

    def check(self):
        """What was said until now is in the table once, and everybody saw all of it, once and in order. The stream goes on."""
        with self.system.database() as database:
            said = {person: list(titles) for person, titles in self.said.items()}
            last = database.value('SELECT max(position) FROM children.events')
            wait_until(lambda: not database.value('SELECT count(*) FROM children.deliveries WHERE position <= %s', last), 60,
                       'what was said to be in the table')
            for listener in self.listeners:
                rows = self.rows(database, listener)
                titles = [row['title'] for row in rows]
                assert len(set(titles)) == len(titles), f'{listener.name}: told twice'
                assert set(said[listener.person.id]) <= set(titles), f'{listener.name}: lost before the table'
                wanted, ends = [(row['seq'], row['id']) for row in rows], time.monotonic() + 60
                while len(listener.seen) < len(wanted) and time.monotonic() < ends:
                    time.sleep(0.02)
                assert listener.seen[:len(wanted)] == wanted, listener.name
                assert listener.wrong == [], listener.name
