"""memory: what all our processes hold at start, what they take when nobody asks anything, and how long a stopped system takes to be ready."""
import time

from gauge import cpu_busy, cpu_seconds, own_pids, pss_kilobytes
from harness.wait import wait_until

MOST = 60  # MB, without the cache
SEGMENT = '/memfd:'
IDLE = 10  # seconds


def start_again(system):
    """Supervisor start to ready with the database up, in seconds."""
    system.ctl('stop')
    began = time.monotonic()
    system.start()
    return time.monotonic() - began


def held(system, mapping=None):
    """MB of all processes together."""
    return sum(pss_kilobytes(pid, mapping) for pid in own_pids(system)) / 1024


def cache_size(system):
    """MB, as configured; 0 when this build has none."""
    for line in system.ctl('config', 'show').splitlines():
        if line.startswith('cache.size:'):
            return size_of(line.split()[1])
    return 0


def size_of(words):
    """64M: 64"""
    number, unit = words[:-1], words[-1]
    return float(number) * {'K': 1 / 1024, 'M': 1, 'G': 1024}[unit] if unit in 'KMG' else float(words) / (1 << 20)


def idle_share(pids):
    """Of a core, in percent, when what comes of the start is over."""
    wait_until(lambda: not cpu_busy(pids, 1, 0.1), 60, 'idle processes')
    before = cpu_seconds(pids)
    time.sleep(IDLE)
    return (cpu_seconds(pids) - before) / IDLE * 100


def run(bench):
    system, report = bench.system, bench.report
    ready = start_again(system)
    total, segment, cache, count = held(system), held(system, SEGMENT), cache_size(system), len(own_pids(system))
    report.say(f'  {count} processes: {total:.1f} MB (PSS), of which {segment:.1f} MB shared memory; the cache may become {cache:.0f} MB')
    report.figure('memory', f'PSS of {count} processes at start', [total], MOST + cache, most=True, unit=' MB')
    report.figure('memory', 'the same without the shared memory', [total - segment], unit=' MB')
    report.figure('start', 'a stopped system by tools/run until ready', [ready], unit=' s')
    report.figure('idle', f'CPU of {count} processes, of one core', [idle_share(own_pids(system))], unit=' %')
