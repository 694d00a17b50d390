"""The lanes to PostgreSQL by themselves (test/unit/pg/lanes.c): batches, failures inside a batch, limits, transactions, lost
connections, against the private PostgreSQL of the shared system."""
import os
import subprocess

from harness.system import BUILD

PROGRAM = os.path.join(BUILD, 'unit', 'unit-pg-lanes')


def test_lanes(system):
    done = subprocess.run([PROGRAM], env={**system.environment, 'DATABASE_URL': system.database_url},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    with system.database() as database:
        database.rows('DROP SCHEMA IF EXISTS lanes_test CASCADE')
    assert done.returncode == 0, done.stdout.decode('utf-8', 'replace')
