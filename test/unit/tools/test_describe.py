"""tools/describe: rows that contradict themselves or each other fail the build, each with its sentence, all in one go."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("AIPOTEN_BUILD") or ROOT / "build" / "test").resolve()
LIBRARIES = ["actor", "tags", "pg", "net", "second", "redis", "wire", "crypto", "shm", "base"]
SYSTEM = "-lzmq -lmsgpackc -ljwt -ljansson -lssl -lcrypto -lcrypt -lev -lyaml -lboost_context -lpq -lm -lz -lbrotlienc -lhiredis".split()

SOURCE = """
#include "actor/actor.h"
#define NAMED(FIELD) FIELD(text, name, .required = true) FIELD(integer, number)
MESSAGE(named, NAMED);
#define SEALED(FIELD) FIELD(uuid, id) FIELD(text, notes, .sealed = "t.t")
MESSAGE(sealed_input, SEALED);
#define HOLDER(FIELD) FIELD(list, items, .message = &sealed_input_message)
MESSAGE(holder, HOLDER);
#define NAMELESS(FIELD) FIELD(choice, kind)
MESSAGE(nameless, NAMELESS);
#define BLOB(FIELD) FIELD(json, any)
MESSAGE(blob, BLOB);
#define TWICE(FIELD) FIELD(text, a, .min = 5, .max = 3)
MESSAGE(bounds, TWICE);
static void answer(call_t *call) { reply_nothing(call); }
#define ROW(op, way, where, ...) \\
    {.operation = op, .method = way, .path = where, .handler = answer, .summary = "x", .shape = SHAPE_NOTHING, __VA_ARGS__}
static const endpoint_t endpoints[] = {
@ROWS@
};
const actor_t children_actor = {.name = "@NAME@", .endpoints = endpoints, .endpoint_count = ARRAY_SIZE(endpoints),
    .data_keys = @KEYS@};
"""

BAD = [
    ('ROW("a.one", "GET", "/api/v1/a", .handler = NULL)', "a.one: has no handler"),
    ('ROW("a.two", "GET", "/api/v1/b", .summary = NULL)', "a.two: has no summary"),
    ('ROW("a.three", "FETCH", "/api/v1/c")', "a.three: method must be GET, POST, PUT, PATCH or DELETE"),
    ('ROW("a.four", "GET", "/api/v1/d", .input = &named_message)', "a.four: a GET takes no body"),
    ('ROW("a.five", "GET", "/api/v1/e", .writes = true)', "a.five: a GET changes nothing"),
    ('ROW("a.six", "POST", "/api/v1/f", .input = &named_message, .body = BODY_RAW)', "a.six: a raw body is not decoded"),
    ('ROW("a.seven", "POST", "/api/v1/g", .output = &named_message)', "a.seven: SHAPE_NOTHING answers no data"),
    ('ROW("a.eight", "POST", "/api/v1/h", .shape = SHAPE_LIST)', "a.eight: an answer with data needs output"),
    ('ROW("a.nine", "POST", "/api/v1/i", .status = 404)', "a.nine: status must be that of a success"),
    ('ROW("a.ten", "POST", "/api/v1/j", .roles = 1 << 20)', "a.ten: roles must be ANYONE or a set"),
    ('ROW("b.one", "GET", "/v1/a")', "b.one: path /v1/a must begin with /api/v1/"),
    ('ROW("b.two", "GET", "/api/v1/A/b")', 'b.two: path /api/v1/A/b: "A" is neither'),
    ('ROW("b.three", "GET", "/api/v1/l//m")', 'b.three: path /api/v1/l//m: "" is neither'),
    ('ROW("b.four", "GET", "/api/v1/n/:id")', "b.four: path /api/v1/n/:id has :id, but params has no field of this name"),
    ('ROW("b.five", "GET", "/api/v1/o/:no", .params = &named_message)', "b.five: path /api/v1/o/:no has :no"),
    ('ROW("b.six", "POST", "/api/v1/p", .input = &named_message, .rate_field = "number")',
     "b.six: rate_field number must be a text field of input"),
    ('ROW("b.seven", "POST", "/api/v1/q", .rate_field = "name")', "b.seven: rate_field name must be a text field"),
    ('ROW("b.eight", "POST", "/api/v1/r", .input = &sealed_input_message)', "b.eight: field notes of sealed_input: only messages of"),
    ('ROW("b.nine", "POST", "/api/v1/s", .input = &nameless_message)', "b.nine: field kind of nameless: a choice needs names"),
    ('ROW("b.ten", "GET", "/api/v1/t", .params = &blob_message)', "b.ten: field any of blob: path and query hold plain values"),
    ('ROW("b.eleven", "POST", "/api/v1/u", .input = &bounds_message)', "b.eleven: field a of bounds: a choice needs names"),
    ('ROW("c.one", "GET", "/api/v1/v/:name", .params = &named_message)', None),
    ('ROW("c.two", "GET", "/api/v1/v/:number", .params = &named_message)',
     "c.two: GET /api/v1/v/:number is also /api/v1/v/:name of c.one"),
    ('ROW("c.three", "GET", "/api/v1/v/me", .params = &named_message)', None),
    ('ROW("d.one", "POST", "/api/v1/x", .writes = true, .cache = CACHE_PUBLIC)', "d.one: only a GET can be answered from the cache"),
    ('ROW("d.two", "GET", "/api/v1/x", .shape = SHAPE_ONE, .output = &sealed_input_message, .cache = CACHE_PUBLIC)',
     "d.two: an answer with sealed or secret fields is never kept in the cache"),
    ('ROW("d.three", "GET", "/api/v1/y", .shape = SHAPE_ONE, .output = &holder_message, .roles = PARENT, .cache = CACHE_PERSONAL)',
     "d.three: an answer with sealed or secret fields is never kept in the cache"),
    ('ROW("d.four", "GET", "/api/v1/z", .roles = ADMIN, .logged = ADMIN, .cache = CACHE_PERSONAL)',
     "d.four: each of its roles is .logged"),
    ('ROW("d.five", "GET", "/api/v1/aa", .roles = PARENT, .cache = CACHE_PUBLIC)', "d.five: CACHE_PUBLIC is for ANYONE"),
    ('ROW("d.six", "GET", "/api/v1/ab", .cache = CACHE_PERSONAL)', "d.six: CACHE_PERSONAL needs roles"),
    ('ROW("d.seven", "GET", "/api/v1/ac", .headers = "cookie", .cache = CACHE_PUBLIC)', "d.seven: the answer may depend on headers"),
    ('ROW("d.eight", "GET", "/api/v1/ad", .roles = PARENT, .logged = ADMIN)', "d.eight: logged must be among its roles"),
    ('ROW("d.nine", "GET", "/api/v1/ae", .shape = SHAPE_FILE, .cache = CACHE_PUBLIC)', "d.nine: a file is not kept in the cache"),
    ('ROW("d.thirteen", "GET", "/api/v1/ai", .shape = SHAPE_PAGE, .cache = CACHE_PUBLIC)', "d.thirteen: a page is not kept in the cache"),
    ('ROW("d.fourteen", "POST", "/api/v1/aj", .shape = SHAPE_PAGE)', "d.fourteen: SHAPE_PAGE answers a GET with a page"),
    ('ROW("d.fifteen", "GET", "/api/v1/ak/x.html", .shape = SHAPE_PAGE)', None),
    ('ROW("d.ten", "GET", "/api/v1/af", .cache_seconds = 5)', "d.ten: cache_seconds or by_language without .cache"),
    ('ROW("d.eleven", "GET", "/api/v1/ag", .cache = CACHE_PUBLIC)', None),
    ('ROW("d.twelve", "GET", "/api/v1/ah", .roles = PARENT | ADMIN, .logged = ADMIN, .cache = CACHE_PERSONAL)', None),
    ('ROW("c.one", "POST", "/api/v1/w")', "c.one: two rows have this operation: /api/v1/w and /api/v1/v/:name"),
]


@pytest.fixture
def describe(tmp_path):
    """describe(rows) builds it with an actor of these rows, runs it, and gives its status and words."""
    if not (BUILD / "libactor.a").exists():
        pytest.skip(f"no build in {BUILD}")

    def run(rows, name="children", keys='"data_keys.children"'):
        source = SOURCE.replace("@ROWS@", ",\n".join(rows)).replace("@NAME@", name).replace("@KEYS@", keys)
        (tmp_path / "rows.c").write_text(source)
        tools = [ROOT / "tools" / file for file in ("describe.c", "openapi.c", "openapi_schema.c")]
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsanitize=address,undefined", "-DACTORS=ACTOR(children)",
                        "-I", ROOT / "shared", "-o", tmp_path / "describe", tmp_path / "rows.c", *tools,
                        *(BUILD / f"lib{library}.a" for library in LIBRARIES), *SYSTEM], check=True)
        done = subprocess.run([tmp_path / "describe", tmp_path], capture_output=True, text=True)
        return done.returncode, done.stderr

    return run


def test_each_contradiction_is_named(describe, tmp_path):
    status, said = describe([row for row, _ in BAD])
    assert status == 1
    lines = said.splitlines()
    for row, sentence in BAD:
        if sentence is not None:
            assert any(line.startswith(f"describe: {sentence}") for line in lines), f"{row}\n{said}"
    assert not any("c.three" in line for line in lines), said
    expected = sum(sentence is not None for _, sentence in BAD)
    assert lines[-1] == f"describe: {expected} problems in the actors' rows", said
    assert not (tmp_path / "routes.c").exists()


def test_a_writing_row_needs_keys(describe):
    rows = ['ROW("a.one", "GET", "/api/v1/a")', 'ROW("a.two", "POST", "/api/v1/a", .writes = true)']
    status, said = describe(rows, keys="NULL")
    assert status == 1 and said.splitlines()[0].startswith("describe: a.two: writes, so its actor needs data_keys"), said
    assert describe(rows[:1], keys="NULL") == (0, "")


def test_an_actor_has_the_name_of_a_service(describe):
    status, said = describe(['ROW("a.one", "GET", "/api/v1/a")'], name="nowhere")
    assert status == 1 and said.startswith("describe: a.one: is answered by a service that shared/shm/services.c does not have"), said


def test_good_rows(describe, tmp_path):
    rows = ['ROW("a.one", "POST", "/api/v1/a/:name", .params = &named_message, .roles = PARENT, .writes = true)',
            'ROW("a.two", "GET", "/api/v1/a/me", .rate = RATE_NONE)',
            'ROW("a.three", "GET", "/api/v1/b", .params = &named_message, .cache = CACHE_PUBLIC, .by_language = true)',
            'ROW("a.four", "GET", "/api/v1/c", .roles = PARENT | ADMIN, .logged = ADMIN, .cache = CACHE_PERSONAL)']
    status, said = describe(rows)
    assert (status, said) == (0, "")
    routes = (tmp_path / "routes.c").read_text()
    assert '.operation = "a.one", .method = "POST", .path = "/api/v1/a/:name"' in routes
    assert '.cache = CACHE_PUBLIC, .logged = 0x0, .by_language = true, .params = "name number"}' in routes
    assert '.cache = CACHE_PERSONAL, .logged = 0x8, .by_language = false}' in routes
    assert "const int route_count" in routes and "openapi_json_length" in routes
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-I", ROOT / "shared", "-c", "-o", "/dev/null", tmp_path / "routes.c"],
                   check=True)
