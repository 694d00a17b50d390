"""workers: threads that do the same again and again until the `with` around them ends."""
import threading


class Workers:
    """A subclass calls start_with for each thread; its work returns soon after self.ending is set."""

    def __init__(self):
        self.ending, self.lock, self.threads = threading.Event(), threading.Lock(), []

    def start_with(self, work, *arguments):
        self.threads.append(threading.Thread(target=work, args=arguments, daemon=True))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
