"""The killer: kill -9 of anything at random while 300 writes a second go on. What was answered 2xx stands exactly once with its event
and its effects, what was not is whole or not there, and nobody notices but who had a connection to a killed frontend.

Ten seconds, a minute with --long. AIPOTEN_SEED repeats a run."""
import random
import time

import pytest

from harness.killer import Killer, seed_of_run
from harness.ledger import RECOVERY, check_all, recoveries
from harness.traffic import Traffic

RATE = 300
LEAST = 8  # deaths, however slow the machine is


@pytest.fixture(scope='module')
def own(start_system):
    return start_system(settings={
        'supervisor': {'intensity': 1000, 'backoff_first': '50ms', 'backoff_most': '100ms'},
        # Held longer than a slow build under several testers needs to start an instance; and a request that meets the killer
        # again and again must not look as if it were why its instances die.
        'http': {'losses_most': 100, 'patience': '10s', 'request_timeout': '20s'},
        # A mail whose mailer died is another one's after this time; how often that happens must not make it dead.
        'mail': {'timeout': '2s', 'retry_first': '100ms', 'retry_most': '500ms', 'requeue': '500ms', 'attempts': 50}})


@pytest.mark.parametrize('seconds', [10, pytest.param(60, marks=pytest.mark.long)])
def test_processes_and_redis(own, seconds):
    """Frontends, actors of every kind, the supervisor, Redis: one at a time and several at once."""
    seed = seed_of_run()
    chance = random.Random(seed)
    killer = Killer(own, chance, ('redis',))
    with Traffic(own, rate=RATE, seed=seed) as traffic:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends or len(killer.killed) < LEAST:
            time.sleep(chance.uniform(0.05, 0.6))
            killer.strike()
    check_all(own, traffic, killer)
    assert len(traffic.writes) > seconds * 20


@pytest.mark.parametrize('seconds', [10, pytest.param(60, marks=pytest.mark.long)])
def test_database(own, seconds):
    """PostgreSQL, the whole of it or one of its processes, and now and then a process of ours meanwhile: 503 as long as it is away."""
    seed = seed_of_run()
    chance = random.Random(seed)
    killer = Killer(own, chance)
    with Traffic(own, rate=RATE, seed=seed) as traffic:
        ends = time.monotonic() + seconds
        for what in ('postgres', 'backend', *(chance.choice(('postgres', 'backend')) for _ in range(seconds))):
            time.sleep(chance.uniform(1, seconds / 5))
            if time.monotonic() > ends:
                break
            killer.strike(what)
            if chance.random() < 0.5:
                time.sleep(chance.uniform(0, 0.5))
                killer.strike()
        time.sleep(RECOVERY + 1)  # under load: in its last second every answer must be 2xx again
    print(f'503s until {max(recoveries(traffic, killer)):.2f} s after PostgreSQL was back')
    check_all(own, traffic, killer)
    last = traffic.started + traffic.took - 1
    assert [attempt.status for attempt in traffic.attempts if attempt.began > last].count(503) == 0
    assert killer.away() and len(traffic.writes) > seconds * 10
