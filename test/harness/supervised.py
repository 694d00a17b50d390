"""supervised: a supervisor of the unit tests' own table, whose children do what a test tells them (unit/supervisor/child.c)."""
import json
import os
import stat
import subprocess
import time
from pathlib import Path

import yaml

from .system import BUILD as BUILD_TREE
from .system import free_port

BUILD = Path(BUILD_TREE)
SUPERVISOR = BUILD / "unit" / "unit-supervisor"
CTL = BUILD / "bin" / "aipotenctl"
DURATIONS = {"start_timeout": "4s", "watchdog": "2s", "stop_timeout": "1s", "backoff_first": "200ms", "backoff_most": "1s",
             "failed_retry": "2s", "intensity_window": "60s"}


def until(condition, seconds=30, what=""):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class System:
    def __init__(self, directory, **settings):
        self.var = directory / "var"
        self.plans = directory / "plans"
        self.plans.mkdir()
        self.plans.chmod(0o777)
        for path in (directory, *directory.parents[:3]):  # pytest-xdist makes one more
            if path.stat().st_uid == os.geteuid():
                path.chmod(path.stat().st_mode | stat.S_IXOTH)
        self.config = directory / "test.yaml"
        self.settings = {"listen": {"https_port": free_port(), "http_port": free_port()},
                         "http": {"drain_timeout": "500ms"}, "actor": {"drain_timeout": "500ms"},
                         "instances": {"frontend": 2, "accounts": 2, "accounts-hash": 1, "admin": 0, "mailer": 0, "children": 1},
                         "supervisor": {"user": "nobody", **DURATIONS, **settings}}
        self.write_config()
        self.environment = {**os.environ, "AIPOTEN_VAR": str(self.var), "AIPOTEN_CHILD_PLANS": str(self.plans),
                            "DATABASE_URL": "postgresql://owner:hidden@db.example:5433/aipoten?sslmode=disable",
                            "ASAN_OPTIONS": "detect_leaks=0:disable_coredump=1"}
        self.environment.pop("AIPOTEN_HTTPS_PORT", None)
        self.environment.pop("AIPOTEN_HTTP_PORT", None)
        self.process = None

    def write_config(self):
        self.config.write_text(yaml.safe_dump(self.settings))

    def plan(self, instance, words):
        (self.plans / instance).write_text(words)

    def seen(self, instance):
        return dict(line.split(" ", 1) for line in (self.plans / f"{instance}.seen").read_text().splitlines())

    def spawn(self, *arguments):
        """In the foreground; what it says goes to a file."""
        said = open(self.var.parent / "said", "ab")
        self.process = subprocess.Popen([SUPERVISOR, "--config", self.config, *arguments], env=self.environment, stdout=said,
                                        stderr=said, stdin=subprocess.DEVNULL)
        until(lambda: subprocess.run([CTL, "status", "-j"], env=self.environment, capture_output=True, check=False).returncode == 0)

    def run(self, *arguments):
        with open(self.var.parent / "said-once", "w+b") as said:
            done = subprocess.run([SUPERVISOR, "--config", self.config, *arguments], env=self.environment, stdout=said,
                                  stderr=said, stdin=subprocess.DEVNULL, timeout=60, check=False)
            said.seek(0)
            return done.returncode, said.read().decode()

    def start(self):
        self.spawn()
        self.ctl("wait", "--timeout", "30")

    def said(self):
        return (self.var.parent / "said").read_text()

    def ctl(self, *arguments, status=0):
        done = subprocess.run([CTL, *arguments], env=self.environment, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def status(self):
        return json.loads(self.ctl("status", "-j"))

    def instance(self, name):
        service, number = name.rsplit(".", 1)
        for row in self.status()["instances"]:
            if row["service"] == service and row["instance"] == int(number):
                return row
        return None

    def pid(self, name):
        return self.instance(name)["pid"]

    def wait_state(self, name, state, seconds=30):
        return until(lambda: (row := self.instance(name)) and row["state"] == state and row, seconds, f"{name} {state}")

    def history(self):
        return json.loads(self.ctl("history", "-j"))["deaths"]

    def stop(self):
        subprocess.run([CTL, "stop"], env=self.environment, capture_output=True, timeout=60, check=False)
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait(timeout=10)
        subprocess.run([SUPERVISOR, "--config", self.config, "--end"], env=self.environment, capture_output=True, timeout=60,
                       check=False)
