"""faults: a test ends a process of a system at a named point (shared/base/fault.h)."""
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINT = re.compile(r'fault_point\("([a-z_]+\.[a-z_]+)"\)')


def points():
    """{name: file} of all points in the sources; a name stands once."""
    found = {}
    for top in ('shared', 'actors'):
        for path in sorted((ROOT / top).rglob('*.c')):
            for name in POINT.findall(path.read_text(encoding='utf-8')):
                assert name not in found, f'{name} stands in {found[name]} and in {path}'
                found[name] = path
    return found


class Fault:
    """With Fault(system, 'children', 'call.before_commit') as fault: … — then `fault.hit()`."""

    def __init__(self, system, service, point, nth=1):
        self.path = os.path.join(system.var, 'run', 'ipc', f'fault.{service}')
        self.order = f'{point} {nth}\n'

    def __enter__(self):
        self.remove()
        with open(self.path + '.new', 'w', encoding='ascii') as file:
            file.write(self.order)
        os.chmod(self.path + '.new', 0o644)
        os.rename(self.path + '.new', self.path)
        return self

    def hit(self):
        return os.path.exists(self.path + '.hit')

    def remove(self):
        for path in (self.path, self.path + '.hit'):
            if os.path.exists(path):
                os.unlink(path)

    def __exit__(self, *_):
        self.remove()
