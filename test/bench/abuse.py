"""abuse: reads of an honest client while eight other addresses flood, to the same reads while the same attackers, at the same pace,
are refused by the kernel (a port where nobody listens). They run at the lowest priority, and yet take from the cores that all share,
under attack more than when they reach nothing, since whoever gets in makes a TLS handshake and a flood. Elsewhere that would be other
machines' CPU: so what is compared is answers for each CPU second that the attackers left; the load takes all of them. Rates and the
attackers' seconds are printed as they were, too. (What the kernel does with their packets is theirs on both sides.)"""
import os
import socket
import subprocess
import sys

import gauge
from harness import people

KINDS = ('rapid_reset', 'rapid_reset made by the server', 'ping_flood', 'settings_flood', 'continuation_flood')  # those that cost most
PACE, HERE = 200, os.path.dirname(os.path.abspath(__file__))


def dead_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def under(kind, port, seconds, load):
    """What `load` gives while they attack that port; CPU seconds of the attackers; these, attempts and refusals in words."""
    attackers = subprocess.Popen(['nice', '-n', '19', sys.executable, os.path.join(HERE, 'attackers.py'), str(port), kind, 'tls',
                                  str(seconds), str(PACE)], stdout=subprocess.PIPE, text=True)
    took = load()
    tried, refused, spent = attackers.communicate(timeout=seconds + gauge.PATIENCE)[0].split()
    return took, float(spent), f'{tried} attempts, {refused} refused, {float(spent):.2f} s of CPU'


def per_second_left(took, seconds, spent):
    """Answers for each CPU second that was not the attackers'."""
    return took.rate * seconds / (seconds * len(os.sched_getaffinity(0)) - spent)


def run(bench):
    report, seconds = bench.report, bench.options.seconds
    system = bench.start(abuse={'ban': '5s', 'ban_most': '60s'})
    parent, pids, nobody = people.demo(system, 'parent'), gauge.own_pids(system), dead_port()

    def load():
        return gauge.measure(pids, None, f'https://127.0.0.1:{system.https_port}/api/v1/children', clients=32, streams=16, seconds=seconds,
                             headers=(f'authorization: Bearer {parent.token}',))
    load()
    for kind in KINDS:
        ratios, bad = [], 0
        for number in range(bench.options.rounds):
            without, idly, idle = under(kind, nobody, seconds, load)
            attacked, busily, busy = under(kind, system.https_port, seconds, load)
            ratios.append(per_second_left(attacked, seconds, busily) / per_second_left(without, seconds, idly))
            bad += without.bad + attacked.bad
            report.say(f'  {kind}, round {number + 1}: {without.rate:,.0f}/s beside attackers that reach nothing ({idle}); '
                       f'{attacked.rate:,.0f}/s under attack ({busy}): {attacked.rate / without.rate:.2f}; ratio for each CPU second left '
                       f'{ratios[-1]:.2f}')
        report.figure(f'GET children, TLS, under {kind}', 'rate for each CPU second left, to that beside attackers who reach nothing', ratios, 0.95, unit=' x', bad=bad)
