"""gauge: what all parts of the bench measure with: h2load, pgbench, the CPU time and memory of processes, medians.

CPU time is counted in three purses: the server's own processes, PostgreSQL, and the clients that make the load."""
import collections
import os
import re
import resource
import statistics
import subprocess
import time

PGBENCH = '/usr/lib/postgresql/15/bin/pgbench'
PATIENCE = 30  # seconds that a load may take beyond its own
TICKS = os.sysconf('SC_CLK_TCK')

# One round: answers a second; microseconds of CPU for each answer; answers 2xx; those that were not, or never came.
Round = collections.namedtuple('Round', 'rate server postgres client good bad')


# --- processes --------------------------------------------------------------------------------------------------------

def stat_of(pid):
    """The fields of /proc/PID/stat behind the name; None when it is gone."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
            return file.read().rsplit(')', 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_of(pid):
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit() and (fields := stat_of(name)) and int(fields[1]) == pid:
            found.append(int(name))
    return found


def cpu_seconds(pids):
    return sum(int(fields[11]) + int(fields[12]) for fields in map(stat_of, pids) if fields) / TICKS


def cpu_busy(pids, seconds, share=0.05):
    """Do they take more than that share of a core, for so long?"""
    before = cpu_seconds(pids)
    time.sleep(seconds)
    return cpu_seconds(pids) - before > share * seconds


def cpu_of_family(pid):
    """Of a process, its living children, and those that it has buried: PostgreSQL's, whose backends come and go."""
    while True:
        buried = stat_of(pid)[11:15]
        living = cpu_seconds(children_of(pid))
        if stat_of(pid)[11:15] == buried:  # else one died between the two
            return sum(map(int, buried)) / TICKS + living


def postmaster_of(database):
    """The process above the one that serves this connection."""
    return int(stat_of(database.value('SELECT pg_backend_pid()'))[1])


def pss_kilobytes(pid, mapping=None):
    """Of all its memory, or of the mapping of that name alone."""
    if mapping is None:
        with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
            return int(re.search(r'^Pss:\s+(\d+)', file.read(), re.M).group(1))
    with open(f'/proc/{pid}/smaps', encoding='utf-8') as file:
        parts = re.split(r'^(?=[0-9a-f]+-[0-9a-f]+ )', file.read(), flags=re.M)
    return sum(int(re.search(r'^Pss:\s+(\d+)', part, re.M).group(1)) for part in parts if mapping in part.split('\n', 1)[0])


def own_pids(system):
    return [system.supervisor_pid(), *system.pids()]


class Purses:
    """with Purses(pids, postmaster) as cpu: … ; then cpu.server, cpu.postgres, cpu.client are seconds."""

    def __init__(self, pids, postmaster=None):
        self.pids, self.postmaster = pids, postmaster

    def read(self):
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (cpu_seconds(self.pids), cpu_of_family(self.postmaster) if self.postmaster else 0.0, spent.ru_utime + spent.ru_stime)

    def __enter__(self):
        self.before = self.read()
        return self

    def __exit__(self, *_):
        self.server, self.postgres, self.client = (after - before for before, after in zip(self.before, self.read()))


# --- loads ------------------------------------------------------------------------------------------------------------

def h2load_command(url, *, clients, streams, seconds=0, total=0, headers=(), more=()):
    command = ['h2load', '-c', str(clients), '-m', str(streams), *(['-n', str(total)] if total else ['--duration', str(seconds)])]
    for header in headers:
        command += ['-H', header]
    return [*command, *more, url]


def h2load_said(said):
    """(requests a second, answers 2xx, all others) of what h2load said."""
    finished = re.search(r'finished in .*?, ([\d.]+) req/s', said)
    if not finished:
        raise RuntimeError(f'h2load ended with:\n{said}')
    good, other = re.search(r'status codes: (\d+) 2xx, (.*)', said).groups()
    lost = re.search(r'(\d+) failed, (\d+) errored, (\d+) timeout', said).groups()
    answered = sum(int(count) for count in re.findall(r'(\d+) [345]xx', other))
    return float(finished.group(1)), int(good), max(answered, *map(int, lost))


def h2load(url, **options):
    """For so many `seconds`, or `total` requests. It may wait for ever for the end of a connection: then it is a TimeoutExpired."""
    done = subprocess.run(h2load_command(url, **options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=options.get('seconds', 0) + PATIENCE)
    return h2load_said(done.stdout)


def measure(pids, postmaster, url, **options):
    """One round of h2load on a server of these processes; once more when it did not come to its end."""
    for last in (False, True):
        try:
            with Purses(pids, postmaster) as cpu:
                rate, good, bad = h2load(url, **options)
            return round_of(cpu, rate, good, bad)
        except subprocess.TimeoutExpired:
            if last:
                raise
    raise AssertionError('two tries')


def round_of(cpu, rate, good, bad):
    each = 1e6 / max(good, 1)
    return Round(rate, cpu.server * each, cpu.postgres * each, cpu.client * each, good, bad)


def pgbench(url, script, *, clients, seconds, more=()):
    """Transactions a second."""
    said = subprocess.run([PGBENCH, '-n', '-M', 'prepared', '-c', str(clients), '-j', str(min(clients, 2)), '-T', str(seconds),
                           '-f', script, *more, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    return float(re.search(r'tps = ([\d.]+)', said).group(1))


def measure_pgbench(postmaster, url, script, *, clients, seconds):
    with Purses([], postmaster) as cpu:
        rate = pgbench(url, script, clients=clients, seconds=seconds)
    return round_of(cpu, rate, int(rate * seconds), 0)


# --- figures ----------------------------------------------------------------------------------------------------------

median = statistics.median


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
