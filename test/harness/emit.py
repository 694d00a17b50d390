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


def lock(actor):
    """What the emission takes first, as event_emit does: whose aggregate has an earlier event waits for it, and is woken when that is done.
    Without the lock both may miss each other, and it waits until the dispatcher tidies up, minutes later."""
    return f"SELECT pg_advisory_xact_lock(hashtextextended('{actor} ' || %s::uuid::text, 0));"


class Emitter:
    """Emitter(system).emit(database, 'notification.requested', aggregate, {…}): the event's position."""

    def __init__(self, system, actor='children', subscriber='notifications'):
        self.actor, self.subscriber, self.keys = actor, subscriber, ring(system.secret(f'data_keys.{actor}'))

    def emit(self, database, kind, aggregate, message):
        identity = str(uuid.uuid4())
        body = seal(self.keys, 'events', 'body', identity, pack(message))
        return database.value(f"""
            {lock(self.actor)}
            WITH e AS (INSERT INTO {self.actor}.events (id, type, aggregate, body) VALUES (%s, %s, %s, %s)
                       RETURNING position, aggregate)
            INSERT INTO {self.actor}.deliveries (subscriber, position, aggregate, waits)
            SELECT %s, e.position, e.aggregate, EXISTS (SELECT FROM {self.actor}.deliveries b
                                                        WHERE b.subscriber = %s AND b.aggregate = e.aggregate)
            FROM e RETURNING position""", aggregate, identity, kind, aggregate, body, self.subscriber, self.subscriber)

    def emit_many(self, database, kind, messages, identities=None):
        """All of them in one transaction, in their order: (aggregate, {…}) each; under these ids of events, or new ones."""
        identities = identities or [str(uuid.uuid4()) for _ in messages]
        aggregates = [aggregate for aggregate, _ in messages]
        bodies = [seal(self.keys, 'events', 'body', identity, pack(message)) for identity, (_, message) in zip(identities, messages)]
        database.rows(f"""
            SELECT count(pg_advisory_xact_lock(hashtextextended('{self.actor} ' || a::text, 0)))
            FROM (SELECT DISTINCT a FROM unnest(%s::uuid[]) AS a ORDER BY a) AS locked;
            WITH e AS (INSERT INTO {self.actor}.events (id, type, aggregate, body)
                       SELECT id, %s, aggregate, body FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[]) WITH ORDINALITY
                           AS x (id, aggregate, body, number) ORDER BY number
                       RETURNING position, aggregate)
            INSERT INTO {self.actor}.deliveries (subscriber, position, aggregate, waits)
            SELECT %s, e.position, e.aggregate, row_number() OVER (PARTITION BY e.aggregate ORDER BY e.position) > 1
                   OR EXISTS (SELECT FROM {self.actor}.deliveries b WHERE b.subscriber = %s AND b.aggregate = e.aggregate)
            FROM e""", aggregates, kind, identities, aggregates, bodies, self.subscriber, self.subscriber)
        return identities

    def waiting(self, database):
        return database.value(f'SELECT count(*) FROM {self.actor}.deliveries WHERE subscriber = %s', self.subscriber)
