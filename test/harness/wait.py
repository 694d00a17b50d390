"""wait: a test waits for a condition, never for a time."""
import os
import signal
import time


def wait_until(condition, timeout, what=None, every=0.02):
    """Calls condition until it gives something true, and returns that; fails with what it last gave."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            described = what or getattr(condition, '__name__', 'the condition')
            raise AssertionError(f'waited {timeout} s in vain for {described}; last seen: {found!r}')
        time.sleep(every)


def pid_lives(pid):
    """A zombie is dead: only its parent has not looked yet."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid, signal_number=signal.SIGKILL):
    os.kill(pid, signal_number)


def wait_gone(pid, timeout=10):
    wait_until(lambda: not pid_lives(pid), timeout, f'the end of process {pid}')
