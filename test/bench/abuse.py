"""abuse: reads at a fixed rate, without and with attackers at other addresses: rapid resets, and floods of frames that cost the server
more than the client. Each attacker sends as fast as it can, and connects again whenever it is cut off."""
import struct

import gauge
import openloop
from harness import people
from harness.flood import HEADERS, PING, RST_STREAM, SETTINGS, Flood, frame, head, request
from openloop import Stream

RATE, CHILDREN, ATTACKERS = 1000, '/api/v1/children', 4
CANCEL, CONTINUATION = struct.pack('>I', 8), 9

ATTACKS = {
    'rapid reset': b''.join(request(stream, head(CHILDREN, tls=True)) + frame(RST_STREAM, 0, stream, CANCEL)
                            for stream in range(1, 600, 2)),
    'PING flood': frame(PING, 0, 0, b'12345678') * 500,
    'SETTINGS flood': frame(SETTINGS) * 500,
    'CONTINUATION flood': frame(HEADERS, 0, 1, head(tls=True)) + frame(CONTINUATION, 0, 1) * 500,
}


def run(bench):
    system, report, seconds = bench.system, bench.report, bench.options.seconds
    parent = people.demo(system, 'parent')
    reads = [Stream('children', RATE, 8, [CHILDREN], (f'authorization: Bearer {parent.token}',))]
    base = f'https://127.0.0.1:{system.https_port}'
    for number, (name, data) in enumerate(ATTACKS.items()):
        ratios, waits, bad = [], [], 0
        for each in range(bench.options.rounds):
            alone = openloop.run(base, reads, seconds)
            sources = [f'127.0.{100 + number}.{each * ATTACKERS + attacker + 1}' for attacker in range(ATTACKERS)]
            with Flood(system, sources, data, tls=True) as flood:
                beside = openloop.run(base, reads, seconds)
            ratios.append(beside.cpu.rate / alone.cpu.rate)
            waits.append(gauge.percentile(openloop.together(beside), 0.99))
            bad += alone.bad + beside.bad
            report.say(f'  {name}, round {each + 1}: without {openloop.words(openloop.together(alone))}; with {flood.connections} '
                       f'connections of attackers {openloop.words(openloop.together(beside))}; ratio {ratios[-1]:.3f}; {alone.bad + beside.bad} bad')
        report.figure(f'{RATE:,} reads/s beside {name}', 'answers a second, to without', ratios, 0.95, unit=' x', bad=bad)
        report.figure(f'{RATE:,} reads/s beside {name}', 'p99', waits, unit=' ms', bad=bad)
