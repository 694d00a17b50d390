"""Bugs of the queue of calls that wait for a coroutine."""
import re
import subprocess

from harness import people


def pids(system):
    return {row['instance']: row['pid'] for row in system.instances('children')}


def test_more_calls_at_once_than_coroutines(start_system):
    """A call that had been used before carried its place among the free ones into the queue: the actor died of it."""
    system = start_system(settings={'actor': {'max_coroutines': 8}})
    parent = people.demo(system, 'parent')
    before = pids(system)
    for _ in range(2):  # the second finds calls that were used
        said = subprocess.run(
            ['h2load', '-c', '8', '-m', '32', '-n', '6000', '-H', f'authorization: Bearer {parent.token}',
             f'http://127.0.0.1:{system.http_port}/api/v1/children'], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert re.search(r'status codes: 6000 2xx', said), said
    assert pids(system) == before
