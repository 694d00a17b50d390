"""system: a whole private aipoten: its own AIPOTEN_VAR, ports, PostgreSQL and Redis, started by tools/run itself.

The programs are those of the test build (AIPOTEN_BUILD, default build/test): AddressSanitizer and UndefinedBehaviorSanitizer
watch whatever a test does, and a report in any log fails the test (conftest.py)."""
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile

import yaml

from . import template
from .database import Database
from .logs import Logs
from .wait import kill, pid_lives, wait_until

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))
BUILD = os.environ.get('AIPOTEN_BUILD') or os.path.join(ROOT, 'build', 'test')
START_TIMEOUT, STOP_TIMEOUT = 180, 180
# Demo data for tests: enough for several pages, quick to load.
DEMO = {'AIPOTEN_DEMO_USERS': '200', 'AIPOTEN_DEMO_CHILDREN': '320', 'AIPOTEN_DEMO_VIDEOS': '200'}

# Connected, and through with preparing its statements: its own words in application_name are "aipoten accounts.1 read".
READ_LANES = """as_postgres psql -U postgres -h "$services_home/postgres" -p "$POSTGRES_PORT" -Atqc "SELECT count(DISTINCT application_name)
FROM pg_stat_activity WHERE application_name LIKE 'aipoten % read' AND state = 'idle' AND query <> ''" postgres"""

live = []  # systems that were started and not destroyed

given_ports = set()


def free_port():
    """At random, below those that the kernel gives to outgoing connections, and of this worker's alone: nobody takes it before we
    listen, nor while a system is down."""
    workers, worker = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', 1)), int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:])
    while True:
        port = random.randrange(10000 + worker, 20000, workers)
        if port in given_ports:
            continue
        given_ports.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(('0.0.0.0', port))
                return port
            except OSError:
                pass


class Refused(AssertionError):
    """A tool of ours ended with a failure; str() is what it said."""

    def __init__(self, status, said):
        super().__init__(said)
        self.status = status


class System:
    """settings change the configuration: {'rate': {'enabled': True}}; environment is added to that of tools/run; `beside`: another
    machine, over the PostgreSQL and Redis of that running system and with its secrets; `conformance`: what tools/run --conformance
    starts, whatever the settings say; `from_scratch`: tools/run makes its database itself, though there are copies (template.py)."""

    def __init__(self, settings=None, environment=None, demo=True, beside=None, conformance=False, from_scratch=False):
        self.var = tempfile.mkdtemp(prefix='aipoten-test.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
        os.chmod(self.var, 0o755)
        self.https_port, self.http_port = free_port(), free_port()
        self.settings, self.conformance, self.from_scratch = settings or {}, conformance, from_scratch
        self.config = os.path.join(self.var, 'test.yaml')
        self.write_config(settings or {})
        self.environment = {
            **os.environ, 'AIPOTEN_VAR': self.var, 'AIPOTEN_BUILD': BUILD, 'AIPOTEN_RATE_LIMITS': 'off',
            'AIPOTEN_HTTPS_PORT': str(self.https_port), 'AIPOTEN_HTTP_PORT': str(self.http_port),
            'ASAN_OPTIONS': 'detect_leaks=0:abort_on_error=0:disable_coredump=1:detect_stack_use_after_return=0',
            'UBSAN_OPTIONS': 'print_stacktrace=1',
            **(DEMO if demo else {'AIPOTEN_DEMO_USERS': '0'})}
        for given in ('DATABASE_URL', 'REDIS_URL'):
            self.environment.pop(given, None)
        if beside:
            shutil.copytree(os.path.join(beside.var, 'secrets'), os.path.join(self.var, 'secrets'))
            self.environment.update(DATABASE_URL=beside.database_url, REDIS_URL=beside.redis_url, AIPOTEN_DEMO_USERS='0')
        self.environment.update(environment or {})
        self.logs = Logs(self.var)
        self.people = {}  # people.py: demo accounts that are logged in
        self._openapi = None

    # --- configuration ---------------------------------------------------------------------------------------------

    def write_config(self, settings, path=None):
        """development.yaml with `settings` laid over it; bcrypt at its least, for tests need not wait, tokens that outlive the
        slowest run, and no bans, for all clients here have one address."""
        with open(os.path.join(ROOT, 'h2o-conf', 'development.yaml'), encoding='utf-8') as file:
            merged = yaml.safe_load(file) or {}
        for section, values in {'auth': {'bcrypt_cost': 4, 'access_lifetime': '2h'}, 'abuse': {'ban': '0s'}}.items():
            merged.setdefault(section, {}).update(values)
        for section, values in settings.items():
            merged.setdefault(section, {}).update(values)
        with open(path or self.config, 'w', encoding='utf-8') as file:
            yaml.safe_dump(merged, file)

    # --- start and stop --------------------------------------------------------------------------------------------

    def run_tool(self, *command, timeout=START_TIMEOUT, check=True, **environment):
        """One of our programs; returns what it said (stdout and stderr together)."""
        with tempfile.TemporaryFile() as out:  # a pipe would stay open in the processes it leaves running
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout,
                                  env={**self.environment, **environment}, cwd=ROOT, check=False)
            out.seek(0)
            said = out.read().decode('utf-8', 'replace')
        if check and done.returncode != 0:
            raise Refused(done.returncode, f'{" ".join(command)} ended with {done.returncode}:\n{said}')
        return said

    def start(self, *arguments, **environment):
        if self not in live:
            live.append(self)
            if not self.from_scratch and template.suits(self, BUILD):
                template.lay(self, [free_port(), free_port()])
        what = ('--conformance', str(self.http_port)) if self.conformance else ('--config', self.config)
        return self.run_tool(os.path.join(ROOT, 'tools', 'run'), '--detach', '--no-build', *what, *arguments, **environment)

    def stop(self):
        return self.run_tool(os.path.join(ROOT, 'tools', 'stop'), timeout=STOP_TIMEOUT)

    def destroy(self):
        if self in live:
            live.remove(self)
        if os.environ.get('AIPOTEN_TEST_KEEP'):
            return
        try:
            self.stop()
        finally:
            shutil.rmtree(self.var, ignore_errors=True)

    # --- its processes ---------------------------------------------------------------------------------------------

    def ctl(self, *arguments, check=True, timeout=60):
        """aipotenctl's words; with -j among the arguments, the parsed JSON."""
        said = self.run_tool(os.path.join(ROOT, 'tools', 'aipotenctl'), *arguments, timeout=timeout, check=check)
        return json.loads(said) if '-j' in arguments else said

    def instances(self, service=None):
        """[{service, instance, state, pid, …}] as aipotenctl sees them."""
        rows = self.ctl('status', '-j')['instances']
        return [row for row in rows if service is None or row['service'] == service]

    def pids(self, service=None):
        return [row['pid'] for row in self.instances(service) if row['pid']]

    def supervisor_pid(self):
        for name in ('supervisor.pid', 'supervisor.lock'):
            path = os.path.join(self.var, 'run', name)
            if os.path.exists(path):
                with open(path, encoding='ascii') as file:
                    pid = int(file.readline() or 0)
                return pid if pid and pid_lives(pid) else None
        return None

    def all_ready(self):
        rows = self.instances()
        return bool(rows) and all(row['state'] in ('READY', 'ready') for row in rows)

    def wait_ready(self, timeout=30):
        wait_until(self.all_ready, timeout, 'all instances ready', every=0.1)

    def kill(self, pid):
        kill(pid)

    # --- its servers -----------------------------------------------------------------------------------------------

    def services(self, function):
        """A function of tools/services.sh for this system: postgres_stop, redis_start …"""
        script = '. tools/lib.sh; . tools/services.sh; var_resolve; services_load; ' + function
        return self.run_tool('bash', '-euo', 'pipefail', '-c', script, DATABASE_URL='', REDIS_URL='')

    def postgres_back(self):
        """Starts PostgreSQL again; when it returns every instance can read: until then each answers 503 (lanes.h)."""
        self.services('postgres_start')
        actors = [row for row in self.instances() if row['service'] not in ('broker', 'frontend', 'accounts-hash')]
        wait_until(lambda: int(self.services(READ_LANES)) >= len(actors), 20, 'the read lanes of all instances', every=0.02)

    @property
    def kept(self):
        """services.env: ports and passwords of the private servers."""
        with open(os.path.join(self.var, 'services.env'), encoding='ascii') as file:
            return dict(line.rstrip('\n').split('=', 1) for line in file)

    @property
    def database_url(self):
        kept = self.kept
        return (f'postgresql://aipoten_migrator:{kept["POSTGRES_PASSWORD"]}@127.0.0.1:{kept["POSTGRES_PORT"]}'
                '/aipoten')

    @property
    def redis_url(self):
        kept = self.kept
        return f'redis://default:{kept["REDIS_PASSWORD"]}@127.0.0.1:{kept["REDIS_PORT"]}/0'

    def secret(self, name):
        with open(os.path.join(self.var, 'secrets', name), 'rb') as file:
            return file.read()

    def database(self, role=None):
        """A connection as the migrator, or as an actor's role ('accounts')."""
        if role is None:
            return Database(self.database_url)
        kept = self.kept
        return Database(host='127.0.0.1', port=kept['POSTGRES_PORT'], dbname='aipoten', user=f'aipoten_{role}',
                        password=self.secret(f'db.{role}').decode().strip())

    # --- its interface ---------------------------------------------------------------------------------------------

    @property
    def openapi(self):
        if self._openapi is None:
            from .contract import Contract
            self._openapi = Contract.fetch(self)
        return self._openapi
