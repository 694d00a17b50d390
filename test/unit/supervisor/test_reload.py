"""aipotenctl reload and SIGHUP: who is told what, what is refused, and what is said about settings that need a restart. Children
that do what a test tells them (child.c)."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from harness.supervised import alive, until


def told(system, instance):
    path = system.plans / f"{instance}.reloaded"
    return dict(line.split(" ", 1) for line in path.read_text().splitlines()) if path.exists() else {}


def pids(system):
    return sorted(row["pid"] for row in system.status()["instances"])


def change(system, section, **settings):
    system.settings.setdefault(section, {}).update(settings)
    system.write_config()


def new_certificate(system, name="localhost"):
    tls = system.var / "tls"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90",
                    "-subj", f"/CN={name}", "-keyout", tls / "key.pem", "-out", tls / "certificate.pem"], check=True,
                   capture_output=True)


def test_every_process_is_told(system):
    before = pids(system)
    change(system, "log", level="debug")
    change(system, "rate", enabled=False)
    change(system, "http", idle_timeout="30s")
    said = json.loads(system.ctl("reload", "-j"))
    assert sorted(said["applied"]) == ["log.level", "rate.enabled"] and said["at_restart"] == ["http.idle_timeout"]
    assert said["at_start"] == []
    for row in system.status()["instances"]:
        name = f"{row['service']}.{row['instance']}"
        seen = told(system, name)
        assert (seen["level"], seen["rate"]) == ("debug", "0"), name
        assert ("certificate" in seen) == (row["service"] == "frontend"), "secrets are for those who have them"
    assert pids(system) == before and system.history() == []
    assert json.loads(system.ctl("reload", "-j"))["applied"] == []


def test_words_for_people(system):
    change(system, "log", level="warning")
    change(system, "http", idle_timeout="30s", drain_timeout="700ms")
    change(system, "listen", http_port=1)
    said = system.ctl("reload")
    assert "applied: log.level" in said
    assert "need aipotenctl restart --rolling: http.idle_timeout, http.drain_timeout" in said
    assert "need aipotenctl stop, then start: listen.http_port" in said


def test_hangup_does_the_same(system):
    change(system, "log", level="debug")
    os.kill(system.process.pid, signal.SIGHUP)
    until(lambda: told(system, "frontend.2").get("level") == "debug" and told(system, "accounts.1").get("level") == "debug")
    assert system.process.poll() is None


def test_instances_are_scaled(system):
    change(system, "instances", children=2)
    assert json.loads(system.ctl("reload", "-j"))["applied"] == ["instances.children"]
    system.ctl("wait")
    assert system.instance("children.2")["state"] == "READY"
    change(system, "instances", children=1)
    system.ctl("reload")
    until(lambda: system.instance("children.2") is None)


def test_the_certificate_is_handed_over(system):
    system.ctl("reload")
    before = told(system, "frontend.1")["certificate"]
    new_certificate(system)
    system.ctl("reload")
    assert told(system, "frontend.1")["certificate"] == told(system, "frontend.2")["certificate"] != before


@pytest.mark.parametrize("name, content, reason", [
    ("certificate.pem", "no certificate", "certificate.pem is no PEM certificate"),
    ("key.pem", "no key", "key.pem is no PEM key"),
    ("key.pem", None, "is not that of the certificate in")])
def test_a_wrong_certificate_changes_nothing(system, name, content, reason):
    before, tls = pids(system), system.var / "tls"
    certificate = (tls / "certificate.pem").read_bytes()
    if content is None:
        new_certificate(system, "other")
        (tls / "certificate.pem").write_bytes(certificate)
    else:
        (tls / name).write_text(content)
    if name == "key.pem":
        (tls / "certificate.pem").write_bytes(certificate)
    change(system, "log", level="debug")
    if name == "certificate.pem":  # our own one that is none is made anew at a start; an operator's is refused
        shutil.copy(tls / "key.pem", system.var.parent / "key.pem")
        (system.var.parent / "certificate.pem").write_text(content)
        change(system, "listen", tls_certificate=str(system.var.parent / "certificate.pem"),
               tls_key=str(system.var.parent / "key.pem"))
    for command in (["reload"], ["restart", "frontend"]):
        error = system.ctl(*command, status=1)
        assert reason in error and "what runs stays as it is" in error
    assert told(system, "frontend.1") == {} and told(system, "accounts.1") == {}
    assert pids(system) == before


def test_a_wrong_configuration_changes_nothing(system):
    system.config.write_text(system.config.read_text() + "nonsense: 1\n")
    error = system.ctl("reload", status=1)
    assert "test.yaml:" in error and "what runs stays as it is" in error
    assert told(system, "accounts.1") == {}


def test_who_refuses_is_named(system):
    system.plan("accounts.2", "refuse")
    system.ctl("restart", "accounts.2")
    change(system, "log", level="debug")
    assert "accounts.2: as planned" in system.ctl("reload", status=1)
    assert told(system, "accounts.1")["level"] == "debug"


def test_who_does_not_answer_is_named(system):
    system.plan("accounts.2", "deaf")
    system.ctl("restart", "accounts.2")
    assert "accounts.2 has not answered" in system.ctl("reload", status=1)


def test_after_another_supervisor_adopted_them(system):
    before = pids(system)
    system.process.kill()
    system.process.wait(timeout=10)
    system.start()
    assert pids(system) == before and all(alive(pid) for pid in before)
    change(system, "log", level="debug")
    assert json.loads(system.ctl("reload", "-j"))["applied"] == ["log.level"]
    assert told(system, "children.1")["level"] == "debug"


def test_what_starts_later_has_it_already(system):
    change(system, "log", level="debug")
    system.ctl("reload")
    (system.plans / "accounts.1.reloaded").unlink()
    system.ctl("restart", "accounts.1")
    assert told(system, "accounts.1") == {}
    system.ctl("reload")
    assert told(system, "accounts.1")["level"] == "debug"
