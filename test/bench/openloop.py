"""openloop: requests at a fixed rate, whether or not answers keep up, by several h2load at once; their latencies together.

A request waits for no answer (50 streams on each connection), so that a server that stands still is seen in all requests of that
time. What was not even sent voids the figure: then the client could not keep up, or the server had let all streams fill."""
import collections
import os
import subprocess
import tempfile

import gauge

STREAMS = 50
SETTLE = 2  # seconds at the beginning that count nowhere: connections, first fills
KEPT_UP = 0.98

# `rate` requests a second to these paths in turn, over so many connections.
Stream = collections.namedtuple('Stream', 'name rate clients paths headers method body', defaults=((), None, None))
# Milliseconds of each answer by the stream's name; answers that were not 2xx or never came; requests never sent; rate, CPU each.
Outcome = collections.namedtuple('Outcome', 'latencies bad missing cpu')


class Running:
    """One h2load with its files in a directory."""

    def __init__(self, directory, number, base, stream, seconds):
        self.stream, self.seconds = stream, seconds
        self.log = os.path.join(directory, f'log.{number}')
        uris = os.path.join(directory, f'uris.{number}')
        with open(uris, 'w', encoding='ascii') as file:
            file.writelines(f'{base}{path}\n' for path in stream.paths)
        command = ['h2load', '-c', str(stream.clients), '-m', str(STREAMS), '--rps', f'{stream.rate / stream.clients:g}',
                   '--duration', str(seconds), '--log-file', self.log, '-i', uris]
        for header in stream.headers:
            command += ['-H', header]
        if stream.method:
            command += ['-H', f':method: {stream.method}']
        if stream.body is not None:
            path = os.path.join(directory, f'body.{number}')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(stream.body)
            command += ['-d', path, '-H', 'content-type: application/json']
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def answers(self):
        """(begin in microseconds since 1970, status, microseconds) of each, when it is over."""
        said = self.process.communicate()[0]
        if self.process.returncode != 0:
            raise RuntimeError(f'h2load ended with {self.process.returncode}:\n{said}')
        with open(self.log, encoding='ascii') as file:
            return [tuple(map(int, line.split())) for line in file]

    def finish(self):
        """(milliseconds of each answer, how many were bad, how many were never sent, answers a second)"""
        lines = self.answers()
        counted_from = min((began for began, _, _ in lines), default=0) + SETTLE * 1_000_000
        bad = sum(not 200 <= status < 300 for _, status, _ in lines)
        planned = self.stream.rate * (self.seconds - SETTLE) * KEPT_UP - self.stream.clients  # of each the last may be due at the end
        times = [took / 1000 for began, status, took in lines if began >= counted_from and 200 <= status < 300]
        return times, bad, max(0, int(planned) - len(times) - bad), len(times) / (self.seconds - SETTLE)


def run(base, streams, seconds, pids=(), postmaster=None):
    """For `seconds` after the settling."""
    with tempfile.TemporaryDirectory() as directory:
        with gauge.Purses(pids, postmaster) as cpu:
            running = [Running(directory, number, base, stream, seconds + SETTLE) for number, stream in enumerate(streams)]
            finished = [(each.stream.name, *each.finish()) for each in running]
    latencies = collections.defaultdict(list)
    for name, times, *_ in finished:
        latencies[name] += times
    rate = sum(each[4] for each in finished)
    bad, missing = (sum(each[column] for each in finished) for column in (2, 3))
    return Outcome(dict(latencies), bad, missing, gauge.round_of(cpu, rate, sum(map(len, latencies.values())), bad))


def together(outcome):
    return [value for values in outcome.latencies.values() for value in values]


def words(latencies):
    """What a reader wants to know of them."""
    parts = (('p50', 0.5), ('p99', 0.99), ('p99.9', 0.999), ('longest', 1))
    return f'{len(latencies):,} answers, ' + ', '.join(f'{name} {gauge.percentile(latencies, part):.2f} ms' for name, part in parts)
