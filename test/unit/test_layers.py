"""The order of the layers (architecture: "The tree"): who may include whom. The rules are applied to the tree as it is, and
to small trees with one fault each, so that a rule that no longer bites is seen."""

import pathlib
import posixpath
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("shared", "actors", "broker", "tools", "test")

# Each layer may include those before it; net talks to other processes, which it finds in the shared memory, never to PostgreSQL.
LAYERS = ("base", "wire", "crypto", "shm", "pg", "net", "actor")
MAY_INCLUDE = {layer: set(LAYERS[: i + 1]) for i, layer in enumerate(LAYERS)}
MAY_INCLUDE["net"] = set(LAYERS) - {"pg", "actor"}

# Library headers, and the one directory that includes them.
LIBRARIES = (
    (re.compile(r"(zmq|czmq|zmq_utils)\.h|msgpack\b.*"), "shared/wire/"),
    (re.compile(r"libpq-fe\.h|libpq/.*|pg_config.*|postgres\w*\.h"), "shared/pg/"),
    (re.compile(r"curl/.*|hiredis/.*"), "shared/net/"),
    (re.compile(r"h2o\.h|h2o/.*|wslay/.*|picotls.*|picohttpparser\.h"), "actors/frontend/"),
)
# These parts of shared/pg block: only each other and aipotenctl may use them.
BLOCKING = re.compile(r"shared/pg/(admin_|audit|check|demo|mails|migrate|outbox)")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def read_tree():
    files = {}
    for top in SOURCES:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".c", ".h") and path.is_file():
                files[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    return files


def resolve(files, including, name):
    """The file of this tree that `name` means; None for a system header or a generated one."""
    for directory in (posixpath.dirname(including), "shared", "", "actors/" + including.split("/")[1]):
        path = posixpath.normpath(posixpath.join(directory, name))
        if path in files:
            return path
    return None


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "shared" and len(parts) > 2 else None


def actor_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "actors" and len(parts) > 2 else None


def library_faults(including, name):
    for pattern, home in LIBRARIES:
        if pattern.fullmatch(name) and not including.startswith((home, "test/")):
            yield f"{including} includes <{name}>: only {home} may"


def tree_faults(including, included):
    here, there = layer_of(including), layer_of(included)
    if here and here not in MAY_INCLUDE:
        yield f"{including}: shared/{here} is no layer"
    elif here and not there:
        yield f"{including} includes {included}: shared/ stands by itself"
    elif here and there not in MAY_INCLUDE[here]:
        yield f"{including} includes {included}: {there} is above {here}"
    if including.startswith("test/"):
        return
    if actor_of(included) and actor_of(including) and actor_of(included) != actor_of(including):
        yield f"{including} includes {included}: actors never include each other"
    if BLOCKING.match(included) and not BLOCKING.match(including) and not including.startswith("tools/ctl/"):
        yield f"{including} includes {included}: it blocks, only aipotenctl may use it"


def broker_faults(including, included):
    """It moves what others say: it answers nobody and has no database."""
    if layer_of(included) in ("pg", "actor") and not included.endswith("/tags.h"):
        yield f"{including} includes {included}: the broker has no use for {layer_of(included)}"
    if included.startswith("actors/"):
        yield f"{including} includes {included}: the broker knows no actor"


def faults(files):
    found = []
    for including, text in files.items():
        for _, name in INCLUDE.findall(text):
            found += library_faults(including, name)
            included = resolve(files, including, name)
            if included:
                found += tree_faults(including, included)
                if including.startswith("broker/"):
                    found += broker_faults(including, included)
    return found


def test_tree_keeps_the_order():
    files = read_tree()
    assert {layer_of(path) for path in files} >= {"base", "wire", "crypto", "shm", "pg", "actor"}
    assert faults(files) == []


def test_includes_are_resolved():
    """A rule over includes that resolve to nothing would hold by itself."""
    files = read_tree()
    quoted = [(path, name) for path, text in files.items() if path.startswith("shared/")
              for kind, name in INCLUDE.findall(text) if kind == '"']
    assert len(quoted) > 20
    assert [pair for pair in quoted if not resolve(files, *pair)] == []


@pytest.mark.parametrize("path, include, part", [
    ("shared/base/x.c", '#include "../wire/message.h"', "wire is above base"),
    ("shared/wire/x.c", '#include "../pg/lanes.h"', "pg is above wire"),
    ("shared/crypto/x.h", '#  include "../shm/segment.h"', "shm is above crypto"),
    ("shared/shm/x.c", '#include "pg/lanes.h"', "pg is above shm"),
    ("shared/net/x.c", '#include "../pg/lanes.h"', "pg is above net"),
    ("shared/pg/x.c", '#include "../actor/call.h"', "actor is above pg"),
    ("shared/base/x.c", '#include "../../actors/children/children.h"', "stands by itself"),
    ("shared/odd/x.c", '#include "../base/text.h"', "no layer"),
    ("shared/pg/x.c", "#include <zmq.h>", "only shared/wire/"),
    ("shared/actor/x.c", "#include <msgpack/pack.h>", "only shared/wire/"),
    ("actors/children/x.c", "#include <libpq-fe.h>", "only shared/pg/"),
    ("tools/ctl/x.c", "#include <libpq-fe.h>", "only shared/pg/"),
    ("actors/mailer/x.c", "#include <curl/curl.h>", "only shared/net/"),
    ("shared/actor/x.c", "#include <hiredis/async.h>", "only shared/net/"),
    ("shared/wire/x.c", '#include "h2o.h"', "only actors/frontend/"),
    ("actors/accounts/x.c", "#include <h2o/websocket.h>", "only actors/frontend/"),
    ("actors/accounts/x.c", '#include "../children/children.h"', "never include each other"),
    ("actors/frontend/x.c", '#include "actors/children/children.h"', "never include each other"),
    ("broker/x.c", '#include "pg/lanes.h"', "no use for pg"),
    ("broker/x.c", '#include "actor/call.h"', "no use for actor"),
    ("broker/x.c", '#include "../actors/children/children.h"', "knows no actor"),
    ("broker/x.c", "#include <zmq.h>", "only shared/wire/"),
    ("broker/x.c", "#include <hiredis/async.h>", "only shared/net/"),
    ("shared/pg/lanes.c", '#include "admin_sql.h"', "it blocks"),
    ("actors/children/x.c", '#include "../../shared/pg/migrate.h"', "it blocks"),
])
def test_each_fault_is_found(path, include, part):
    headers = ("shared/base/text.h", "shared/wire/message.h", "shared/shm/segment.h", "shared/pg/lanes.h", "shared/pg/admin_sql.h",
               "shared/pg/migrate.h", "shared/actor/call.h", "actors/children/children.h")
    found = faults({**{header: "" for header in headers}, path: include + "\n"})
    assert len(found) == 1 and part in found[0]


@pytest.mark.parametrize("path, include", [
    ("shared/pg/x.c", '#include "../wire/message.h"'),
    ("shared/net/x.c", '#include "../wire/message.h"'),
    ("shared/net/x.c", '#include "../shm/segment.h"'),
    ("shared/actor/x.c", '#include "../pg/lanes.h"'),
    ("shared/pg/x.c", "#include <libpq-fe.h>"),
    ("shared/pg/admin_roles.c", '#include "admin_sql.h"'),
    ("tools/ctl/database.c", '#include "../../shared/pg/migrate.h"'),
    ("actors/children/children.c", '#include "children.h"'),
    ("actors/children/children.c", '#include "../../shared/pg/lanes.h"'),
    ("actors/frontend/x.c", "#include <h2o.h>"),
    ("broker/x.c", '#include "shm/segment.h"'),
    ("broker/x.c", '#include "wire/message.h"'),
])
def test_what_is_allowed(path, include):
    headers = ("shared/wire/message.h", "shared/pg/lanes.h", "shared/pg/admin_sql.h", "shared/pg/migrate.h", "actors/children/children.h")
    assert faults({**{header: "" for header in headers}, path: include + "\n"}) == []
