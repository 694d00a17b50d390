"""emit: events of an actor's outbox (shared/actor/event.c), made by hand: for subscribers whose emitters are still to come, and to
have many at once. Sealed with the emitter's own ring; its dispatcher delivers them like any other."""
import os
import struct
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .sealed import ring


def pack(value):
    """msgpack, as actors write it to each other: ids as 16 bytes, times in microseconds."""
    if value is None:
        return b'\xc0'
    if isinstance(value, bool):
        return b'\xc3' if value else b'\xc2'
    if isinstance(value, int):
        return b'\xd3' + struct.pack('>q', value)
    if isinstance(value, uuid.UUID):
        return b'\xc4\x10' + value.bytes
    if isinstance(value, str):
        data = value.encode()
        return b'\xdb' + struct.pack('>I', len(data)) + data
    if isinstance(value, list):
        return b'\xdd' + struct.pack('>I', len(value)) + b''.join(pack(item) for item in value)
    assert isinstance(value, dict), value
    return b'\xdf' + struct.pack('>I', len(value)) + b''.join(pack(name) + pack(item) for name, item in value.items())


def seal(keys, table, column, row, plain):
    name, key = next(iter(keys.items()))
    nonce = os.urandom(12)
    return bytes([len(name)]) + name.encode() + nonce + AESGCM(key).encrypt(nonce, plain, f'{table}:{column}:{row}'.encode())


class Emitter:
    """Emitter(system).emit(database, 'notification.requested', aggregate, {…}): the event's position."""

    def __init__(self, system, actor='children', subscriber='notifications'):
        self.actor, self.subscriber, self.keys = actor, subscriber, ring(system.secret(f'data_keys.{actor}'))

    def emit(self, database, kind, aggregate, message):
        identity = str(uuid.uuid4())
        body = seal(self.keys, 'events', 'body', identity, pack(message))
        return database.value(f"""
            WITH e AS (INSERT INTO {self.actor}.events (id, type, aggregate, body) VALUES (%s, %s, %s, %s)
                       RETURNING position, aggregate)
            INSERT INTO {self.actor}.deliveries (subscriber, position, aggregate, waits)
            SELECT %s, e.position, e.aggregate, EXISTS (SELECT FROM {self.actor}.deliveries b
                                                        WHERE b.subscriber = %s AND b.aggregate = e.aggregate)
            FROM e RETURNING position""", identity, kind, aggregate, body, self.subscriber, self.subscriber)

    def waiting(self, database):
        return database.value(f'SELECT count(*) FROM {self.actor}.deliveries WHERE subscriber = %s', self.subscriber)
