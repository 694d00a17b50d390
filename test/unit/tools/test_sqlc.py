"""tools/sqlc: what an actor's SQL file becomes, and what is refused with which sentence."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def sqlc(tmp_path_factory):
    built = os.environ.get("AIPOTEN_BUILD")
    if built:
        return Path(built) / "bin" / "sqlc"
    program = tmp_path_factory.mktemp("sqlc") / "sqlc"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-o", program, ROOT / "tools/sqlc.c"], check=True)
    return program


class Run:
    def __init__(self, sqlc, directory, text, name="kids.sql"):
        self.directory = directory
        source = self.directory / name
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([sqlc, source, self.directory], capture_output=True, text=True)
        self.status, self.error = done.returncode, done.stderr.replace(str(self.directory) + "/", "")

    def read(self, ending):
        return (self.directory / f"kids.sql.{ending}").read_text()


GOOD = """-- kids.sql: statements of it.

-- kid_get: read -> kid_detail
-- The kid. Note: a colon is no header.
SELECT a, '--;it''s', "x;y" -- hi; there
  FROM t WHERE id = $1 AND $$;$$ <> $a$;$a$ /* ; */;

-- kid_put: write
UPDATE t SET a = E'\\\\x' WHERE id = $1;
"""


def test_statements(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, GOOD)
    assert run.status == 0, run.error
    header, source = run.read("h"), run.read("c")
    assert "extern statement_t SQL_kid_get;" in header
    assert "extern const statement_t *const kids_statements[];" in header
    assert '.lane = LANE_READ,\n    .row = &kid_detail_message,' in source
    assert "\"SELECT a, '--;it''s', \\\"x;y\\\" -- hi; there\\n\"" in source
    assert '"  FROM t WHERE id = $1 AND $$;$$ <> $a$;$a$ /* ; */",' in source
    assert "\"UPDATE t SET a = E'\\\\\\\\x' WHERE id = $1\"," in source
    assert "enum { kids_statement_count = 2 };" in header


def test_grouped(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, "-- kid_add: write grouped -> kid_detail\nINSERT INTO t VALUES ($1) RETURNING a;\n"
                              "-- kid_drop: write\nDELETE FROM t;\n")
    assert run.status == 0, run.error
    assert run.read("c").count(".grouped = true") == 1
    refused = Run(sqlc, tmp_path, "-- kid_get: read grouped -> kid_detail\nSELECT a FROM t;\n")
    assert refused.status != 0 and "only statements of the write lane can be grouped" in refused.error


def test_parts(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, "-- columns: part\n-- Shared.\na, '{no}';\n"
                              "-- kid_get: read batched -> kid_detail\nSELECT {columns} FROM t WHERE id = $1 LIMIT 1;\n")
    assert run.status == 0, run.error
    source = run.read("c")
    assert source.count("SELECT a, '{no}' FROM t WHERE id = ") == 2 and "SQL_columns" not in source
    assert "enum { kids_statement_count = 1 };" in run.read("h")
    for text, reason in (("SELECT {b} FROM t;", 'there is no part "b" above "kid_get"'), ("SELECT { FROM t;", "after { the name of a part"),
                         ("SELECT 1;\n-- a: part\n2;", 'part "a" is already defined in line 1')):
        refused = Run(sqlc, tmp_path, f"-- a: part\nx;\n-- kid_get: read -> kid_detail\n{text}\n")
        assert refused.status != 0 and reason in refused.error, text


def test_batched(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, "-- kid_get: read batched -> kid_detail\nSELECT '$1' AS a, $a$$2$a$ -- $3\nFROM t WHERE id = $1 LIMIT $12;\n"
                              "-- kid_all: read -> kid_detail\nSELECT a FROM t;\n")
    assert run.status == 0, run.error
    source = run.read("c")
    assert source.count(".batched =") == 1
    assert "\"SELECT '$1' AS a, $a$$2$a$ -- $3\\n\"" in source.split(".batched =")[1]
    assert '"FROM t WHERE id = aipoten_batch.p1 LIMIT aipoten_batch.p12"' in source
    assert "OFFSET 0" not in source
    # What has neither order nor limit of its own is kept apart from the query around it.
    for sql in ("SELECT a, 'limit 1' AS b FROM t WHERE id = $1", "SELECT a FROM t WHERE id = $1 -- limit 1",
                "SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT $1) AS few", "SELECT limits FROM t WHERE border = $1"):
        written = Run(sqlc, tmp_path, f"-- kid_get: read batched -> kid_detail\n{sql};\n").read("c")
        assert '"OFFSET 0"' in written.split(".batched =")[1], sql
    for sql in ("SELECT a FROM t WHERE id = $1 order by a", "SELECT a FROM t OFFSET $1", "SELECT a FROM t FETCH FIRST $1 ROWS ONLY"):
        assert "OFFSET 0" not in Run(sqlc, tmp_path, f"-- kid_get: read batched -> kid_detail\n{sql};\n").read("c"), sql
    # A name may have a dollar sign in it.
    assert "t$1 WHERE id = aipoten_batch.p1" in Run(
        sqlc, tmp_path, "-- kid_get: read batched -> kid_detail\nSELECT a FROM t$1 WHERE id = $1;\n").read("c")
    refused = Run(sqlc, tmp_path, "-- kid_put: write batched\nUPDATE t SET a = $1;\n")
    assert refused.status == 1 and 'only statements of the read lane can be batched, "kid_put" is none' in refused.error


def test_output_is_c(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, GOOD)
    (run.directory / "messages.h").write_text("#define KID(F) F(text, a)\nMESSAGE(kid_detail, KID);\n")
    subprocess.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "shared", "-I", run.directory, "-c", "-o",
                    "/dev/null", run.directory / "kids.sql.c"], check=True)


def test_windows_line_ends(sqlc, tmp_path):
    run = Run(sqlc, tmp_path, GOOD.replace("\n", "\r\n"))
    assert run.status == 0, run.error
    assert "\r" not in run.read("c")


@pytest.mark.parametrize("text, error", [
    ("", "kids.sql:1: holds no statement"),
    ("SELECT 1;", 'kids.sql:1: SQL without a header like "-- name: read -> message" before it'),
    ("-- a: fast\nSELECT 1;", 'kids.sql:1: unknown lane of statement "a": it must be read, write or slow'),
    ("-- a:\nSELECT 1;", 'kids.sql:1: unknown lane of statement "a": it must be read, write or slow'),
    ("-- a: read ->\nSELECT 1;", "kids.sql:1: after -> the name of a message must follow"),
    ("-- a: read b\nSELECT 1;", 'kids.sql:1: "b" does not belong after the header of "a"'),
    ("-- a: read -> b c\nSELECT 1;", 'kids.sql:1: "c" does not belong after the header of "a"'),
    ("-- a: read\nSELECT 1;\n\n-- a: read\nSELECT 2;", 'kids.sql:4: statement "a" is already defined in line 1'),
    ("-- a: read\nSELECT 1", 'kids.sql:1: statement "a" has no final semicolon'),
    ("-- a: read\nSELECT ';", 'kids.sql:1: statement "a" has no final semicolon'),
    ("-- a: read\n;", 'kids.sql:2: statement "a" is empty'),
    ("-- a: read\n", 'kids.sql:1: statement "a" has no SQL'),
    ("-- a: read\n\n-- b: write -> c\nSELECT 1;",
     'kids.sql:3: statement "a" of line 1 has no SQL before the next header'),
    ("-- a: read\nSELECT\n1; SELECT 2;", 'kids.sql:3: nothing may follow the semicolon of "a" in its line'),
    (b"-- a: read\nSELECT '\0';", "kids.sql:0: holds a NUL byte"),
])
def test_refused(sqlc, tmp_path, text, error):
    run = Run(sqlc, tmp_path, text)
    assert run.status == 1
    assert run.error == error + "\n"
    assert not (run.directory / "kids.sql.c").exists()


@pytest.mark.parametrize("name", ["Kids.sql", "kids.txt", "kids-x.sql"])
def test_name_of_the_file(sqlc, tmp_path, name):
    run = Run(sqlc, tmp_path, "-- a: read\nSELECT 1;", name)
    assert run.status == 1
    assert "must be that of its actor" in run.error


def test_usage(sqlc):
    assert subprocess.run([sqlc], capture_output=True).returncode == 2
