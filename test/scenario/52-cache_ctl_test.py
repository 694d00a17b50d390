"""aipotenctl cache: what is shown is what is there, and what is told to be forgotten is."""
import uuid

import pytest

from harness.system import Refused


def stats(system):
    return system.ctl('cache', '-j')


def test_it_is_shown(system):
    shown = stats(system)
    assert shown['enabled'] and shown['size'] == 64 << 20
    assert [row['slot_size'] for row in shown['classes']] == sorted(row['slot_size'] for row in shown['classes'])
    assert sum(row['slots'] * row['slot_size'] for row in shown['classes']) < shown['size']
    assert shown['entries'] == sum(row['entries'] for row in shown['classes'])
    text = system.ctl('cache')
    assert 'hits' in text and 'evictions' in text and '67 MB' in text


def test_it_is_flushed(system):
    before = stats(system)
    system.ctl('cache', 'flush')
    after = stats(system)
    assert after['flushes'] == before['flushes'] + 1
    assert after['sequence'] > before['sequence']
    assert after['entries'] <= before['entries']


def test_a_tag_is_flushed(system):
    before = stats(system)
    system.ctl('cache', 'flush', 'videos')
    system.ctl('cache', 'flush', f'child:{uuid.uuid4()}')
    after = stats(system)
    assert after['invalidations'] >= before['invalidations'] + 2
    assert after['flushes'] == before['flushes']


def test_what_is_no_tag_is_refused(system):
    for tag in ('nothing', 'child:', 'child:1', ':', ''):
        with pytest.raises(Refused, match='is no tag') as refused:
            system.ctl('cache', 'flush', tag)
        assert refused.value.status == 2 and 'videos' in str(refused.value)
