"""crowd: many Socket.IO clients (sockets.c) of one server, ours or a peer's, in as few processes as open files and ports allow, and
what they heard when. Their words go to files, so that nobody's reading is in the way of what is measured."""
import collections
import os
import subprocess
import tempfile
import time

from gauge import median
from harness.system import BUILD
from harness.wait import kill

EACH = 10000  # sockets of a process, each with an address of its own: 127.0.0.2 …
AT_ONCE = 100
PATIENCE = 300  # seconds

# `client`: 0 …; `time`: seconds of time.monotonic(); the packet's first bytes.
Got = collections.namedtuple('Got', 'client time packet')


class Gone(Exception):
    """Clients were refused, or let go."""


def give_way():
    """Clients are other machines' work: they take what the server and the HTTP clients beside them leave."""
    os.setsid()
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        with open('/proc/self/autogroup', 'w', encoding='ascii') as file:
            file.write('15')
    except OSError:
        pass  # this kernel has none


class Process:
    """Clients `first` to `first + count - 1`."""

    def __init__(self, directory, number, port, kind, first, count, tokens):
        self.first, self.count, self.rest, self.opened, self.gone = first, count, b'', None, []
        names = os.path.join(directory, f'tokens.{number}')
        with open(names, 'w', encoding='ascii') as file:
            file.writelines(tokens[(first + i) % len(tokens)] + '\n' for i in range(min(count, len(tokens))))
        self.words = open(os.path.join(directory, f'words.{number}'), 'w+b')  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [os.path.join(BUILD, 'bin', 'bench-sockets'), f'127.0.0.{2 + number}', str(port), kind, str(count), str(AT_ONCE), names],
            stdin=subprocess.PIPE, stdout=self.words, preexec_fn=give_way)
        self.at = 0

    def read(self):
        """What came since the last time; the file's position is where the process writes."""
        got = []
        words = self.words.fileno()
        came = os.pread(words, os.fstat(words).st_size - self.at, self.at)
        self.at += len(came)
        *lines, self.rest = (self.rest + came).split(b'\n')
        for line in lines:
            word, number, *more = line.split(b' ', 3)
            if word == b'got':
                got.append(Got(self.first + int(number), int(more[0]) / 1e6, more[1]))
            elif word == b'open':
                self.opened = int(more[0]) / 1e6
            else:
                self.gone.append((self.first + int(number), more[-1].decode()))
        return got

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            kill(self.process.pid)
            self.process.wait()
        self.words.close()


class Crowd:
    """with Crowd(port, tls, 10000, tokens) as crowd: all are connected; crowd.told(10000) waits for so many events."""

    def __init__(self, port, tls, count, tokens):
        self.port, self.kind, self.count, self.tokens, self.processes = port, 'tls' if tls else 'plain', count, tokens, []
        self.directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.took = 0.0  # seconds until all were connected

    def __enter__(self):
        began = time.monotonic()
        try:
            for number, first in enumerate(range(0, self.count, EACH)):
                self.processes.append(Process(self.directory.name, number, self.port, self.kind, first,
                                              min(EACH, self.count - first), self.tokens))
            self.wait(lambda got: all(process.opened for process in self.processes), 'all to be connected')
        except BaseException:
            self.__exit__()
            raise
        self.took = max(process.opened for process in self.processes) - began
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stop()
        self.directory.cleanup()

    def wait(self, until, what, patience=PATIENCE, every=0.02):
        """All that was heard until that is so of it."""
        got, deadline = [], time.monotonic() + patience
        while True:
            for process in self.processes:
                got += process.read()
                if process.gone or process.process.poll() is not None:
                    raise Gone(f'waiting for {what}: clients went: {process.gone[:5]}, exit {process.process.returncode}')
            if until(got):
                return got
            if time.monotonic() >= deadline:
                raise Gone(f'waited {patience} s in vain for {what}: {len(got)} events came')
            time.sleep(every)

    def told(self, count):
        return self.wait(lambda got: len(got) >= count, f'{count} events')

    def told_most(self, count, quiet=10):
        """So many events, or as many as came when no more did for so many seconds."""
        seen, since = 0, time.monotonic()

        def done(got):
            nonlocal seen, since
            if len(got) > seen:
                seen, since = len(got), time.monotonic()
            return len(got) >= count or time.monotonic() - since > quiet
        return self.wait(done, f'{count} events', every=0.2)


def spread_words(seconds):
    """What a reader wants to know of receipts."""
    return f'half after {median(seconds) * 1000:.0f} ms, the last after {max(seconds) * 1000:.0f} ms'
