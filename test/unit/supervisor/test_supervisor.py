"""tools/supervisor with children that do what a test tells them (child.c): states, back-off, order, adoption, and what a child
is given and is not given. The platform itself is in test/scenario."""
import json
import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness.supervised import CTL, alive, until

# --- the start ------------------------------------------------------------------------------------------------------------

def test_all_become_ready_in_the_order_of_stages(system):
    status = system.status()
    assert {row["state"] for row in status["instances"]} == {"READY"}
    assert status["supervisor"]["state"] == "READY"
    assert [(row["service"], row["instance"]) for row in status["instances"]] == [
        ("accounts", 1), ("accounts", 2), ("accounts-hash", 1), ("children", 1), ("frontend", 1), ("frontend", 2)]
    lines = [line for line in system.said().splitlines() if " ready after" in line]
    assert [line.split(".")[0].strip() for line in lines[-2:]] == ["frontend", "frontend"] or "ready after" in lines[-1]
    generations = {row["service"]: row["generation"] for row in status["instances"]}
    assert generations["frontend"] > max(generations["accounts"], generations["children"])


def test_a_start_takes_less_than_a_second(make):
    system = make()
    system.start()
    line = [line for line in system.said().splitlines() if line.startswith("ready after")][0]
    assert float(line.split()[2]) < 5  # ASan; the bench states it for the release build


def test_what_a_child_is_given(system):
    actor, frontend = system.seen("accounts.1"), system.seen("frontend.1")
    if os.geteuid() == 0:
        assert actor["uid"] != "0" and frontend["uid"] == actor["uid"]
    assert actor["no_new_privs"] == "1" and actor["core"] == "0" and actor["session"] == "1"
    assert actor["https"] == "0" and actor["http"] == "0"
    assert frontend["https"] == "1" and frontend["http"] == "1"
    assert frontend["pem"] == "1 1"
    assert actor["migrator"] == "0" and frontend["migrator"] == "0"
    password = (system.var / "secrets" / "db.accounts").read_text().strip()
    assert actor["url"] == f"postgresql://aipoten_accounts:{password}@db.example:5433/aipoten?sslmode=disable"
    assert "aipoten_children" in system.seen("children.1")["url"]
    assert len(actor["endpoint"]) < 100 + len("ipc://")


def test_private_files_are_private(system):
    for path in (system.var / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((system.var / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((system.var / "tls" / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((system.var / "run" / "control.sock").stat().st_mode) == 0o600


def test_certificate_is_for_localhost_and_kept(make):
    system = make()
    system.start()
    certificate = system.var / "tls" / "certificate.pem"
    first = certificate.read_bytes()
    text = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    assert "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    assert "prime256v1" in text
    system.ctl("stop")
    system.process.wait(timeout=10)
    system.start()
    assert certificate.read_bytes() == first


def test_sockets_are_listened_on_before_and_after_restarts(system):
    ports = system.settings["listen"].values()
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass
    system.ctl("restart", "frontend")
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass


def test_detach_returns_when_ready(make):
    system = make()
    status, said = system.run("--detach")
    assert status == 0 and "ready after" in said
    assert {row["state"] for row in system.status()["instances"]} == {"READY"}
    system.ctl("stop")
    assert not (system.var / "run" / "supervisor.pid").exists()
    system.ctl("status", status=3)


def test_detach_says_what_failed_and_leaves_nothing(make):
    system = make()
    system.plan("children.1", "misfit")
    status, said = system.run("--detach")
    assert status == 1
    assert "aipoten did not start: children.1" in said and "statement_misfit: column names differ" in said
    system.ctl("status", status=3)


def test_configuration_refused_with_file_line_and_reason(make):
    system = make()
    system.config.write_text("http:\n  max_body: 1M\n  max_boddy: 2M\n")
    status, said = system.run()
    assert status == 78 and f"{system.config}:3:" in said


def test_port_taken_is_said(make):
    system = make()
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", system.settings["listen"]["https_port"]))
        taken.listen()
        status, said = system.run()
    assert status == 1 and "Address already in use" in said and "AIPOTEN_HTTPS_PORT" in said


def test_second_supervisor_is_refused(system):
    status, said = system.run()
    assert status == 1 and f"pid {system.process.pid}" in said


def test_a_broken_actor_does_not_keep_the_rest_from_serving(make):
    system = make()
    system.plan("children.1", "config")
    system.spawn()
    row = system.wait_state("frontend.2", "READY")
    row = system.instance("children.1")
    assert row["state"] == "FAILED" and row["last_death"]["cause"] == "configuration" and row["retry_in"] is None
    text = system.ctl("status")
    assert text.splitlines()[-1].startswith("next: children.1 failed")
    system.ctl("wait", "--timeout", "1", status=1)
    system.plan("children.1", "")
    system.ctl("start", "children")
    assert system.instance("children.1")["state"] == "READY"


def test_waiting_for_the_database_is_shown(make):
    system = make()
    system.plan("accounts.1", "slow")
    system.spawn()
    until(lambda: system.instance("accounts.1")["status"] == "waiting for the database")
    assert "is PostgreSQL running?" in system.ctl("status").splitlines()[-1]
    assert system.instance("frontend.1")["state"] == "DOWN"
    system.ctl("wait")


# --- deaths ----------------------------------------------------------------------------------------------------------------

def test_an_early_death_backs_off_and_is_named(system):
    system.plan("accounts.2", "busy")
    system.ctl("restart", "accounts.2")
    pid = system.pid("accounts.2")
    os.kill(pid, signal.SIGABRT)
    row = until(lambda: (row := system.instance("accounts.2")) and row["pid"] not in (None, pid) and row["state"] == "READY"
                and row)
    death = system.history()[0]
    assert death["pid"] == pid and death["signal"] == signal.SIGABRT and death["operation"] == "test.operation"
    assert death["trace"] == "trace-1" and len(death["call"]) == 36
    assert row["restarts"] == 1 and row["last_death"]["pid"] == pid
    assert "Aborted" in system.ctl("history", "-n", "1")
    assert system.ctl("history").count("accounts.2") == 1
    system.ctl("stop")
    system.process.wait(timeout=10)
    system.start()
    assert system.history()[0]["pid"] == pid  # it outlives the supervisor


def test_a_death_after_a_while_restarts_at_once(system):
    time.sleep(5.2)  # EARLY_DEATH_SECONDS
    pid = system.pid("children.1")
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: system.instance("children.1")["pid"] not in (None, pid))
    assert time.monotonic() - began < 1
    system.ctl("wait")


def test_a_crash_loop_fails_alone_and_is_tried_again(make):
    system = make(backoff_first="10ms", backoff_most="20ms", failed_retry="1s")
    system.plan("children.1", "die")
    system.spawn()
    row = system.wait_state("children.1", "FAILED")
    assert row["restarts"] == 6 and row["retry_in"] <= 1
    assert system.instance("accounts.1")["state"] == system.instance("frontend.1")["state"] == "READY"
    system.plan("children.1", "")
    system.wait_state("children.1", "READY")


def test_silence_is_death(system):
    system.plan("accounts.1", "mute")
    system.ctl("restart", "accounts.1")
    pid = system.pid("accounts.1")
    system.plan("accounts.1", "")
    until(lambda: not alive(pid))
    death = until(system.history)[0]
    assert death["pid"] == pid and death["cause"] == "watchdog"


def test_a_stopped_process_is_found_and_replaced(system):
    pid = system.pid("accounts.1")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not alive(pid))
    until(lambda: system.history() and system.history()[0]["cause"] == "watchdog")


def test_never_ready_is_killed(make):
    system = make(start_timeout="500ms")
    system.plan("children.1", "never")
    system.spawn()
    until(lambda: system.history() and system.history()[0]["cause"] == "start_timeout")


# --- commands ------------------------------------------------------------------------------------------------------------------

def test_stop_and_start_of_one_instance(system):
    pid = system.pid("accounts.2")
    system.ctl("stop", "accounts.2")
    assert not alive(pid)
    row = system.instance("accounts.2")
    assert row["state"] == "DOWN" and not row["wanted"] and row["restarts"] == 0
    assert "next: accounts.2 is stopped" in system.ctl("status")
    system.ctl("start", "accounts.2")
    assert system.instance("accounts.2")["state"] == "READY"
    assert system.history() == []


def test_stubborn_process_is_killed(system):
    system.plan("accounts.1", "stubborn")
    system.ctl("restart", "accounts.1")
    pid = system.pid("accounts.1")
    system.plan("accounts.1", "")
    system.ctl("restart", "accounts.1")
    assert not alive(pid) and system.history()[0]["cause"] == "stop_timeout"


def test_restart_keeps_one_of_two_ready(system):
    before = {row["instance"]: row["pid"] for row in system.status()["instances"] if row["service"] == "accounts"}
    restart = subprocess.Popen([CTL, "restart", "accounts"], env=system.environment)
    while restart.poll() is None:
        rows = [row for row in system.status()["instances"] if row["service"] == "accounts"]
        assert any(row["state"] == "READY" for row in rows), rows
    assert restart.returncode == 0
    after = {row["instance"]: row["pid"] for row in system.status()["instances"] if row["service"] == "accounts"}
    assert set(before.values()).isdisjoint(after.values())
    assert system.history() == []


def test_restart_of_the_only_instance_has_a_stand_in(system):
    pid = system.pid("accounts-hash.1")
    restart = subprocess.Popen([CTL, "restart", "accounts-hash"], env=system.environment)
    while restart.poll() is None:
        rows = [row for row in system.status()["instances"] if row["service"] == "accounts-hash"]
        assert any(row["state"] == "READY" for row in rows), rows
    assert restart.returncode == 0
    rows = [row for row in system.status()["instances"] if row["service"] == "accounts-hash"]
    assert [row["instance"] for row in rows] == [1] and rows[0]["pid"] != pid
    assert system.history() == []


def test_restart_of_the_only_instance_that_fails_leaves_it(system):
    pid = system.pid("children.1")
    system.plan("children.2", "misfit")
    error = system.ctl("restart", "--timeout", "5", "children", status=1)
    assert "children.2" in error and "column names differ" in error
    assert "what runs stays as it is" in error
    assert system.pid("children.1") == pid and system.instance("children.1")["state"] == "READY"
    until(lambda: system.instance("children.2") is None)


def test_restart_that_fails_leaves_the_rest(system):
    pid = system.pid("accounts.2")
    system.plan("accounts.1", "misfit")
    error = system.ctl("restart", "--timeout", "3", "accounts", status=1)
    assert "accounts.1" in error and "column names differ" in error
    assert system.pid("accounts.2") == pid


def test_restart_with_a_wrong_configuration_changes_nothing(system):
    pids = [row["pid"] for row in system.status()["instances"]]
    good = system.config.read_text()
    system.config.write_text(good + "nonsense: 1\n")
    assert "test.yaml:" in system.ctl("restart", status=1)
    assert [row["pid"] for row in system.status()["instances"]] == pids
    system.config.write_text(good)
    system.settings["instances"]["children"] = 2
    system.write_config()
    system.ctl("restart", "children")
    assert system.instance("children.2")["state"] == "READY"


def test_scale_up_and_down(system):
    system.ctl("scale", "children", "3")
    assert system.instance("children.3")["state"] == "READY"
    system.ctl("scale", "children", "1")
    assert system.instance("children.2") is None and system.instance("children.3") is None
    assert system.instance("children.1")["state"] == "READY"
    assert "the table has 64 places" in system.ctl("scale", "children", "64", status=1)


def test_drain_holds_until_start(system):
    pid = system.pid("accounts.1")
    system.ctl("drain", "accounts.1")
    row = system.instance("accounts.1")
    assert row["state"] == "DRAINING" and row["held"] and row["pid"] == pid
    time.sleep(0.3)
    assert system.instance("accounts.1")["state"] == "DRAINING"
    system.ctl("start", "accounts.1")
    assert system.instance("accounts.1")["state"] == "READY" and system.pid("accounts.1") == pid
    assert "shared socket" in system.ctl("drain", "frontend.1", status=1)


def test_stop_ends_frontends_first(system):
    system.ctl("stop")
    system.process.wait(timeout=10)
    assert system.process.returncode == 0
    lines = [json.loads(line) for line in (system.var / "log" / "supervisor.log").read_text().splitlines()]
    down = [line["instance"].split(".")[0] for line in lines if line["event"] == "state" and line["state"] == "DOWN"]
    assert down[:2] == ["frontend", "frontend"] and len(down) == 6


def test_counters_come_from_shared_memory(system):
    counters = json.loads(system.ctl("counters", "-j", "children"))["counters"]
    assert counters[0]["name"] == "child.beats" and counters[0]["unit"] == "beats" and counters[0]["service"] == "children"
    until(lambda: json.loads(system.ctl("counters", "-j", "children"))["counters"][0]["value"] > counters[0]["value"])


def test_unknown_names_are_refused(system):
    assert "there is no service nothing; there are accounts" in system.ctl("stop", "nothing", status=1)
    assert "no such instance" in system.ctl("stop", "accounts.9", status=1)
    system.ctl("frobnicate", status=2)
    system.ctl("status", "--frobnicate", status=2)
    system.ctl("scale", "accounts", status=2)


def test_control_socket_bears_nonsense(system):
    path = str(system.var / "run" / "control.sock")
    clients = []
    for line in (b"\n", b"[]\n", b"{}\n", b'{"request":7}\n', b'{"request":"stop","target":5.5}' * 10 + b"\n", b"\xff\xfe\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(line)
            answer = client.makefile().readline()
            assert not json.loads(answer)["ok"]
    with socket.socket(socket.AF_UNIX) as client:  # a request that never ends is cut
        client.connect(path)
        with pytest.raises(OSError):
            for _ in range(100):
                client.sendall(b"x" * 4096)
                time.sleep(0.001)
    for _ in range(40):
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].connect(path)
    time.sleep(0.1)
    for client in clients:
        client.close()
    until(lambda: subprocess.run([CTL, "status", "-j"], env=system.environment, capture_output=True, check=False).returncode == 0)


def test_another_process_cannot_speak_for_a_child(system):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(b"STOPPING=1\n", str(system.var / "run" / "ipc" / "notify"))
    until(lambda: "not from a child" in (system.var / "log" / "supervisor.log").read_text())
    assert {row["state"] for row in system.status()["instances"]} == {"READY"}


# --- adoption --------------------------------------------------------------------------------------------------------------------

def test_children_outlive_the_supervisor_and_are_adopted(system):
    pids = {(row["service"], row["instance"]): row["pid"] for row in system.status()["instances"]}
    system.ctl("stop", "accounts.2")
    system.ctl("scale", "children", "2")
    system.process.kill()
    system.process.wait()
    assert all(alive(pid) for key, pid in pids.items() if key != ("accounts", 2))
    assert "serve on" in system.ctl("status", status=3)
    with socket.create_connection(("127.0.0.1", system.settings["listen"]["https_port"]), timeout=2):
        pass
    system.start()
    rows = {(row["service"], row["instance"]): row for row in system.status()["instances"]}
    assert {key: row["pid"] for key, row in rows.items() if key in pids and key != ("accounts", 2)} == {
        key: pid for key, pid in pids.items() if key != ("accounts", 2)}
    assert rows["children", 2]["state"] == "READY" and rows["children", 2]["adopted"]
    assert rows["accounts", 2]["state"] == "DOWN" and not rows["accounts", 2]["wanted"]
    pid = pids["children", 1]
    os.kill(pid, signal.SIGKILL)
    until(lambda: system.instance("children.1")["pid"] not in (None, pid))
    death = system.history()[0]
    assert death["pid"] == pid and death["signal"] is None and "unknown" in death["what"]
    system.ctl("restart", "frontend")
    system.ctl("stop")
    system.process.wait(timeout=10)
    assert not any(alive(row["pid"]) for row in rows.values() if row["pid"])


def test_who_died_meanwhile_is_started_again(system):
    system.process.kill()
    system.process.wait()
    state = json.loads((system.var / "run" / "state").read_text())
    pid = [row["pid"] for row in state["instances"] if row["service"] == "children"][0]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    system.start()
    assert system.instance("children.1")["state"] == "READY" and system.pid("children.1") != pid
    assert system.history()[0]["cause"] == "no supervisor"


def test_a_pid_that_is_anothers_now_is_left_alone(system):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        system.process.kill()
        system.process.wait()
        path = system.var / "run" / "state"
        state = json.loads(path.read_text())
        for row in state["instances"]:
            if row["service"] == "children":
                os.kill(row["pid"], signal.SIGKILL)
                row["pid"] = bystander.pid
        path.write_text(json.dumps(state))
        system.start()
        assert system.pid("children.1") != bystander.pid and bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_ready_that_nobody_heard_is_repeated(make):
    system = make()
    system.plan("children.1", "slow")
    system.spawn()
    pid = until(lambda: system.pid("children.1"))
    system.process.kill()
    system.process.wait()
    time.sleep(2.5)  # it becomes READY meanwhile
    system.start()
    assert system.pid("children.1") == pid and system.instance("children.1")["state"] == "READY"


def test_stop_without_a_supervisor_ends_what_it_left(system):
    pids = [row["pid"] for row in system.status()["instances"]]
    system.process.kill()
    system.process.wait()
    # aipotenctl looks for the supervisor beside itself, which knows other services: the tool itself is asked.
    status, said = system.run("--end")
    assert status == 0 and said == "6 processes ended\n"
    assert not any(alive(pid) for pid in pids)


# --- aipotenctl without a system -----------------------------------------------------------------------------------------------------

def test_help_man_and_completion_come_from_the_table(make):
    system = make()
    text = system.ctl("help")
    for command in ("status", "config check", "db migrate", "secrets rotate", "completion"):
        assert command in text
    assert "--timeout" in system.ctl("help", "wait") and "--timeout" in system.ctl("wait", "--help")
    page = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=system.ctl("man"), capture_output=True, text=True, check=True)
    assert page.stderr == "" and "look at and steer a running aipoten" in page.stdout
    script = system.ctl("completion") + ('COMP_WORDS=(aipotenctl db "m"); COMP_CWORD=2; _aipotenctl; echo "${COMPREPLY[@]}"\n'
                                         'COMP_WORDS=(aipotenctl res); COMP_CWORD=1; _aipotenctl; echo "${COMPREPLY[@]}"\n'
                                         'COMP_WORDS=(aipotenctl stop chi); COMP_CWORD=2; _aipotenctl; echo "${COMPREPLY[@]}"\n')
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == ["migrate", "restart", "children"]


def test_config_check(make):
    system = make()
    assert "good" in system.ctl("config", "check", str(system.config))
    system.config.write_text("rate:\n  enabled: perhaps\n")
    assert f"{system.config}:2:" in system.ctl("config", "check", str(system.config), status=1)
    assert "supervisor.watchdog" in system.ctl("config", "defaults")
    system.write_config()
    assert "supervisor.watchdog: 2s" in system.ctl("config", "show", str(system.config))


def test_config_json(make):
    """The same as the text, value for value; and it can be given back as a configuration."""
    system = make()
    path = str(system.config)
    assert json.loads(system.ctl("config", "check", "-j", path)) == {"file": path, "good": True, "error": None}
    system.config.write_text("redis: {url: 'redis://user:secret@127.0.0.1:6379/0'}\nhttp: {max_body: 2M}\n"
                             "listen: {trusted_proxies: [10.0.0.0/8], https_port: 8444}\nrate: {enabled: off}\n")
    said = system.ctl("config", "show", "-j", path)
    shown = json.loads(said)
    assert shown["file"] == path and "secret" not in said and "secret" not in system.ctl("config", "show", path)
    wanted = {"redis.url": "redis://***@127.0.0.1:6379/0", "http.max_body": "2M", "listen.trusted_proxies": ["10.0.0.0/8"],
              "listen.https_port": 8444, "rate.enabled": False}
    assert {name: shown["settings"][name] for name in wanted} == wanted
    system.config.write_text(json.dumps(shown["settings"]))
    assert json.loads(system.ctl("config", "show", "-j", path)) == shown
    names = [line.split(": ")[0] for line in system.ctl("config", "show", path).splitlines()[1:]]
    assert list(shown["settings"]) == names
    rows = {row["name"]: row for row in json.loads(system.ctl("config", "defaults", "-j"))["settings"]}
    assert list(rows) == names
    assert (rows["http.max_body"]["default"], rows["rate.enabled"]["default"], rows["cors.origins"]["default"]) == ("1M", True, [])
    assert rows["redis.url"]["environment"] == "REDIS_URL" and rows["listen.https_port"]["most"] == "65535"
    assert all(row["meaning"] and row["wanted"] and row["default"] is not None for row in rows.values())
    system.config.write_text("cors: {origins: ['https://user:secret@app.example.com']}\n")
    wrong = subprocess.run([CTL, "config", "check", "-j", path], env=system.environment, capture_output=True, text=True, timeout=90, check=False)
    answer = json.loads(wrong.stdout)
    assert wrong.returncode == 1 and "secret" not in wrong.stdout + wrong.stderr
    assert not answer["good"] and answer["error"].startswith(f"{path}:1: cors.origins: is not") and answer["error"] in wrong.stderr


def test_routes(make):
    routes = json.loads(make().ctl("routes", "-j"))["routes"]
    row = [row for row in routes if row["operation"] == "children.create"][0]
    assert row["method"] == "POST" and row["path"] == "/api/v1/children" and row["writes"]


# --- keys --------------------------------------------------------------------------------------------------------------------------------

HOLDERS = ["accounts.1", "accounts.2", "frontend.1", "frontend.2"]


def keys(system):
    """{id: role}, in the ring's order."""
    said = json.loads(system.ctl("secrets", "show", "jwt_keys", "-j"))
    assert said["ring"] == "jwt_keys"
    return {key["id"]: key["role"] for key in said["keys"]}


def ring(system):
    return (system.var / "secrets" / "jwt_keys").read_text().strip().split(",")


def held(system, name):
    """The first and the newest key that an instance says it holds."""
    counters = json.loads(system.ctl("counters", "-j", name))["counters"]
    values = {counter["name"]: counter["value"] for counter in counters}
    return values["key_first_jwt_keys"], values["key_newest_jwt_keys"]


def test_key_steps(make):
    """A key is promoted only when every process that holds the ring knows it, and dropped only when none has another one first."""
    system = make()
    system.start()
    old = ring(system)
    assert keys(system) == {"k1": "first"} and held(system, "frontend.2") == (1, 1)
    assert "no key is staged" in system.ctl("secrets", "promote", "jwt_keys", status=1)
    assert "k2 is staged" in system.ctl("secrets", "stage", "jwt_keys")
    assert ring(system)[:1] == old and keys(system) == {"k1": "first", "k2": "staged"}
    assert "staged: verifies" in system.ctl("secrets", "show", "jwt_keys")
    assert "staged already" in system.ctl("secrets", "stage", "jwt_keys", status=1)
    for service in ("accounts", "frontend"):
        said = system.ctl("secrets", "promote", "jwt_keys", status=1)
        assert f"{service}.1 (pid {system.pid(service + '.1')}) still holds jwt_keys as it was" in said
        system.ctl("restart", f"{service}.1")
        if f"{service}.2" in HOLDERS:
            assert f"{service}.2 (pid" in system.ctl("secrets", "promote", "jwt_keys", status=1)
            system.ctl("restart", f"{service}.2")
    assert {held(system, name) for name in HOLDERS} == {(1, 2)}
    assert "k2 is the first" in system.ctl("secrets", "promote", "jwt_keys")
    assert keys(system) == {"k2": "first", "k1": "old"} and ring(system)[1:] == old
    assert "still holds" in system.ctl("secrets", "retire", "jwt_keys", status=1)
    for service in ("accounts", "frontend"):
        system.ctl("restart", service)
    assert {held(system, name) for name in HOLDERS} == {(2, 2)}
    assert "may live until" in system.ctl("secrets", "retire", "jwt_keys", status=1)
    new = ring(system)[0]
    assert "k1 is dropped" in system.ctl("secrets", "retire", "jwt_keys", "--force")
    assert ring(system) == [new]
    for word in ("nothing", "token_key"):
        assert "jwt_keys data_keys.accounts" in system.ctl("secrets", "rotate", word, status=1)
    system.ctl("secrets", "stage", "jwt_keys")
    system.ctl("secrets", "promote", "jwt_keys", "--force")
    assert list(keys(system)) == ["k3", "k2"]


def test_key_rotation(make):
    """All steps in one, saying each; no byte of a key is among the words."""
    system = make()
    system.start()
    before = {name: system.instance(name)["generation"] for name in HOLDERS}
    said = system.ctl("secrets", "rotate", "jwt_keys")
    words = [line.split(" …")[0].split(";")[0] for line in said.splitlines()]
    restarts = ["restarting accounts", "restarting frontend"]
    assert words[:-1] == ["jwt_keys: k2 is staged", *restarts, "jwt_keys: k2 is the first", *restarts]
    assert words[-1].startswith("next: aipotenctl secrets retire jwt_keys")
    assert keys(system) == {"k2": "first", "k1": "old"} and {held(system, name) for name in HOLDERS} == {(2, 2)}
    assert all(system.instance(name)["generation"] > before[name] for name in HOLDERS)
    assert system.instance("children.1")["restarts"] == 0
    assert not any(key.split(":")[1][:8] in said for key in ring(system))


def test_key_rotation_goes_on_after_a_failure(make):
    """What does not come up ends the rotation where it is safe; the next one goes on from there."""
    system = make()
    system.start()
    system.plan("frontend.2", "config")
    said = system.ctl("secrets", "rotate", "jwt_keys", status=1)
    assert "frontend.2 did not come up" in said
    assert keys(system) == {"k1": "first", "k2": "staged"}
    system.plan("frontend.2", "")
    system.ctl("start", "frontend.2")
    said = system.ctl("secrets", "rotate", "jwt_keys")
    assert "k2 is staged already\nevery process holds it so already\n" in said
    assert keys(system) == {"k2": "first", "k1": "old"} and {held(system, name) for name in HOLDERS} == {(2, 2)}


def test_keys_while_nothing_runs(make):
    """Without processes every step is safe at once; only of processes without a supervisor nothing can be known."""
    system = make()
    system.start()
    system.ctl("secrets", "stage", "jwt_keys")
    system.process.kill()
    system.process.wait()
    assert "no supervisor runs" in system.ctl("secrets", "promote", "jwt_keys", status=1)
    assert "no supervisor runs" in system.ctl("secrets", "rotate", "jwt_keys", status=1)
    assert system.ctl("stop") == "6 processes ended\n", "whatever user another configuration names"
    said = system.ctl("secrets", "rotate", "jwt_keys")
    assert "k2 is staged already" in said and "k2 is the first" in said and "restarting" not in said
    assert "may live until" in system.ctl("secrets", "retire", "jwt_keys", status=1)
    assert "k2 is the first" in system.ctl("secrets", "rotate", "data_keys.children")
    assert "only while the system runs" in system.ctl("secrets", "retire", "data_keys.children", status=1)
    assert "k1 is dropped" in system.ctl("secrets", "retire", "data_keys.children", "--force")
