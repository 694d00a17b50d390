"""storm: very many Socket.IO clients over WebSocket in one thread, which come back as the stock library does (1 s doubled up to 5 s, half of
it by chance), show where they were, and remember what they were told and when they were let in."""
import asyncio
import contextlib
import json
import random
import threading
import time

from .wait import wait_until

GONE = (OSError, EOFError, asyncio.TimeoutError, ValueError)  # ValueError: half an answer
FIRST, MOST, LOSER = 1.0, 5.0, 0.5  # reconnectionDelay, reconnectionDelayMax, randomizationFactor
PATIENCE = 20  # the library's timeout


class Guest:
    """One client. `seen`: the numbers of its notifications in the order of their coming."""

    def __init__(self, storm, number, person):
        self.storm, self.person = storm, person
        self.source = f'127.0.{1 + number // 200}.{1 + number % 200}'
        self.pid = self.offset = None
        self.seen, self.connects, self.recovered, self.refused, self.there = [], 0, 0, 0, False

    async def live(self):
        attempt = 0
        while True:
            before = self.connects
            with contextlib.suppress(*GONE):
                await self.visit()
            self.there = False
            attempt = 0 if self.connects > before else attempt + 1
            delay = min(MOST, FIRST * 2 ** attempt)
            await asyncio.sleep(delay * (1 + LOSER * (2 * self.storm.chance.random() - 1)))

    async def visit(self):
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection('127.0.0.1', self.storm.port, local_addr=(self.source, 0)), PATIENCE)
        try:
            if not await asyncio.wait_for(self.enter(reader, writer), PATIENCE):
                return
            while True:
                self.take(await self.packet(reader, writer))
        finally:
            writer.close()

    async def enter(self, reader, writer):
        writer.write(b'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n'
                     b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
        status = int((await reader.readuntil(b'\r\n\r\n')).split()[1])
        if status != 101:
            assert status == 503, status
            self.refused += 1
            return False
        assert (await self.packet(reader, writer)).startswith('0')
        self.storm.admitted.append(time.monotonic())
        auth = {'token': self.person.token}
        if self.pid:
            auth.update(pid=self.pid, **({'offset': self.offset} if self.offset else {}))
        self.write(writer, '40' + json.dumps(auth))
        answer = await self.packet(reader, writer)
        if not answer.startswith('40'):
            raise EOFError(answer)
        pid = json.loads(answer[2:])['pid']
        self.recovered += pid == self.pid
        self.pid, self.there = pid, True
        self.connects += 1
        return True

    def take(self, packet):
        if packet in ('1', '41'):
            raise EOFError
        name, *_, offset = json.loads(packet[2:])
        if name == 'new_notification':
            self.seen.append(int(offset))
            self.offset = offset

    @staticmethod
    def write(writer, text):
        data = text.encode()
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xfe]) + len(data).to_bytes(2, 'big')
        writer.write(head + bytes(4) + data)  # masked with zeros

    async def packet(self, reader, writer):
        while True:
            kind, length = await reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2), 'big')
            text = (await reader.readexactly(length)).decode()
            if kind & 15 == 8:
                raise EOFError
            if text != '2':
                return text
            self.write(writer, '3')


class Storm:
    """`guests`: count of them, of these persons in turn."""

    def __init__(self, system, persons, count, seed):
        self.port, self.chance = system.http_port, random.Random(seed)
        self.guests = [Guest(self, number, persons[number % len(persons)]) for number in range(count)]
        self.admitted = []  # when an Engine.IO session was opened, all of them
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        async def all_of_them():
            self.main = asyncio.gather(*(guest.live() for guest in self.guests))
            await self.main
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(all_of_them())
        self.loop.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self.loop.call_soon_threadsafe(lambda: self.main.cancel())  # pylint: disable=unnecessary-lambda
        self.thread.join(60)

    def alive(self):
        assert self.thread.is_alive(), 'a client met something that should not be; see standard error'
        return True

    def all_there(self, within):
        """How long that took."""
        began = time.monotonic()
        wait_until(lambda: self.alive() and all(guest.there for guest in self.guests), within, 'all of them to be there', every=0.05)
        return time.monotonic() - began

    def most_in_a_second(self, since):
        """Of those that were let in."""
        times = sorted(when for when in self.admitted if when >= since)
        most = first = 0
        for last, when in enumerate(times):
            while when - times[first] > 1:
                first += 1
            most = max(most, last - first + 1)
        return most
