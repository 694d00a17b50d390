"""The OpenAPI document: the one generated from the rows equals schema/openapi.json, is sound by itself, and lint-clean."""
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "schema" / "openapi.json"
BUILD = Path(os.environ.get("AIPOTEN_BUILD") or ROOT / "build" / "test")
GENERATED = BUILD / "generated" / "openapi.json"
REDOCLY = "1.34.5"  # runs on Debian's Node.js


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
        assert len([s for s in responses if s.startswith("2")]) in (1, 2), where
        for_members = operation.get("security") != []
        assert not for_members or {"401", "403"} <= responses, where
        assert ("{" in path) <= ("404" in responses), where
        assert ("requestBody" in operation) <= ({"400", "413", "415"} <= responses), where
        checked = [p for p in operation.get("parameters", []) if p["name"] != "If-None-Match"]
        assert bool(checked) <= ("400" in responses), where
        assert {"429", "503"} <= responses, where
        for status, response in operation["responses"].items():
            if status == "304":
                assert "content" not in response and "ETag" in response["headers"], where
                continue
            if "text/html" in response["content"]:
                assert status == "200" and response["content"] == {"text/html": {"schema": {"type": "string"}}}, where
                continue
            schema = response["content"]["application/json"]["schema"]
            if response["description"] == "The file":
                assert status == "200" and schema == {"type": "object"}, where
            elif status.startswith("2"):
                assert schema["required"] == ["success", "data", "meta"], where
            else:
                assert schema == {"$ref": "#/components/schemas/error"}, where
            assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503")), where


def test_passwords_are_never_answered(document):
    for name, schema in document["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            if value.get("format") == "password":
                assert value.get("writeOnly"), f"{name}.{field}"


def redocly():
    """The program; installed once below build/, which is not committed, and again when another version is wanted."""
    home = ROOT / "build" / "node"
    package = home / "node_modules" / "@redocly" / "cli" / "package.json"
    if not package.exists() or json.loads(package.read_text())["version"] != REDOCLY:
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", home, f"@redocly/cli@{REDOCLY}"],
                       check=True, timeout=600)
    return home / "node_modules" / ".bin" / "redocly"


def test_lint():
    # videos/categories/{slug} and videos/{id}/view are the founding document's own paths: static parts win (product.md, section 5).
    done = subprocess.run([redocly(), "lint", "--extends=recommended", "--skip-rule=no-ambiguous-paths", "--format=stylish", GOLDEN],
                          capture_output=True,
                          text=True, timeout=120, cwd=ROOT, env={
                              **os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "1"})
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert "warning" not in report.lower().replace("deprecation warning", ""), report
