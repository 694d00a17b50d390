"""load: a small steady load from threads, so that a test can break something under it and count what went wrong."""
import collections
import threading
import time

from .client import Client


class Load:
    """with Load(system, {'read': call, …}) as load: … ; afterwards load.counts and load.failures. A call takes a Client and
    gives an Answer; several threads make each call, each over its own kept connection."""

    def __init__(self, system, token, calls, threads=2, pause=0.002, good=lambda answer: answer.status < 300):
        self.system, self.token, self.calls, self.pause, self.good = system, token, calls, pause, good
        self.counts, self.failures = collections.Counter(), []
        self.slowest = 0.0
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.workers = [threading.Thread(target=self.work, args=(name, call), daemon=True)
                        for name, call in calls.items() for _ in range(threads)]

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

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for worker in self.workers:
            worker.join(60)

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
