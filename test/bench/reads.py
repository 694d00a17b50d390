"""reads: GETs of the release build beside the limit (bare libh2o with the same answer), beside PostgreSQL doing the same statement, and
beside the peers; all sides in turn, round by round."""
import os
import re
import tempfile

import gauge
from bare import Bare
from gauge import measure, measure_pgbench
from harness import people
from harness.system import ROOT
from peers import NAMES

VIDEOS, CHILDREN = '/api/v1/videos?age=24&limit=20', '/api/v1/children'
CLIENTS, STREAMS = 32, 16
PLAIN_STREAMS = 8  # of children over h2c
OURS, BARE, PGBENCH, FASTIFY = 'aipoten', 'bare libh2o', 'pgbench', NAMES['fastify']

LIST, LIST_GZIP = 'videos list, TLS', 'videos list, TLS, gzip'
CACHED, UNCACHED, UNCACHED_TLS = 'children, TLS, shared memory', 'children, h2c, cache off', 'children, TLS, cache off'


def same_statement(user):
    """children_page of actors/children/children.sql with pgbench's variables in place of its parameters."""
    with open(os.path.join(ROOT, 'actors', 'children', 'children.sql'), encoding='utf-8') as file:
        sql = re.search(r'^-- children_page: [^\n]*\n(?:--[^\n]*\n)*([^;]*;)', file.read(), re.M).group(1)
    for number, name in (('$1', ':user'), ('$2', ':after'), ('$3', ':most'), ('$4', ':skip')):
        sql = sql.replace(number, name)
    return (f"\\set most 21\n\\set skip 0\n"
            + sql.replace(':user', f"'{user}'::uuid").replace(':after', "'00000000-0000-0000-0000-000000000000'::uuid"))


class Server:
    """A running system of ours as a side of a comparison."""

    def __init__(self, system):
        self.system, self.pids = system, gauge.own_pids(system)
        with system.database() as database:
            self.postmaster = gauge.postmaster_of(database)

    def measure(self, path, seconds, headers=(), plain=False):
        system = self.system
        url = f'http://127.0.0.1:{system.http_port}' if plain else f'https://127.0.0.1:{system.https_port}'
        return measure(self.pids, self.postmaster, url + path, clients=CLIENTS, streams=PLAIN_STREAMS if plain else STREAMS,
                       seconds=seconds, headers=headers)


class Limit:
    """bench-bare with the answer that the system gives."""

    def __init__(self, system, path, headers):
        self.path, self.headers = path, [f'{name}: {value}' for name, value in headers.items()]
        self.bare = Bare(system, path, headers)

    def measure(self, seconds):
        return measure(self.bare.pids, None, self.bare.url + self.path, clients=CLIENTS, streams=STREAMS, seconds=seconds,
                       headers=self.headers)


def alternate(report, rounds, sides):
    """sides: [(work, side, measure)], each measured once in each round; measured once before, which counts nowhere."""
    for number in range(rounds + 1):
        if number:
            report.say(f' round {number}')
        for work, side, take in sides:
            took = take(1 if number == 0 else None)
            if number:
                report.add_round(work, side, took)
            elif took.bad:
                raise RuntimeError(f'{work}: {side} answers {took.bad} of {took.good + took.bad} requests badly')


def videos_list(bench):
    """From shared memory, whole and compressed, beside the limit and the peers."""
    seconds, report, server = bench.options.seconds, bench.report, Server(bench.system)
    plain, packed = Limit(bench.system, VIDEOS, {}), Limit(bench.system, VIDEOS, {'accept-encoding': 'gzip'})
    try:
        report.say(f'{LIST}: {plain.bare.bytes:,} bytes, {packed.bare.bytes:,} as gzip')
        if 'content-encoding' not in dict(packed.bare.headers):
            report.note(f'{LIST_GZIP}: not compressed')
        sides = [(LIST, OURS, lambda t: server.measure(VIDEOS, t or seconds)), (LIST, BARE, lambda t: plain.measure(t or seconds)),
                 (LIST_GZIP, OURS, lambda t: server.measure(VIDEOS, t or seconds, packed.headers)),
                 (LIST_GZIP, BARE, lambda t: packed.measure(t or seconds)), *peer_sides(bench, LIST, VIDEOS)]
        alternate(report, bench.options.rounds, sides)
    finally:
        plain.bare.stop()
        packed.bare.stop()
    for side, rounds in report.works[LIST].items():
        if side in NAMES.values():  # the compressed answer is compared with what they have
            report.works[LIST_GZIP][f'{side} (whole)'] = rounds
    report.compare(LIST, OURS, BARE, 'server', "CPU to bare libh2o's", 1.35, most=True)
    report.compare(LIST, OURS, BARE, 'rate', "rate to bare libh2o's", 0.80)
    report.compare(LIST, OURS, FASTIFY, 'rate', "rate to Fastify's", 2.2)
    report.compare(LIST_GZIP, OURS, BARE, 'server', "CPU to bare libh2o's", 1.5, most=True)
    report.compare(LIST_GZIP, OURS, BARE, 'rate', "rate to bare libh2o's", 0.75)
    report.compare(LIST_GZIP, OURS, f'{FASTIFY} (whole)', 'rate', "rate to Fastify's, whole", 6)


def peer_sides(bench, work, path, with_token=False):
    if not bench.peers:
        return []
    for name, title in NAMES.items():
        bench.report.say(f'{work}: {title} answers {bench.peers.size(name, path, with_token):,} bytes')
    return [(work, title, lambda t, name=name: bench.peers.measure(name, path, t or bench.options.seconds, with_token))
            for name, title in NAMES.items()]


def beside_bare(bench, work, path, headers, most, least=None):
    """An answer from shared memory beside the limit: its CPU at most `most` times that of bare libh2o, its rate at least `least`."""
    seconds, report, server, limit = bench.options.seconds, bench.report, Server(bench.system), Limit(bench.system, path, headers)
    try:
        report.say(f'{work}: {limit.bare.bytes:,} bytes')
        alternate(report, bench.options.rounds, [(work, OURS, lambda t: server.measure(path, t or seconds, limit.headers)),
                                                 (work, BARE, lambda t: limit.measure(t or seconds))])
    finally:
        limit.bare.stop()
    report.compare(work, OURS, BARE, 'server', "CPU to bare libh2o's", most, most=True)
    report.compare(work, OURS, BARE, 'rate', "rate to bare libh2o's", least)


def children_cached(bench):
    parent = people.demo(bench.system, 'parent')
    beside_bare(bench, CACHED, CHILDREN, {'authorization': f'Bearer {parent.token}'}, 1.6)


def children_uncached(bench):
    """Through all processes to PostgreSQL and back."""
    system, seconds, report = bench.system_uncached, bench.options.seconds, bench.report
    parent, server = people.demo(system, 'parent'), Server(system)
    headers = [f'authorization: Bearer {parent.token}']
    with tempfile.NamedTemporaryFile('w', suffix='.sql') as script:
        script.write(same_statement(parent.id))
        script.flush()
        report.say(f'{UNCACHED} and over TLS')
        alternate(report, bench.options.rounds, [
            (UNCACHED, OURS, lambda t: server.measure(CHILDREN, t or seconds, headers, plain=True)),
            (UNCACHED, PGBENCH, lambda t: measure_pgbench(server.postmaster, system.database_url, script.name, clients=8,
                                                          seconds=t or seconds)),
            (UNCACHED_TLS, OURS, lambda t: server.measure(CHILDREN, t or seconds, headers)),
            *peer_sides(bench, UNCACHED_TLS, CHILDREN, with_token=True)])
    report.compare(UNCACHED, OURS, PGBENCH, 'rate', "rate to pgbench's, the same statement, 8 clients", 1.5)
    report.compare(UNCACHED_TLS, OURS, FASTIFY, 'rate', "rate to Fastify's", 2.5)


def run(bench):
    if bench.has('/api/v1/videos'):
        videos_list(bench)
    else:
        bench.report.note('no videos list: this build has no such operation')
    children_cached(bench)
    children_uncached(bench)
