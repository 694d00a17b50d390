"""Every shell script of the project passes shellcheck, and starts with bash's strict mode when it is run."""
import os
import subprocess

import pytest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))


def scripts():
    listed = subprocess.run(['git', 'ls-files', '-z', '--', 'tools', '.ci'], cwd=ROOT, capture_output=True, check=True)
    for name in sorted(filter(None, listed.stdout.decode().split('\0'))):
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            continue
        with open(path, 'rb') as file:
            first = file.readline()
        if first.startswith(b'#!/usr/bin/env bash') or first.startswith(b'#!/bin/sh') or name.endswith('.sh'):
            yield name


@pytest.mark.parametrize('name', scripts())
def test_shellcheck(name):
    done = subprocess.run(['shellcheck', '-x', name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize('name', [name for name in scripts() if not name.endswith('.sh')])
def test_strict(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        assert 'set -euo pipefail\n' in file.read()
