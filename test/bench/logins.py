"""logins: reads at a fixed rate, without and with eight clients that log in without pause; hashing must delay nobody else."""
import gauge
import openloop
from harness import people
from harness.client import Client
from harness.workers import Workers
from openloop import Stream

CLIENTS, RATE, LISTS = 8, 1000, '/api/v1/videos?age=24&limit=20'


class LogIns(Workers):
    """with LogIns(system, people): … ; then .count and .bad."""

    def __init__(self, system, who):
        super().__init__()
        self.count, self.bad = 0, 0
        for person in who:
            self.start_with(self.work, system, person)

    def work(self, system, person):
        client, body = Client(system, check=False), {'email': person.email, 'password': person.password}
        while not self.ending.is_set():
            status = client.post('/api/v1/auth/login', body).status
            with self.lock:
                self.count += 1
                self.bad += status != 200
        client.close()


def run(bench):
    system, report, seconds = bench.system, bench.report, bench.options.seconds
    who, parent = [people.newcomer(system, consents=False) for _ in range(CLIENTS)], people.demo(system, 'parent')
    children = Stream('children', RATE / 2, 4, ['/api/v1/children'], (f'authorization: Bearer {parent.token}',))
    others = Stream('videos', RATE / 2, 4, [LISTS]) if bench.has('/api/v1/videos') else children
    base, ratios, bad, missing = f'https://127.0.0.1:{system.https_port}', [], 0, 0
    for number in range(bench.options.rounds):
        alone = openloop.run(base, [children, others], seconds)
        with LogIns(system, who) as log_ins:
            beside = openloop.run(base, [children, others], seconds)
        quiet, busy = openloop.together(alone), openloop.together(beside)
        ratios.append(gauge.percentile(busy, 0.99) / gauge.percentile(quiet, 0.99))
        bad += alone.bad + beside.bad + log_ins.bad
        missing += alone.missing + beside.missing
        report.say(f'  round {number + 1}: without {openloop.words(quiet)}; with {log_ins.count / seconds:.0f} log-ins/s '
                   f'{openloop.words(busy)}; ratio {ratios[-1]:.2f}; {alone.bad + beside.bad + log_ins.bad} bad')
    report.figure(f'{RATE:,} reads/s, open loop', f'p99 with {CLIENTS} clients that log in, to without', ratios, 2, most=True, unit=' x',
                  bad=bad, missing=missing)
