"""writes: what is durable, and what follows from it: POST children beside pgbench running the bare insert in the same run; an event's
way from its commit to its effect in another actor beside one commit of pgbench; a backlog of events that drains.

Prints the raw rounds and their medians. An answer that is not 2xx fails the run."""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from gauge import cpu_seconds, h2load_said, median, own_pids, percentile, pgbench
from harness import people
from harness.client import Client
from harness.measure import held_by_all
from harness.system import ROOT, System
from harness.wait import wait_until

CHILDREN, USERS = '/api/v1/children', '/api/v1/admin/users'
PARENTS, CLIENTS, STREAMS = 4, 8, 8  # 4 x 8 connections with 8 streams each
SAMPLES = 500

# An id that grows with time, as ours.
ID = ("(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)"
      " || '8' || substr(md5(random()::text), 1, 15))::uuid")
HISTORY = "'\\x" + '00' * 60 + "'"


def script_for(parents, sql):
    ids = ', '.join(f"'{parent.id}'" for parent in parents)
    return f'\\set parent random(1, {len(parents)})\n' + sql.replace('PARENT', f'(ARRAY[{ids}]::uuid[])[:parent]') + '\n'


def bare_insert(parents):
    """The child's row alone: no guardian, no consents, no record of the call."""
    return script_for(parents, 'INSERT INTO children.children (id, user_id, name, birth_date, gender, gestational_weeks, birth_weight, '
                      f"medical_history) VALUES ({ID}, PARENT, '김하늘', '2024-01-15', 'female', 32, 1.85, {HISTORY});")


def same_insert(parents):
    """child_insert of actors/children/children.sql: the child, its guardian, if the consents stand; no record of the call."""
    values = [ID, 'PARENT', "'김하늘'", "'2024-01-15'", "'female'", '32', '1.85', 'NULL', 'NULL', HISTORY, 'NULL', 'NULL', 'NULL']
    with open(os.path.join(ROOT, 'actors', 'children', 'children.sql'), encoding='utf-8') as file:
        sql = re.search(r'^-- child_insert: [^\n]*\n(?:--[^\n]*\n)*([^;]*;)', file.read(), re.M).group(1)
    return script_for(parents, re.sub(r'\$(\d+)', lambda found: values[int(found.group(1)) - 1], sql))


def h2load_post(system, parents, seconds, body):
    """(requests a second, answers 2xx, others) of POST children, each parent over connections of its own."""
    runs = [subprocess.Popen(
        ['h2load', '-c', str(CLIENTS), '-m', str(STREAMS), '--duration', str(seconds), '-d', body,
         '-H', 'content-type: application/json', '-H', f'authorization: Bearer {parent.token}',
         f'http://127.0.0.1:{system.http_port}{CHILDREN}'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for parent in parents]
    said = [h2load_said(run.communicate()[0]) for run in runs]
    return tuple(map(sum, zip(*said)))


def pgbench_run(system, script, seconds, clients, *more):
    return pgbench(system.database_url, script, clients=clients, seconds=seconds, more=more)


def measure_posts(system, parents, script, same, options):
    pids, ratios, same_ratios, rates, bad = own_pids(system), [], [], [], 0
    with tempfile.NamedTemporaryFile('w', suffix='.json') as body:
        body.write(json.dumps(people.CHILD, ensure_ascii=False))
        body.flush()
        h2load_post(system, parents, 1, body.name)  # warms up, and is counted nowhere
        pgbench_run(system, script, 1, 16)
        for number in range(options.rounds):
            began = cpu_seconds(pids)
            rate, good, failed = h2load_post(system, parents, options.seconds, body.name)
            cost = (cpu_seconds(pids) - began) / max(good, 1) * 1e6
            bare, whole = (pgbench_run(system, path, options.seconds, 16) for path in (script, same))
            bad += failed
            rates.append(rate)
            ratios.append(rate / bare)
            same_ratios.append(rate / whole)
            print(f'round {number + 1}: POST children {rate:,.0f}/s, {cost:.1f} us of our CPU each, {failed} not 2xx; pgbench of the '
                  f"child's row alone {bare:,.0f}/s, of the actor's own insert {whole:,.0f}/s; ratios {rate / bare:.2f}, "
                  f'{rate / whole:.2f}', flush=True)
    print(f'median: POST children {median(rates):,.0f}/s; ratio to pgbench -M prepared -c 16 of the bare insert: '
          f"{median(ratios):.2f} (at least 0.6), of the actor's own insert, with its guardian: "
          f'{median(same_ratios):.2f}', flush=True)
    return ratios, same_ratios, bad


def commit_times(system, script, seconds):
    """Milliseconds of each transaction of one pgbench client."""
    with tempfile.TemporaryDirectory() as directory:
        pgbench_run(system, script, seconds, 1, '-l', f'--log-prefix={directory}/log')
        times = []
        for path in glob.glob(f'{directory}/log*'):
            with open(path, encoding='ascii') as file:
                times += [int(line.split()[2]) / 1000 for line in file]
    return times


def event_times(system, admin, user):
    """Milliseconds from the answer of a call that emitted an event, which comes after its commit, until the event's effect, a row of
    the access log, can be seen by others."""
    client, times = Client(system, admin.token, check=False), []
    with system.database() as database, database.connection.cursor() as cursor:
        cursor.execute('PREPARE seen (bigint) AS SELECT position FROM admin.access_log WHERE position > $1 ORDER BY 1 DESC LIMIT 1')
        last = database.value('SELECT coalesce(max(position), 0) FROM admin.access_log')
        for _ in range(SAMPLES):
            client.patch(f'{USERS}/{user}', {'role': 'parent'}).expect(200)
            began, row = time.perf_counter(), None
            while row is None:
                cursor.execute('EXECUTE seen (%s)', (last,))
                row = cursor.fetchone()
            times.append((time.perf_counter() - began) * 1000)
            last = row[0]
    client.close()
    return times


def measure_events(system, admin, parents, script, options):
    event_times(system, admin, parents[0].id)  # warms up
    ratios = []
    for number in range(options.rounds):
        events, commits = event_times(system, admin, parents[0].id), commit_times(system, script, options.seconds)
        ratios.append(percentile(events, 0.99) / percentile(commits, 0.99))
        print(f'round {number + 1}: event to effect p50 {percentile(events, 0.5):.2f} ms, p99 {percentile(events, 0.99):.2f} ms; '
              f'one commit of pgbench p50 {percentile(commits, 0.5):.2f} ms, p99 {percentile(commits, 0.99):.2f} ms', flush=True)
    print(f'median: p99 of event to effect to p99 of one commit: {median(ratios):.2f} (at most 3)', flush=True)
    return ratios


def pending(database):
    return database.value('SELECT count(*) FROM children.deliveries')


def fill(system, admin, database, count):
    """So many events, each of them a read of a child by an administrator, while their subscriber is stopped."""
    ids = [row['id'] for row in database.rows('SELECT id FROM children.children WHERE deleted_at IS NULL ORDER BY id LIMIT 10000')]
    system.ctl('stop', 'admin')
    with tempfile.NamedTemporaryFile('w', suffix='.uris') as uris:
        uris.writelines(f'http://127.0.0.1:{system.http_port}{CHILDREN}/{child}\n' for child in ids)
        uris.flush()
        subprocess.run(['h2load', '-c', '16', '-m', '8', '-n', str(count), '-H', f'authorization: Bearer {admin.token}', '-i', uris.name],
                       stdout=subprocess.DEVNULL, check=True)
    return pending(database)


def memory(system):
    held = held_by_all(system)
    return {name: held[name].pss for name in held if name.split('.')[0] in ('children', 'admin')}


def measure_backlog(system, admin, options):
    with system.database() as database:
        fill(system, admin, database, 2000)  # a round of the same: what it allocates once is no growth
        system.ctl('start', 'admin')
        wait_until(lambda: pending(database) == 0, 120, 'a first backlog to drain', every=0.2)
        before = memory(system)
        waiting, most = fill(system, admin, database, options.events), {}
        system.ctl('start', 'admin')
        began, ends = time.monotonic(), time.monotonic() + 1800
        while (left := pending(database)) > 0:
            for name, kilobytes in memory(system).items():
                most[name] = max(most.get(name, 0), kilobytes)
            if time.monotonic() > ends:
                sys.exit(f'{left} of {waiting} events have not drained')
            time.sleep(1)
        took = time.monotonic() - began
        after = memory(system)
    print(f'{waiting:,} pending events drained in {took:.1f} s, {waiting / took:,.0f}/s')
    for name in sorted(before):
        print(f'  PSS of {name}: {before[name] / 1024:.1f} MB before, {most.get(name, 0) / 1024:.1f} MB at most, {after[name] / 1024:.1f} MB after')


class Scripts:
    """with Scripts(parents) as scripts: files for pgbench."""

    def __init__(self, parents):
        self.files = {name: tempfile.NamedTemporaryFile('w', suffix='.sql')  # pylint: disable=consider-using-with
                      for name in ('bare', 'same')}
        for name, sql in (('bare', bare_insert(parents)), ('same', same_insert(parents))):
            self.files[name].write(sql)
            self.files[name].flush()
        self.bare, self.same = self.files['bare'].name, self.files['same'].name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file in self.files.values():
            file.close()


def run_part(bench):
    """As a part of the whole bench: what has a gate."""
    system, report, options = bench.system, bench.report, bench.options
    parents, admin = [people.newcomer(system) for _ in range(PARENTS)], people.demo(system, 'admin')
    with Scripts(parents) as scripts:
        bare, same, bad = measure_posts(system, parents, scripts.bare, scripts.same, options)
        report.figure('POST children, h2c', "rate to pgbench's, the child's row alone, 16 clients", bare, 0.6, unit=' x', bad=bad)
        report.figure('POST children, h2c', "rate to pgbench's, the actor's own insert, 16 clients", same, unit=' x', bad=bad)
        events = measure_events(system, admin, parents, scripts.bare, options)
        report.figure('events', 'commit to effect, p99, to that of one commit', events, 3, most=True, unit=' x')


def main():
    parser = argparse.ArgumentParser(prog='tools/bench writes', description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--events', type=int, default=100000)
    parser.add_argument('--only', choices=('posts', 'events', 'backlog'), help='one of the three figures')
    options = parser.parse_args()
    wanted = (options.only,) if options.only else ('posts', 'events', 'backlog')
    bad = 0
    system = System(settings={'auth': {'bcrypt_cost': 10, 'access_lifetime': '2h'}},
                    environment={'AIPOTEN_DEMO_USERS': '10000', 'AIPOTEN_DEMO_CHILDREN': '16000'})
    system.start()
    try:
        parents, admin = [people.newcomer(system) for _ in range(PARENTS)], people.demo(system, 'admin')
        with Scripts(parents) as scripts:
            if 'posts' in wanted:
                bad = measure_posts(system, parents, scripts.bare, scripts.same, options)[2]
            if 'events' in wanted:
                measure_events(system, admin, parents, scripts.bare, options)
            if 'backlog' in wanted:
                measure_backlog(system, admin, options)
    finally:
        system.destroy()
    if bad:
        sys.exit(f'{bad} answers were not 2xx: the figures do not count')


if __name__ == '__main__':
    main()
