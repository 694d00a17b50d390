"""Rolling restarts, and a supervisor that becomes another one: who stands beside whom, in which order they go, and what is left
when a new one does not come up. Children that do what a test tells them (child.c)."""
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from harness.supervised import BUILD, CTL, SUPERVISOR, alive, until


def rows(system, service=None):
    return [row for row in system.status()["instances"] if service in (None, row["service"])]


def ready_pids(system):
    return sorted(row["pid"] for row in rows(system) if row["state"] == "READY")


def ask(system, **request):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(system.var / "run" / "control.sock"))
        control.settimeout(60)
        control.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(control.makefile().readline())


def states(system, since=0):
    """(instance, state) in the order in which they came to be."""
    lines = [json.loads(line) for line in (system.var / "log" / "supervisor.log").read_text().splitlines()[since:]]
    return [(line["instance"], line["state"], line["pid"]) for line in lines if line["event"] == "state"]


def log_length(system):
    return len((system.var / "log" / "supervisor.log").read_text().splitlines())


def check_successors_first(seen, old, names):
    """Each old process drained only when another one of its name was READY."""
    for name in names:
        for at, (instance, state, pid) in enumerate(seen):
            if instance == name and state == "DRAINING" and pid in old:
                assert any(entry[0] == name and entry[1] == "READY" and entry[2] not in old for entry in seen[:at]), (name, seen)


# --- restart --rolling ---------------------------------------------------------------------------------------------------------

def test_each_new_one_is_ready_before_its_old_one_drains(system):
    old, since = {row["pid"] for row in rows(system)}, log_length(system)
    roll = subprocess.Popen([CTL, "restart", "--rolling"], env=system.environment)
    most = 0
    while roll.poll() is None:
        now = rows(system)
        for service in ("accounts", "accounts-hash", "children", "frontend"):
            ready = [row for row in now if row["service"] == service and row["state"] == "READY"]
            assert len(ready) >= (2 if service in ("accounts", "frontend") else 1), now
        most = max(most, len(now))
    assert roll.returncode == 0 and most <= 8, most
    after = rows(system)
    assert [(row["service"], row["instance"]) for row in after] == [
        ("accounts", 1), ("accounts", 2), ("accounts-hash", 1), ("children", 1), ("frontend", 1), ("frontend", 2)]
    assert {row["state"] for row in after} == {"READY"} and not any(row["successor"] for row in after)
    assert old.isdisjoint(row["pid"] for row in after)
    assert system.history() == []
    seen = states(system, since)
    check_successors_first(seen, old, {entry[0] for entry in seen})
    drained = [instance for instance, state, _ in seen if state == "DRAINING"]
    assert drained == ["accounts.1", "accounts.2", "accounts-hash.1", "children.1", "frontend.1", "frontend.2"]


def test_one_service_or_instance(system):
    before = {(row["service"], row["instance"]): row["pid"] for row in rows(system)}
    system.ctl("restart", "--rolling", "accounts")
    after = {(row["service"], row["instance"]): row["pid"] for row in rows(system)}
    assert {name for name in before if before[name] != after[name]} == {("accounts", 1), ("accounts", 2)}
    system.ctl("restart", "--rolling", "accounts.2")
    last = {(row["service"], row["instance"]): row["pid"] for row in rows(system)}
    assert {name for name in after if after[name] != last[name]} == {("accounts", 2)}


@pytest.mark.parametrize("word, reason", [("misfit", "column names differ"), ("config", "configuration"), ("never", "start_timeout")])
def test_the_old_one_stays_when_the_new_one_does_not_come_up(system, word, reason):
    before = {(row["service"], row["instance"]): row["pid"] for row in rows(system)}
    system.plan("accounts.2", word)
    error = system.ctl("restart", "--rolling", "accounts", status=1)
    assert "accounts.2 did not come up" in error and reason in error and "1 of 2 were replaced" in error
    assert "var/log/accounts.2.log" in error
    until(lambda: len(rows(system, "accounts")) == 2)
    after = {(row["service"], row["instance"]): row["pid"] for row in rows(system)}
    assert {name for name in before if before[name] != after[name]} == {("accounts", 1)}
    assert {row["state"] for row in rows(system)} == {"READY"}
    system.plan("accounts.2", "")
    system.ctl("restart", "--rolling", "accounts")


def test_a_new_one_that_is_not_ready_in_time(make):
    system = make(start_timeout="60s")
    system.start()
    pid = system.pid("children.1")
    system.plan("children.1", "never")
    error = system.ctl("restart", "--rolling", "--timeout", "1", "children", status=1)
    assert "the new children.1 is not READY within the time" in error
    until(lambda: len(rows(system, "children")) == 1)
    assert system.pid("children.1") == pid and system.instance("children.1")["state"] == "READY"


def test_other_rows_are_no_matter_of_a_restart(system):
    pid = system.pid("children.1")
    system.plan("children.1", "rows")
    error = system.ctl("restart", "--rolling", "children", status=1)
    assert "other rows" in error and "aipotenctl upgrade" in error
    until(lambda: len(rows(system, "children")) == 1)
    assert system.pid("children.1") == pid


def test_nothing_else_changes_meanwhile_but_a_stop(system):
    pid = system.pid("children.1")
    system.plan("children.1", "never")
    roll = subprocess.Popen([CTL, "restart", "--rolling", "children"], env=system.environment, stderr=subprocess.PIPE, text=True)
    until(lambda: any(row["successor"] for row in rows(system)))
    for command in (["start", "children"], ["restart"], ["restart", "--rolling"], ["scale", "children", "3"], ["drain", "children.1"]):
        assert "under way" in system.ctl(*command, status=1)
    system.ctl("stop", "accounts.2")
    assert roll.wait(30) == 1 and "something was stopped" in roll.stderr.read()
    until(lambda: len(rows(system, "children")) == 1)
    assert system.pid("children.1") == pid


def test_a_reload_by_signal_waits_for_the_end(system):
    """It may change which instances there are."""
    system.plan("children.1", "never")
    roll = subprocess.Popen([CTL, "restart", "--rolling", "children"], env=system.environment, stderr=subprocess.DEVNULL)
    until(lambda: any(row["successor"] for row in rows(system)))
    system.settings["instances"]["children"] = 2
    system.write_config()
    system.process.send_signal(signal.SIGHUP)
    until(lambda: "reload_waits" in (system.var / "log" / "supervisor.log").read_text())
    assert not any(row["instance"] == 2 for row in rows(system, "children"))
    system.ctl("stop", "accounts.2")  # ends the roll
    roll.wait(30)
    system.wait_state("children.2", "READY")


def test_a_supervisor_that_dies_amid_a_roll(system):
    """The next one drops what had not taken over."""
    pids = ready_pids(system)
    system.plan("children.1", "never")
    roll = subprocess.Popen([CTL, "restart", "--rolling", "children"], env=system.environment, stderr=subprocess.DEVNULL)
    fresh = until(lambda: [row["pid"] for row in rows(system) if row["successor"] and row["pid"]])[0]
    system.process.kill()
    system.process.wait(timeout=10)
    roll.wait(30)
    system.plan("children.1", "")
    system.start()
    until(lambda: not alive(fresh))
    until(lambda: len(rows(system)) == 6)
    assert ready_pids(system) == pids


# --- another release ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def release(system, tmp_path):
    """A directory with this release's programs under the names that an upgrade looks for."""
    directory = tmp_path / "release"
    directory.mkdir(mode=0o755)
    shutil.copy(SUPERVISOR, directory / "supervisor")
    shutil.copy(BUILD / "unit" / "unit-supervisor-child", directory / "unit-supervisor-child")
    return directory


def hand_over(system, directory):
    assert ask(system, request="handover", directory=str(directory))["ok"]
    until(lambda: os.readlink(f"/proc/{system.process.pid}/exe") == str(directory / "supervisor"))
    until(lambda: subprocess.run([CTL, "status"], env=system.environment, capture_output=True, check=False).returncode == 0)


def test_the_supervisor_becomes_another_one(system, release):
    """The same process, children, lock and sockets; deaths are still seen with their signal."""
    pids, pid = ready_pids(system), system.process.pid
    ports = list(system.settings["listen"].values())
    hand_over(system, release)
    status = system.status()
    assert status["supervisor"]["pid"] == pid and status["supervisor"]["programs"] == str(release)
    assert ready_pids(system) == pids and system.history() == []
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass
    said = system.run()
    assert said[0] == 1 and f"pid {pid}" in said[1], "the lock is still held"
    victim = system.pid("accounts.1")
    assert "AIPOTEN_HANDOVER" not in open(f"/proc/{victim}/environ", encoding="utf-8").read()
    os.kill(victim, signal.SIGKILL)
    until(lambda: system.history())
    assert system.history()[0]["signal"] == signal.SIGKILL
    fresh = until(lambda: (row := system.instance("accounts.1")) and row["state"] == "READY" and row["pid"] != victim and row["pid"])
    assert os.readlink(f"/proc/{fresh}/exe") == str(release / "unit-supervisor-child")
    assert "AIPOTEN_HANDOVER" not in open(f"/proc/{fresh}/environ", encoding="utf-8").read()
    system.ctl("stop")
    assert system.process.wait(timeout=20) == 0


def test_a_release_with_a_place_of_its_own(make, tmp_path):
    """Who was never told where its data is, and becomes a program that would look for them elsewhere, keeps them."""
    system = make()
    places = [system.var.parent / name for name in ("first", "second")]
    for root in places:
        (root / "h2o-conf").mkdir(parents=True)
        (root / "h2o-conf" / "development.yaml").touch()
        (root / "bin").mkdir()
        shutil.copy(SUPERVISOR, root / "bin" / "supervisor")
        shutil.copy(BUILD / "unit" / "unit-supervisor-child", root / "bin" / "unit-supervisor-child")
    (places[0] / "var").symlink_to(system.var)
    system.var.mkdir(exist_ok=True)
    unsaid = {name: value for name, value in system.environment.items() if name not in ("AIPOTEN_VAR", "AIPOTEN_ROOT")}
    with open(system.var.parent / "said", "ab") as said:
        system.process = subprocess.Popen([places[0] / "bin" / "supervisor", "--config", system.config], env=unsaid, stdout=said,
                                          stderr=said, stdin=subprocess.DEVNULL)
    until(lambda: subprocess.run([CTL, "status"], env=system.environment, capture_output=True, check=False).returncode == 0)
    system.ctl("wait", "--timeout", "30")
    pids = ready_pids(system)
    hand_over(system, places[1] / "bin")
    assert ready_pids(system) == pids and not (places[1] / "var").exists()


def test_handover_to_what_is_not_there(system, tmp_path):
    pids = ready_pids(system)
    answer = ask(system, request="handover", directory=str(tmp_path / "nowhere"))
    assert not answer["ok"] and "build the release first" in answer["error"]
    for name in ("supervisor", "unit-supervisor-child"):
        (tmp_path / name).write_text("no program")
        (tmp_path / name).chmod(0o755)
    assert ask(system, request="handover", directory=str(tmp_path))["ok"]
    until(lambda: "handover_failed" in (system.var / "log" / "supervisor.log").read_text())
    assert ready_pids(system) == pids


def test_upgrade_with_other_rows(system, release):
    """All new actors stand beside the old ones and serve at once; the old ones go when no old frontend is left."""
    old = {row["pid"]: f"{row['service']}.{row['instance']}" for row in rows(system)}
    hand_over(system, release)
    since = log_length(system)
    for service in ("accounts.1", "accounts.2", "accounts-hash.1", "children.1"):
        system.plan(service, "rows")
    answer = ask(system, request="upgrade", timeout=60000)
    assert answer["ok"], answer
    after = rows(system)
    assert len(after) == 6 and {row["state"] for row in after} == {"READY"}
    assert set(old).isdisjoint(row["pid"] for row in after) and not any(alive(pid) for pid in old)
    assert {row["schema"] for row in after if row["service"] != "frontend"} == {"0000000000005678"}
    assert system.history() == []
    seen = states(system, since)
    moment = {(name, state, pid in old): at for at, (name, state, pid) in enumerate(seen)}
    actors = ("accounts.1", "accounts.2", "accounts-hash.1", "children.1")
    served = [moment[name, "READY", False] for name in actors]
    assert max(served) - min(served) == len(actors) - 1, "they serve at the same moment"
    assert max(served) < min(moment[f"frontend.{number}", "STARTING", False] for number in (1, 2))
    assert (max(moment[f"frontend.{number}", "READY", False] for number in (1, 2))
            < min(moment[f"frontend.{number}", "DRAINING", True] for number in (1, 2)))
    assert (max(moment[f"frontend.{number}", "DOWN", False] for number in (1, 2))
            < min(moment[name, "DRAINING", True] for name in actors))


def test_upgrade_with_one_more_service(system, release):
    """Its row is appended: the next supervisor starts it, and what runs is adopted and replaced like any other."""
    old = ready_pids(system)
    shutil.copy(BUILD / "unit" / "unit-supervisor-next", release / "supervisor")
    hand_over(system, release)
    added = system.wait_state("broker.1", "READY")
    assert sorted([*old, added["pid"]]) == ready_pids(system), "the others were adopted"
    log = (system.var / "log" / "supervisor.log").read_text()
    assert "cache_foreign" not in log, "what dies and what is written goes on to end answers that the other release may give"
    assert ask(system, request="upgrade", timeout=60000)["ok"]
    after = rows(system)
    assert len(after) == 7 and {row["state"] for row in after} == {"READY"}
    assert not set(old) & {row["pid"] for row in after} and not any(alive(pid) for pid in old)
    assert system.history() == []


@pytest.mark.parametrize("victim, word", [("children.1", "misfit"), ("frontend.2", "config")])
def test_upgrade_that_fails_leaves_the_old_release(system, release, victim, word):
    pids = ready_pids(system)
    hand_over(system, release)
    system.plan(victim, word)
    answer = ask(system, request="upgrade", timeout=60000)
    assert not answer["ok"] and victim in answer["error"] and "0 of 6 were replaced" in answer["error"]
    assert "the former release's directory goes back" in answer["error"]
    until(lambda: len(rows(system)) == 6)
    assert ready_pids(system) == pids
    system.plan(victim, "")
    assert ask(system, request="upgrade", timeout=60000)["ok"]
    assert set(pids).isdisjoint(ready_pids(system))
