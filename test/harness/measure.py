"""measure: what a system's processes hold at one moment: memory, descriptors, connections, files, counters."""
import collections
import os
import re

Held = collections.namedtuple('Held', 'pss rss descriptors')  # kB, kB, count


def held_by(pid):
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
        said = file.read()
    pss, rss = (int(re.search(rf'^{name}:\s+(\d+)', said, re.M).group(1)) for name in ('Pss', 'Rss'))
    return Held(pss, rss, len(os.listdir(f'/proc/{pid}/fd')))


def processes_of(system):
    """{name: pid} of all processes of ours."""
    named = {f'{row["service"]}.{row["instance"]}': row['pid'] for row in system.instances() if row['pid']}
    return {'supervisor': system.supervisor_pid(), **named}


def held_by_all(system):
    return {name: held_by(pid) for name, pid in processes_of(system).items()}


def pss_of_all(system):
    """kB, of all processes of ours together."""
    return sum(held.pss for held in held_by_all(system).values())


def database_connections(system):
    with system.database() as database:
        return database.value("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'aipoten_%%' AND pid <> pg_backend_pid()")


def files_below(system, directory):
    """{path: bytes} below var/DIRECTORY."""
    found = {}
    for where, _, names in os.walk(os.path.join(system.var, directory)):
        for name in names:
            path = os.path.join(where, name)
            try:
                found[os.path.relpath(path, system.var)] = os.lstat(path).st_size
            except FileNotFoundError:  # rotated away while we look
                continue
    return found


def counters_of(system, service=None):
    """{name: sum over the instances of the service}"""
    total = collections.Counter()
    for row in system.ctl('counters', *([service] if service else []), '-j')['counters']:
        total[row['name']] += row['value']
    return total
