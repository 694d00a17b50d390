"""load: a small steady load from threads, so that a test can break something under it and count what went wrong."""
import collections
import time

from .client import Client
from .workers import Workers


class Load(Workers):
    """with Load(system, {'read': call, …}) as load: … ; afterwards load.counts and load.failures. A call takes a Client and
    gives an Answer; several threads make each call, each over its own kept connection."""

    def __init__(self, system, token, calls, threads=2, pause=0.002, good=lambda answer: answer.status < 300):
        super().__init__()
        self.system, self.token, self.calls, self.pause, self.good = system, token, calls, pause, good
        self.counts, self.failures = collections.Counter(), []
        self.slowest = 0.0
        for name, call in calls.items():
            for _ in range(threads):
                self.start_with(self.work, name, call)

    def work(self, name, call):
        client = Client(self.system, self.token, check=False)
        while not self.ending.is_set():
            began = time.monotonic()
            try:
                answer = call(client)
                failure = None if self.good(answer) else f'{name}: {answer}'
            except Exception as error:  # whatever a client can meet counts as a failure
                failure = f'{name}: {type(error).__name__}: {error}'
            with self.lock:
                self.counts[name] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                if failure:
                    self.failures.append(failure)
            self.ending.wait(self.pause)
        client.close()

    @property
    def total(self):
        return sum(self.counts.values())

    def goes_on(self, more=30):
        """Waits until so many requests more were made."""
        target = self.total + more
        deadline = time.monotonic() + 30
        while self.total < target:
            assert time.monotonic() < deadline, 'the load stands still'
            time.sleep(0.01)
