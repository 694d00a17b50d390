"""The lanes to PostgreSQL by themselves (test/unit/pg/lanes.c): batches, failures inside a batch, limits, transactions, lost
connections, against the private PostgreSQL of the shared system."""
import os
import subprocess

from harness.system import BUILD

PROGRAM = os.path.join(BUILD, 'unit', 'unit-pg-lanes')


def test_lanes(system):
    with system.database() as database:
        database.rows('CREATE SCHEMA IF NOT EXISTS lanes_test_schema')
    url = system.database_url + '?options=-csearch_path%3Dlanes_test_schema'
    done = subprocess.run([PROGRAM], env={**system.environment, 'DATABASE_URL': url}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False)
    said = done.stdout.decode('utf-8', 'replace')
    with system.database() as database:
        database.rows('DROP SCHEMA lanes_test_schema CASCADE')
    assert done.returncode == 0, said
