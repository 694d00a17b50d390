"""release: another release of what was built, whose rows differ, without building it: copies of the programs in which a message of
each given actor has another name, and the frontends' and actors' numbers for the rows (schema_hash.c) are those that follow."""
import os
import re
import shutil
import struct
import subprocess

from .system import BUILD

HASHES = re.compile(r'\.service = "([a-z-]+)", \.schema_hash = UINT64_C\(0x([0-9a-f]+)\)')


def hashes_of(text):
    """{service: number} of a generated routes.c or registry.c."""
    return {service: int(number, 16) for service, number in HASHES.findall(text)}


def patch(path, old, new):
    """How often it stood there."""
    with open(path, 'rb') as file:
        content = file.read()
    count = content.count(old)
    if count:
        with open(path, 'wb') as file:
            file.write(content.replace(old, new))
    return count


def make_release(directory, names):
    """names: {message name: another one of its length}. Copies the programs to `directory`; gives {service: (old, new number)}
    of those whose rows differ."""
    shutil.copytree(os.path.join(BUILD, 'bin'), directory)
    os.chmod(directory, 0o755)
    describe = os.path.join(directory, 'describe')
    programs = [os.path.join(directory, name) for name in os.listdir(directory)]
    for old, new in names.items():
        assert len(old) == len(new)
        assert sum(patch(path, b'\0' + old.encode() + b'\0', b'\0' + new.encode() + b'\0') for path in programs) > 1, old
    generated = os.path.join(directory, 'generated')
    os.mkdir(generated)
    subprocess.run([describe, generated], check=True, env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'}, timeout=120,
                   stdout=subprocess.DEVNULL)
    changed = {}
    for name in ('routes.c', 'registry.c'):
        with open(os.path.join(BUILD, 'generated', name), encoding='utf-8', errors='replace') as file:
            before = hashes_of(file.read())
        with open(os.path.join(generated, name), encoding='utf-8', errors='replace') as file:
            after = hashes_of(file.read())
        changed.update({service: (before[service], after[service]) for service in before if before[service] != after[service]})
    assert changed, 'no number has changed'
    for old, new in changed.values():
        assert sum(patch(path, struct.pack('<Q', old), struct.pack('<Q', new)) for path in programs) > 0, 'a number stands nowhere'
    return changed
