"""events: says an event in an actor's name, as shared/actor/event.c does, by another implementation of its form: for events whose
emitter is not there (yet), or that must come late, twice or in another order."""
import os
import time
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import sealed
from .emit import lock


def packed(value):
    """msgpack of what messages are made of (shared/wire/message_write.c)."""
    if isinstance(value, bool):
        return b'\xc3' if value else b'\xc2'
    if isinstance(value, int):
        return b'\xd3' + value.to_bytes(8, 'big', signed=True)
    if isinstance(value, uuid.UUID):
        return b'\xc4\x10' + value.bytes
    if isinstance(value, str):
        data = value.encode()
        return b'\xda' + len(data).to_bytes(2, 'big') + data
    if isinstance(value, list):
        return b'\xdc' + len(value).to_bytes(2, 'big') + b''.join(map(packed, value))
    return b'\xde' + len(value).to_bytes(2, 'big') + b''.join(packed(part) for pair in value.items() for part in pair)


def seal(keys, place, value):
    """What sealed.unseal opens, by the first key of the ring."""
    name, key = next(iter(keys.items()))
    nonce = os.urandom(12)
    return bytes([len(name)]) + name.encode('ascii') + nonce + AESGCM(key).encrypt(nonce, value, place.encode())


def emit(system, database, actor, subscriber, kind, aggregate, fields, event=None):
    """One transaction; the event's id."""
    event = event or str(uuid.UUID(int=uuid.uuid4().int & ~(0xf << 76) | 7 << 76))
    keys = sealed.ring(system.secret(f'data_keys.{actor}'))
    database.rows(f'''{lock(actor)} WITH e AS (INSERT INTO {actor}.events (id, type, aggregate, body) VALUES (%s, %s, %s, %s) RETURNING position, aggregate)
        INSERT INTO {actor}.deliveries (subscriber, position, aggregate, waits) SELECT %s, e.position, e.aggregate, EXISTS (
            SELECT FROM {actor}.deliveries b WHERE b.subscriber = %s AND b.aggregate = e.aggregate) FROM e''',
                  aggregate, event, kind, aggregate, seal(keys, f'events:body:{event}', packed(fields)), subscriber, subscriber)
    return event


def microseconds(seconds_ago=0):
    return int((time.time() - seconds_ago) * 1_000_000)
