"""logins: reads at a fixed rate, without and with eight clients that log in without pause; hashing must delay nobody else. Each client
is an h2load, since one in Python takes more of the processors beside its log-ins than the server does."""
import json
import os
import subprocess
import tempfile

import gauge
import openloop
from harness import people
from openloop import SETTLE, Stream

CLIENTS, RATE, LISTS = 8, 1000, '/api/v1/videos?age=24&limit=20'


class LogIns:
    """with LogIns(base, people, seconds): … ; then .count and .bad."""

    def __init__(self, base, who, seconds):
        self.base, self.who, self.seconds = base, who, seconds
        self.count, self.bad = 0, 0

    def client(self, person):
        path = os.path.join(self.directory.name, person.id)
        with open(path, 'w', encoding='utf-8') as file:
            json.dump({'email': person.email, 'password': person.password}, file)
        command = gauge.h2load_command(f'{self.base}/api/v1/auth/login', clients=1, streams=1, seconds=self.seconds,
                                       headers=('content-type: application/json',), more=('-d', path))
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.running = [self.client(person) for person in self.who]
        return self

    def __exit__(self, *_):
        for one in self.running:
            _, good, bad = gauge.h2load_said(one.communicate(timeout=self.seconds + gauge.PATIENCE)[0])
            self.count += good
            self.bad += bad
        self.directory.cleanup()


def run(bench):
    system, report, seconds = bench.system, bench.report, bench.options.seconds
    who, parent = [people.newcomer(system, consents=False) for _ in range(CLIENTS)], people.demo(system, 'parent')
    children = Stream('children', RATE / 2, 4, ['/api/v1/children'], (f'authorization: Bearer {parent.token}',))
    others = Stream('videos', RATE / 2, 4, [LISTS]) if bench.has('/api/v1/videos') else children
    base, ratios, bad, missing = f'https://127.0.0.1:{system.https_port}', [], 0, 0
    for number in range(bench.options.rounds):
        alone = openloop.run(base, [children, others], seconds)
        with LogIns(base, who, seconds + SETTLE) as log_ins:
            beside = openloop.run(base, [children, others], seconds)
        quiet, busy = openloop.together(alone), openloop.together(beside)
        ratios.append(gauge.percentile(busy, 0.99) / gauge.percentile(quiet, 0.99))
        bad += alone.bad + beside.bad + log_ins.bad
        missing += alone.missing + beside.missing
        report.say(f'  round {number + 1}: without {openloop.words(quiet)}; with {log_ins.count / (seconds + SETTLE):.0f} log-ins/s '
                   f'{openloop.words(busy)}; ratio {ratios[-1]:.2f}; {alone.bad + beside.bad + log_ins.bad} bad')
    report.figure(f'{RATE:,} reads/s, open loop', f'p99 with {CLIENTS} clients that log in, to without', ratios, 2, most=True, unit=' x',
                  bad=bad, missing=missing)
