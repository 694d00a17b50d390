"""png: the colours of a picture (8 bits, RGB or RGBA, not interlaced), as Chromium's screenshots are."""
import collections
import struct
import zlib


def unfiltered(kind, line, above, step):
    """A line of the picture (PNG, 9.2)."""
    for i in range(len(line)):
        left, up, corner = line[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
        if kind == 1:
            line[i] = (line[i] + left) & 255
        elif kind == 2:
            line[i] = (line[i] + up) & 255
        elif kind == 3:
            line[i] = (line[i] + (left + up) // 2) & 255
        elif kind == 4:
            guess = left + up - corner
            _, _, best = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
            line[i] = (line[i] + best) & 255
    return line


def colours(path):
    """(width, height, Counter of (red, green, blue))"""
    with open(path, 'rb') as file:
        data = file.read()
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed, width, height, step = 8, b'', 0, 0, 0
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b'IHDR':
            width, height, bits, form, _, _, interlaced = struct.unpack('>IIBBBBB', body)
            assert (bits, interlaced) == (8, 0) and form in (2, 6)
            step = 3 if form == 2 else 4
        packed += body if kind == b'IDAT' else b''
        at += 12 + length
    raw, found, above = zlib.decompress(packed), collections.Counter(), bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        above = unfiltered(raw[start], bytearray(raw[start + 1:start + 1 + width * step]), above, step)
        found.update(zip(above[0::step], above[1::step], above[2::step]))
    return width, height, found
