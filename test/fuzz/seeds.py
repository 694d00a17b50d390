"""seeds: gives each fuzzer something to begin with: seeds.py DIRECTORY writes DIRECTORY/fuzz-NAME/seed-N. What a fuzzer finds by
itself from there stays beside them."""
import base64
import hashlib
import hmac
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ID = bytes(range(16))


def pack(value):
    """As much of msgpack as our messages have."""
    if value is None:
        return b'\xc0'
    if isinstance(value, bool):
        return b'\xc3' if value else b'\xc2'
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b'\xd3' + value.to_bytes(8, 'big', signed=True)
    if isinstance(value, str):
        text = value.encode()
        return (bytes([0xa0 + len(text)]) if len(text) < 32 else b'\xda' + len(text).to_bytes(2, 'big')) + text
    if isinstance(value, bytes):
        return b'\xc5' + len(value).to_bytes(2, 'big') + value
    if isinstance(value, dict):
        return bytes([0x80 + len(value)]) + b''.join(pack(part) for pair in value.items() for part in pair)
    return bytes([0x90 + len(value)]) + b''.join(pack(part) for part in value)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=')


def token(header, claims, key):
    body = base64url(json.dumps(header).encode()) + b'.' + base64url(json.dumps(claims).encode())
    return body + b'.' + base64url(hmac.new(key, body, hashlib.sha256).digest())


def envelopes():
    pairs, stale = pack({'a': 'b', 'if-match': '"1"'}), pack([False, [['children']], [['child', ID], ['videos', bytes(16)]]])
    yield pairs
    yield stale
    yield pack([True, [], []])
    yield pack([4, 7, ID, 'trace', 'children.list', 9000, ID, 1, ID, '127.0.0.1', 0, 'key', False, None, pairs, pairs, ID, 1,
                pack({'name': '김하늘'})])
    yield pack([3, 7, ID, '', 'videos.get', 1, None, 0, None, None, 1, None, True, 'children', None, None, None, 0, None])
    yield pack([4, 7, ID, 200, pairs, b'{"data":[]}', 'child:01890000-0000-7000-8000-000000000000 videos'])
    yield pack([4, 7, ID, 404, None, None, None])
    yield pack([1, 0, 'instances', 12, None])
    yield pack([1, 1, 'stale', 12, stale])


def tokens():
    header, claims = {'alg': 'HS256', 'kid': 'k1', 'typ': 'JWT'}, {'sub': '01890000-0000-7000-8000-000000000000', 'iss': 'i', 'aud': 'a',
                                                                  'exp': 9999999999, 'iat': 1, 'role': 'parent'}
    yield token(header, claims, b'0123456789abcdef0123456789abcde\0')
    yield json.dumps(header).encode() + b'\n' + json.dumps(claims).encode()
    yield b'01890000-0000-7000-8000-000000000000'
    yield b'2024-02-29'
    yield b'2024-02-29T23:59:59.999999Z'
    yield b'ko-KR,ko;q=0.9,en;q=0.8'


def documents():
    for value in ({}, {'a': [1, -2.5e3, None, True, '가\u0301"\\\n']}, {'a': {'b': {'c': [[], {}]}}},
                  {'birth_weight': 1.850, 'name': '김하늘', 'email': 'a@example.com'}):
        yield json.dumps(value, ensure_ascii=False).encode()
        yield json.dumps(value).encode()
    yield b'{"a":1,"a":2}'


def realtime():
    """Packets as a WebSocket brings them, payloads of polls, and what frontends tell each other."""
    call = b'{"consultationId":"01890000-0000-7000-8000-000000000000"'
    packets = [b'0', b'0{"token":"a.b.c"}', b'1', b'2["ping"]', b'20["authenticate",{"token":"a.b.c"}]', b'37[{"success":true}]',
               b'21["join_call",' + call + b'}]', b'22["leave_call",' + call + b'}]',
               b'23["signal",' + call + b',"data":{"type":"offer","sdp":"v=0\\r\\n\\u2028","n":[1,-2.5e3,null,true,"\xea\xb0\x80"]}}]',
               b'2/admin,4["signal",' + call + b',"data":"' + b'x' * 300 + b'"}]',
               b'51-["signal",{"data":{"_placeholder":true,"num":0}}]', b'61-5[{"_placeholder":true,"num":0}]']
    yield from packets
    yield b'\x1e'.join(b'4' + packet for packet in packets)
    yield b'2\x1e3\x1ebAAEC\x1e6'
    for kind, said in [(0, ['new_notification', ID, 7, '{"a":1}', ID * 2]), (0, ['presence', None, None, '{}', None]),
                       (1, [ID, ID, 'logout']), (1, [ID, None, 'deleted']), (2, [0, ID, 3, ID, ID, 9, None]),
                       (2, [1, ID, 3, ID, ID, 9, '{"sdp":"v=0"}']), (2, [4, ID, 3, bytes(16), bytes(16), 0, None])]:
        yield pack([1, kind, pack(said)])
    yield pack([1, ID, 3, False])


SEEDS = {
    'json': documents,
    'envelope': envelopes,
    'token': tokens,
    'realtime': realtime,
    'config': lambda: [path.read_bytes() for path in sorted((ROOT / 'h2o-conf').glob('*.yaml'))] + [b'http:\n  max_body: 2M\n'],
    'cache_key': lambda: [b'1\nlanguage\nage=12&q=%EA%B0%80&tag=a+b', b'%31\na%2Fb\n', b'x\ny\ntag=&q=1&age=2', b'x\ny\nage=1&age=2',
                          b'x\ny\nunknown=1', b'\n\n'],
    'target': lambda: [b'/a/1/b/2?x=1&y=%EA%B0%80+z', b'/a/me?&&=&a', b'1.2.3.4, ::1, 10.0.0.0/8', b'/%2e%2e/c'],
    'body_field': lambda: [pack({'e': 'a@example.com', 'p': 'x'}), pack({'a': [1, {'e': 'no'}], 'e': 'yes'})],
    'id_token': lambda: [b'{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","alg":"RS256"}]}',
                         b'{"alg":"RS256","kid":"a"}\n{"iss":"i","aud":"a","nonce":"n","exp":9999999999,"sub":"s"}',
                         b'{"a":"x","b":{"a":1}}'],
}


def main(directory):
    for name, make in SEEDS.items():
        place = pathlib.Path(directory, f'fuzz-{name}')
        place.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(make()):
            (place / f'seed-{number}').write_bytes(seed)


if __name__ == '__main__':
    main(sys.argv[1])
