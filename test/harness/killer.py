"""killer: kill -9 of whatever belongs to a system, at random from a seed, and who brings back what nobody else does: the
supervisor, Redis, PostgreSQL. Remembers who was killed when."""
import collections
import os
import random
import time

import psycopg2

from .system import Refused
from .wait import kill, wait_gone, wait_until

Killed = collections.namedtuple('Killed', 'what pid at back')  # back: when it was started again; at, for what others start


def seed_of_run():
    """AIPOTEN_SEED, or a new one; printed, so that a run can be done again."""
    seed = int(os.environ.get('AIPOTEN_SEED') or random.randrange(10 ** 6))
    print(f'AIPOTEN_SEED={seed}')
    return seed


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(child) for child in file.read().split()]


class Killer:
    def __init__(self, system, chance, servers=()):
        """servers: 'postgres', 'backend' and 'redis' too, where they are asked for."""
        self.system, self.chance, self.killed = system, chance, []
        services = sorted({row['service'] for row in system.instances()})
        self.victims = [*services, 'frontend', 'several', 'supervisor', *servers]

    def note(self, what, pid, at):
        self.killed.append(Killed(what, pid, at, time.monotonic()))

    def end(self, what, pid):
        """Whose end is not waited for: the supervisor notices."""
        try:
            kill(pid)
        except ProcessLookupError:
            return
        self.note(what, pid, time.monotonic())

    def strike(self, what=None):
        what = what or self.chance.choice(self.victims)
        getattr(self, f'kill_{what}', lambda: self.kill_instances(what))()

    def kill_instances(self, service, most=1):
        rows = [row for row in self.system.instances(service) if row['pid']]
        for row in self.chance.sample(rows, k=min(most, len(rows))):
            self.end(row['service'], row['pid'])

    def kill_several(self):
        """Of any services, at the same moment; both of one among them, now and then."""
        self.kill_instances(None, self.chance.choice((2, 3, 4)))

    def kill_supervisor(self):
        pid = self.system.supervisor_pid()
        at = time.monotonic()
        kill(pid)
        wait_gone(pid)
        self.system.ctl('start', '--config', self.system.config)
        self.note('supervisor', pid, at)

    def kill_redis(self):
        pid, at = int(self.system.services('redis_pid')), time.monotonic()
        kill(pid)
        wait_gone(pid)
        self.system.services('redis_start')
        self.note('redis', pid, at)

    def kill_postgres(self):
        """Its processes notice that their parent is gone; only then can it be started again."""
        pid = int(self.system.services('postgres_pid'))
        processes, at = children_of(pid), time.monotonic()
        kill(pid)
        for process in [pid, *processes]:
            wait_gone(process)
        time.sleep(self.chance.uniform(0, 0.5))
        wait_until(self.postgres_starts, 60, 'PostgreSQL to start again', every=0.2)
        self.note('postgres', pid, at)

    def postgres_starts(self):
        try:
            self.system.services('postgres_start')
        except Refused:
            return False
        return self.postgres_answers()

    def kill_backend(self):
        """One of its processes: PostgreSQL then ends all others and recovers by itself."""
        with self.system.database() as victim, self.system.database() as other:
            pid, at = victim.value('SELECT pg_backend_pid()'), time.monotonic()
            kill(pid)
            wait_until(lambda: not self.answers(other), 10, 'PostgreSQL to end all connections')
        wait_until(self.postgres_answers, 60, 'PostgreSQL to recover', every=0.05)
        self.note('backend', pid, at)

    @staticmethod
    def answers(database):
        try:
            return database.value('SELECT true')
        except psycopg2.Error:
            return False

    def postgres_answers(self):
        try:
            with self.system.database() as database:
                return self.answers(database)
        except psycopg2.Error:  # refused, or in recovery
            return False

    def frontends(self):
        return {killed.pid for killed in self.killed if killed.what == 'frontend'}

    def away(self):
        """When PostgreSQL was: [(from, until)]."""
        return [(killed.at, killed.back) for killed in self.killed if killed.what in ('postgres', 'backend')]
