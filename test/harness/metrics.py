"""metrics: what /metrics says, as numbers, and Prometheus' own opinion of it."""
import os
import re
import shutil
import subprocess

from .client import Client
from .system import ROOT

SAMPLE = re.compile(r'([a-z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="([^"\\]*)",?')


def promtool(*arguments, given=''):
    """What promtool says; it must be content. From Debian's package, of which only this program is taken."""
    program = shutil.which('promtool')
    if program is None:
        home = os.path.join(ROOT, 'build', 'promtool')
        program = os.path.join(home, 'promtool')
        subprocess.run(['bash', '-euo', 'pipefail', '-c', f'. tools/lib.sh; promtool_install {home}'], cwd=ROOT, check=True,
                       timeout=300, stdin=subprocess.DEVNULL)
    done = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f'promtool {" ".join(arguments)} ended with {done.returncode}:\n{said}'
    return said


class Metrics:
    """One reading: metrics['aipoten_x_total', {'class': 'y'}] is the sum of all samples that have these labels."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if not line.startswith('#'):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or '')), float(value)))

    @staticmethod
    def of(system, **options):
        return Metrics(Client(system, **options).get('/metrics', check=False).expect(200).body.decode())

    def find(self, name, **labels):
        return [(has, value) for called, has, value in self.samples
                if called == name and all(has.get(key) == wanted for key, wanted in labels.items())]

    def sum(self, name, **labels):
        return sum(value for _, value in self.find(name, **labels))

    def series(self):
        return {(name, tuple(sorted(labels.items()))) for name, labels, _ in self.samples}
