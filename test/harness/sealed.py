"""sealed: opens what shared/crypto/seal.h sealed, by another implementation: id length, key id, nonce, ciphertext and tag."""
import base64

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def ring(text):
    """{key id: key} of a ring's text, "id:base64url,id:base64url"."""
    if isinstance(text, bytes):
        text = text.decode('ascii')
    pairs = (part.split(':') for part in text.strip().split(','))
    return {name: base64.urlsafe_b64decode(key + '=' * (-len(key) % 4)) for name, key in pairs}


def unseal(keys, table, column, row, value):
    """The text that was sealed there; raises when it was sealed for another place, or changed."""
    value = bytes(value)
    length = value[0]
    key = keys[value[1:1 + length].decode('ascii')]
    nonce, rest = value[1 + length:13 + length], value[13 + length:]
    return AESGCM(key).decrypt(nonce, rest, f'{table}:{column}:{row}'.encode()).decode('utf-8')
