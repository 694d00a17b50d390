"""bench: the parts of tools/bench, each on a release build with all production features on and the rate limits off.

  memory     of all processes at start, beside the cache's size; time from start to ready
  reads      GETs beside bare libh2o, pgbench and the peers: rate, and CPU time of each answer
  mixed      2,000 requests a second of all kinds, open loop: latencies and errors
  logins     reads while eight clients log in without pause
  abuse      reads while other addresses flood: rapid resets, PING, SETTINGS, CONTINUATION
  assessments  questions and recommendations from shared memory beside bare libh2o; completing attempts beside commits and reads
  realtime   10,000 Socket.IO clients, and 40,000: their memory, what is said to all, to one, to 2,000 a second; beside bare writes
             and the Fastify peer
  writes     POST children and events, beside pgbench (more of it: tools/bench writes --help)

Prints each round, then the medians and their ratios with what they are to be. An answer that is not 2xx voids its figure and fails
the run. The plot and the table are left in build/bench."""
import argparse
import functools
import os
import signal
import sys
import time

import yaml

import abuse
import assessments
import logins
import memory
import mixed
import plot
import reads
import realtime
import writes
from harness.system import BUILD, ROOT, System
from peers import Absent, Peers
from report import Report

PARTS = {'memory': memory.run, 'reads': reads.run, 'mixed': mixed.run, 'logins': logins.run, 'abuse': abuse.run,
         'assessments': assessments.run, 'realtime': realtime.run, 'writes': writes.run_part}
OUT = os.path.join(ROOT, 'build', 'bench')
DEMO = {'AIPOTEN_DEMO_USERS': '10100', 'AIPOTEN_DEMO_CHILDREN': '16000', 'AIPOTEN_DEMO_VIDEOS': '2000'}


def production(**more):
    """What h2o-conf/production.yaml sets that makes a request cost something, and tokens that outlive the bench; `more` is laid over it."""
    with open(os.path.join(ROOT, 'h2o-conf', 'production.yaml'), encoding='utf-8') as file:
        settings = yaml.safe_load(file)
    kept = {name: settings[name] for name in ('http', 'log', 'security', 'database', 'supervisor')}
    kept |= {'cors': {'origins': ['https://app.example.com']}, 'auth': {'bcrypt_cost': 10, 'access_lifetime': '2h'}}
    return kept | {section: kept.get(section, {}) | values for section, values in more.items()}


class Bench:
    def __init__(self, options):
        self.options, self.report, self.systems, self.peers = options, Report(), [], None

    def start(self, **settings):
        system = System(settings=production(**settings), environment=DEMO)
        self.systems.append(system)
        system.start()
        return system

    def end(self, system):
        """Nobody uses it any more."""
        self.systems.remove(system)
        system.destroy()

    @functools.cached_property
    def system(self):
        return self.start()

    @functools.cached_property
    def system_uncached(self):
        """One that answers nothing from shared memory."""
        return self.start(cache={'size': 0})

    def has(self, path):
        """Does this build answer that?"""
        return path in self.system.openapi.document['paths']

    def peers_start(self):
        try:
            self.peers = Peers(self.options.peers, self.system, reads.CLIENTS).__enter__()
        except Absent as why:
            self.report.note(str(why))

    def stop(self):
        if self.peers:
            self.peers.stop()
        for system in self.systems:
            system.destroy()


def parse():
    parser = argparse.ArgumentParser(prog='tools/bench', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('parts', nargs='*', metavar='PART', help=f'{", ".join(PARTS)}; all of them without a name')
    parser.add_argument('--rounds', type=int, default=3, help='of each comparison (3)')
    parser.add_argument('--seconds', type=int, default=5, help='of each side in a round (5)')
    parser.add_argument('--minute', type=int, default=60, help='seconds of the open loop (60)')
    parser.add_argument('--peers', default=os.environ.get('AIPOTEN_PEERS'), help='folder of the peers (AIPOTEN_PEERS)')
    parser.add_argument('-j', '--json', metavar='FILE', help='everything that was measured, as JSON')
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f'no such part: {", ".join(unknown)}')
    return options


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it started is stopped then too
    bench, began = Bench(options), time.monotonic()
    try:
        wanted = [part for part in PARTS if part in options.parts or not options.parts]
        if 'memory' not in wanted:
            bench.system  # the peers take its certificate
        for part in wanted:
            bench.report.say(f'--- {part}')
            if part == 'reads':
                bench.peers_start()
            PARTS[part](bench)
            if part == 'reads' and bench.peers:
                bench.peers.stop()
                bench.peers = None
    finally:
        bench.stop()
    finish(bench, time.monotonic() - began)


def finish(bench, took):
    options, report = bench.options, bench.report
    about = {'rounds': options.rounds, 'seconds': options.seconds, 'build': os.path.relpath(BUILD, ROOT), 'took': round(took)}
    os.makedirs(OUT, exist_ok=True)
    table, picture = os.path.join(OUT, 'table.md'), os.path.join(OUT, 'bench.svg')
    with open(table, 'w', encoding='utf-8') as file:
        file.write(report.table() + '\n')
    report.say('\n' + report.table() + f'\n\n{took:.0f} s; {options.rounds} rounds of {options.seconds} s')
    drawn = plot.draw(report, picture, f'aipoten: medians of {options.rounds} rounds of {options.seconds} s')
    report.say(f'written: {os.path.relpath(table, ROOT)}' + (f', {os.path.relpath(picture, ROOT)}' if drawn else ''))
    if options.json:
        report.write_json(options.json, about)
    if report.void:
        sys.exit(f'{report.void} answers were not 2xx or never asked for: the figures they belong to do not count')


if __name__ == '__main__':
    main()
