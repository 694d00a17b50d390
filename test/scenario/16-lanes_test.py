"""The lanes to PostgreSQL by themselves (test/unit/pg/lanes.c, batches.c, groups.c): batches, failures inside a batch,
limits, transactions, those that calls share, lost connections, against the private PostgreSQL of the shared system."""
import os
import subprocess

import pytest

from harness.system import BUILD


@pytest.mark.parametrize('name', ['lanes', 'batches', 'groups'])
def test_lanes(system, name):
    done = subprocess.run([os.path.join(BUILD, 'unit', f'unit-pg-{name}')],
                          env={**system.environment, 'DATABASE_URL': system.database_url},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    with system.database() as database:
        database.rows(f'DROP SCHEMA IF EXISTS {name}_test CASCADE')
    assert done.returncode == 0, done.stdout.decode('utf-8', 'replace')
