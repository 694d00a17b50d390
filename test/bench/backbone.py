"""backbone: one GET through all processes, beside pgbench running the same statement in the same run.

Prints the raw rounds, their medians, the CPU time of our processes per request, the time from start to ready and the memory
of all our processes (PSS). A round with an answer that is not 2xx does not count and fails the run."""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from harness import people
from harness.system import ROOT, System

PGBENCH = '/usr/lib/postgresql/15/bin/pgbench'
TICKS = os.sysconf('SC_CLK_TCK')


def own_pids(system):
    return [system.supervisor_pid(), *system.pids()]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            fields = file.read().rsplit(')', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_kilobytes(pid):
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
        return int(re.search(r'^Pss:\s+(\d+)', file.read(), re.M).group(1))


def h2load(system, token, seconds):
    """(requests a second, answers that are not 2xx)"""
    said = subprocess.run(
        ['h2load', '-c', '32', '-m', '8', '--duration', str(seconds), '-H', f'authorization: Bearer {token}',
         f'http://127.0.0.1:{system.http_port}/api/v1/children'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    rate = float(re.search(r'finished in .*?, ([\d.]+) req/s', said).group(1))
    good, other = re.search(r'status codes: (\d+) 2xx, (.*)', said).groups()
    return rate, sum(int(n) for n in re.findall(r'(\d+) [345]xx', other)), int(good)


def same_statement(user):
    """children_page of actors/children/children.sql with pgbench's variables in place of its parameters."""
    with open(os.path.join(ROOT, 'actors', 'children', 'children.sql'), encoding='utf-8') as file:
        sql = re.search(r'^-- children_page: [^\n]*\n(?:--[^\n]*\n)*([^;]*;)', file.read(), re.M).group(1)
    for number, name in (('$1', ':user'), ('$2', ':after'), ('$3', ':most'), ('$4', ':skip')):
        sql = sql.replace(number, name)
    return (f"\\set most 21\n\\set skip 0\n"
            + sql.replace(':user', f"'{user}'::uuid").replace(':after', "'00000000-0000-0000-0000-000000000000'::uuid"))


def pgbench(system, script, seconds):
    said = subprocess.run([PGBENCH, '-n', '-M', 'prepared', '-c', '8', '-j', '2', '-T', str(seconds), '-f', script, system.database_url],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    return float(re.search(r'tps = ([\d.]+)', said).group(1))


def measure_start(system):
    """Supervisor start to ready with the database up, in seconds."""
    system.ctl('stop')
    began = time.monotonic()
    system.start()
    ready = time.monotonic() - began
    return ready


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=5)
    options = parser.parse_args()
    system = System(settings={'auth': {'bcrypt_cost': 10}},
                    environment={'AIPOTEN_DEMO_USERS': '10000', 'AIPOTEN_DEMO_CHILDREN': '16000'})
    system.start()
    try:
        run(system, options)
    finally:
        system.destroy()


def run(system, options):
    parent = people.demo(system, 'parent')
    pids = own_pids(system)
    print(f'memory at start, PSS of {len(pids)} processes: {sum(map(pss_kilobytes, pids)) / 1024:.1f} MB')
    rates, peers, costs, bad = [], [], [], 0
    with tempfile.NamedTemporaryFile('w', suffix='.sql') as script:
        script.write(same_statement(parent.id))
        script.flush()
        h2load(system, parent.token, 1)  # warms up, and is counted nowhere
        pgbench(system, script.name, 1)
        for number in range(options.rounds):
            began = cpu_seconds(pids)
            rate, failed, good = h2load(system, parent.token, options.seconds)
            cost = (cpu_seconds(pids) - began) / max(good, 1) * 1e6
            peer = pgbench(system, script.name, options.seconds)
            bad += failed
            rates.append(rate)
            costs.append(cost)
            peers.append(peer)
            print(f'round {number + 1}: GET children {rate:,.0f}/s, {cost:.1f} us of our CPU each, {failed} not 2xx; '
                  f'pgbench {peer:,.0f}/s; ratio {rate / peer:.2f}')
    print(f'median: GET children {statistics.median(rates):,.0f}/s, {statistics.median(costs):.1f} us; '
          f'ratio to pgbench -M prepared -c 8: {statistics.median(a / b for a, b in zip(rates, peers)):.2f} (at least 1.3)')
    print(f'memory after it: {sum(map(pss_kilobytes, pids)) / 1024:.1f} MB (at most 60)')
    print(f'start of a stopped system by tools/run: {measure_start(system):.2f} s')
    if bad:
        sys.exit(f'{bad} answers were not 2xx: the figures do not count')


if __name__ == '__main__':
    main()
