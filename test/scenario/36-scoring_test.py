"""Scores of random attempts (test/unit/assessments/scoring_random.c) against PostgreSQL, which reckons them another way: not in
fractions of integers, but in decimals of sixty digits. (Two different fractions differ by far more than the fortieth digit, to
which a sum is rounded before anything is decided.)

20,000 attempts, a million with --long. AIPOTEN_SEED repeats a run."""
import os
import subprocess

import pytest

from harness.killer import seed_of_run
from harness.system import BUILD

BATCH = 20000

TABLES = """
CREATE TEMP TABLE items (attempt integer, item integer, area integer, type text, weight integer, reverse integer, critical integer,
                         low integer, high integer, answer integer, missing integer);
CREATE TEMP TABLE results (attempt integer, area integer, score numeric(5,2), level integer, critical integer, answered integer,
                           asked integer);
"""
RECKON = """
CREATE TEMP TABLE valued AS
SELECT *, CASE reverse WHEN 1 THEN 1 - plain ELSE plain END AS value
FROM (SELECT *, CASE type WHEN 'yes_no' THEN answer
                          WHEN 'scale' THEN (answer - low)::numeric(80,60) / (high - low)
                          ELSE answer / 1000.0 END AS plain
      FROM items) AS i;

CREATE TEMP TABLE areas AS
SELECT attempt, area, round(100 * sum(weight * value) / sum(weight) FILTER (WHERE answer IS NOT NULL), 40) AS exact,
       coalesce(bool_or(critical = 1 AND value = 0), false) AS alarm, count(answer) AS answered, count(*) AS asked,
       coalesce(sum(weight) FILTER (WHERE answer IS NULL), 0) / sum(weight)::numeric AS open
FROM valued GROUP BY attempt, area;

CREATE TEMP TABLE expected AS
SELECT attempt, area, round(exact, 2)::numeric(5,2) AS score,
       CASE WHEN alarm OR exact < 40 THEN 3 WHEN exact < 60 THEN 2 WHEN exact < 80 THEN 1 ELSE 0 END AS level,
       alarm::integer AS critical, answered::integer, asked::integer
FROM areas WHERE attempt NOT IN (SELECT attempt FROM areas WHERE open > 0.2);
"""
RESULTS_DIFFER = """
SELECT * FROM ((TABLE expected EXCEPT ALL TABLE results) UNION ALL (TABLE results EXCEPT ALL TABLE expected)) AS d
ORDER BY attempt, area LIMIT 20"""
MISSING_DIFFER = """
SELECT i.attempt, i.item FROM items i JOIN areas a USING (attempt, area)
WHERE (i.missing = 1) <> (i.answer IS NULL AND a.open > 0.2) ORDER BY 1, 2 LIMIT 20"""
# How often what is easily got wrong was met.
MET = """
SELECT count(*) FILTER (WHERE exact IN (40, 60, 80) AND NOT alarm) AS borders,
       count(*) FILTER (WHERE exact <> round(exact, 2) AND round(exact, 2) IN (40, 60, 80)) AS printed_as_border,
       count(*) FILTER (WHERE exact * 1000 % 10 = 5) AS halves, count(*) FILTER (WHERE open = 0.2) AS prorated_at_most,
       count(*) FILTER (WHERE open > 0.2) AS too_little, count(*) FILTER (WHERE alarm AND exact >= 40) AS forced
FROM areas"""


@pytest.fixture
def table(system):
    with system.database() as database:
        database.rows(TABLES)
        yield database


def copy(database, table, path):
    with open(path, encoding='ascii') as file, database.connection.cursor() as cursor:
        cursor.copy_expert(f'COPY {table} FROM STDIN', file)


def batch(database, directory, seed, first, count):
    """What was met in it."""
    paths = {table: os.path.join(directory, table) for table in ('items', 'results')}
    program = os.path.join(BUILD, 'unit', 'unit-assessments-scoring_random')
    subprocess.run([program, str(seed), str(first), str(count), *paths.values()], check=True, timeout=120)
    for table, path in paths.items():
        database.rows(f'TRUNCATE {table}')
        copy(database, table, path)
    database.rows('DROP TABLE IF EXISTS valued, areas, expected')
    database.rows(RECKON)
    assert database.value('SELECT count(DISTINCT attempt) FROM areas') >= count * 0.99  # a few have no questions at all
    assert database.rows(RESULTS_DIFFER) == []
    assert database.rows(MISSING_DIFFER) == []
    return database.row(MET)


@pytest.mark.parametrize('attempts', [20000, pytest.param(1000000, marks=pytest.mark.long)])
def test_attempts_by_chance(table, tmp_path, attempts):
    seed = seed_of_run()
    met = [batch(table, tmp_path, seed, first, min(BATCH, attempts - first)) for first in range(0, attempts, BATCH)]
    sums = {name: sum(part[name] for part in met) for name in met[0]}
    print(sums)
    assert all(sums.values()), sums
