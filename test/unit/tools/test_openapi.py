"""The OpenAPI document: the one generated from the rows equals schema/openapi.json, is sound by itself, and lint-clean."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "schema" / "openapi.json"
BUILD = Path(os.environ.get("AIPOTEN_BUILD") or ROOT / "build" / "test")
GENERATED = BUILD / "generated" / "openapi.json"
REDOCLY = "@redocly/cli@1.34.5"  # runs on Debian's Node.js


@pytest.fixture(scope="module")
def document():
    return json.loads(GOLDEN.read_text())


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_golden():
    if not GENERATED.exists():
        pytest.skip(f"no build in {BUILD}")
    if GENERATED.read_text() != GOLDEN.read_text():
        difference = subprocess.run(["diff", "-u", GOLDEN, GENERATED], capture_output=True, text=True).stdout
        generated = os.path.relpath(GENERATED, ROOT)
        pytest.fail(f"the rows say something else than schema/openapi.json. If that is what you want:\n"
                    f"    cp {generated} schema/openapi.json\n{difference[:6000]}", pytrace=False)


def test_references(document):
    found = set(references(document))
    for reference in found:
        part = document
        assert reference.startswith("#/")
        for name in reference[2:].split("/"):
            part = part[name]
    unused = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} - found
    assert unused == set()


def test_schemas_are_json_schema(document):
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False, name


def test_operations(document):
    seen = set()
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["operationId"] not in seen, where
        seen.add(operation["operationId"])
        assert operation["summary"], where
        assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}, where
        assert ("requestBody" in operation) <= (method not in ("get", "head")), where
        in_path = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        parameters = operation.get("parameters", [])
        assert in_path == {p["name"] for p in parameters if p["in"] == "path"}, where
        assert all(p["required"] for p in parameters if p["in"] == "path"), where


def test_responses_follow_from_the_row(document):
    for path, method, operation in operations(document):
        where, responses = f"{method} {path}", set(operation["responses"])
        if "system" in operation["tags"]:
            continue
        assert len([s for s in responses if s.startswith("2")]) == 1, where
        for_members = operation.get("security") != []
        assert not for_members or {"401", "403"} <= responses, where
        assert ("{" in path) <= ("404" in responses), where
        assert ("requestBody" in operation) <= ({"400", "413", "415"} <= responses), where
        assert bool(operation.get("parameters")) <= ("400" in responses), where
        assert {"429", "503"} <= responses, where
        for status, response in operation["responses"].items():
            schema = response["content"]["application/json"]["schema"]
            if status.startswith("2"):
                assert schema["required"] == ["success", "data", "meta"], where
            else:
                assert schema == {"$ref": "#/components/schemas/error"}, where
            assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503")), where


def test_passwords_are_never_answered(document):
    for name, schema in document["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            if value.get("format") == "password":
                assert value.get("writeOnly"), f"{name}.{field}"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_lint():
    """Installed once below build/, which is not committed."""
    home = ROOT / "build" / "node"
    program = home / "node_modules" / ".bin" / "redocly"
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", home, REDOCLY],
                       check=True, timeout=300)
    done = subprocess.run([program, "lint", "--extends=recommended", "--format=stylish", GOLDEN], capture_output=True,
                          text=True, timeout=120, env={**os.environ, "REDOCLY_TELEMETRY": "off", "CI": "1"})
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert "warning" not in report.lower().replace("deprecation warning", ""), report
