"""attackers: a process of its own that makes a flood: attackers.py PORT KIND TLS SECONDS PACE. Eight addresses share `pace` attempts
a second to connect; whoever gets in sends the flood until it is thrown out. Prints attempts, those refused, and its CPU seconds."""
import resource
import sys
import threading
import time

from harness.flood import FLOODS, GONE, Attacker

ADDRESSES = 8


class Target:
    def __init__(self, port):
        self.http_port = self.https_port = port


def attack(target, source, data, tls, until, pause, counts):
    due = time.monotonic()
    while (now := time.monotonic()) < until:
        counts[0] += 1
        try:
            with Attacker(target, source, tls) as attacker:
                attacker.socket.settimeout(1)
                attacker.send(data)
                attacker.socket.recv(4096)
        except GONE:
            counts[1] += 1
        due = max(due + pause, now)
        time.sleep(max(due - time.monotonic(), 0))


def main():
    port, kind, tls, seconds, pace = int(sys.argv[1]), sys.argv[2], sys.argv[3] == 'tls', float(sys.argv[4]), float(sys.argv[5])
    data, target, until = FLOODS[kind](tls), Target(port), time.monotonic() + seconds
    counts = [[0, 0] for _ in range(ADDRESSES)]
    threads = [threading.Thread(target=attack, args=(target, f'127.0.4.{number + 1}', data, tls, until, ADDRESSES / pace, counts[number]))
               for number in range(ADDRESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = resource.getrusage(resource.RUSAGE_SELF)
    print(sum(tried for tried, _ in counts), sum(refused for _, refused in counts), spent.ru_utime + spent.ru_stime)


if __name__ == '__main__':
    main()
