"""template: what tools/run makes at a first start, the database and the secrets that belong to it, made once in a run of tests for all
systems that begin with the same demo data; the others get a copy, and tools/run finds nothing left to do.

Always holds: a template is whole or not there, and nobody runs on it. conftest.py says where they are (PLACE), to all processes of the
run, and removes them; without that each system makes its own."""
import contextlib
import fcntl
import os
import shutil
import subprocess

PLACE = 'AIPOTEN_TEST_TEMPLATES'
DEMO = ('AIPOTEN_DEMO_USERS', 'AIPOTEN_DEMO_CHILDREN', 'AIPOTEN_DEMO_VIDEOS')
FILES = ('postgres', 'secrets', 'services.env')
MAKE = """. tools/lib.sh; . tools/services.sh; var_resolve; services_settle; postgres_start
tools/aipotenctl db migrate
[ "$AIPOTEN_DEMO_USERS" = 0 ] ||
  tools/aipotenctl db demo --users "$AIPOTEN_DEMO_USERS" --children "$AIPOTEN_DEMO_CHILDREN" --videos "$AIPOTEN_DEMO_VIDEOS"
postgres_stop"""


def suits(system, build):
    """Would tools/run make for it what it makes for others?"""
    environment = system.environment
    return (os.environ.get(PLACE) and environment['AIPOTEN_BUILD'] == build and 'database' not in system.settings
            and not {'DATABASE_URL', 'AIPOTEN_CLOCK_SHIFT'} & set(environment)
            and not set(FILES) & set(os.listdir(system.var)))


@contextlib.contextmanager
def alone():
    with open(os.path.join(os.environ[PLACE], 'lock'), 'w', encoding='ascii') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copy(source, target):
    """Whoever the files belong to."""
    os.makedirs(target, exist_ok=True)
    subprocess.run(['cp', '-a', *(os.path.join(source, name) for name in FILES), target], check=True, timeout=60)


def lay(system, ports):
    """Before the first start of a system that it suits; ports: two that are free."""
    home = os.path.join(os.environ[PLACE], '-'.join(system.environment.get(name, '0') for name in DEMO))
    with alone():
        if not os.path.exists(home):
            system.run_tool('bash', '-euo', 'pipefail', '-c', MAKE)
            if not os.path.exists(os.path.join(system.var, 'postgres')):
                return  # it is elsewhere: only root can go to where the tests are
            copy(system.var, home + '.new')
            os.rename(home + '.new', home)
            return
    copy(home, system.var)
    path = os.path.join(system.var, 'services.env')
    with open(path, encoding='ascii') as file:
        kept = dict(line.rstrip('\n').split('=', 1) for line in file)
    kept.update(POSTGRES_PORT=ports[0], REDIS_PORT=ports[1])
    with open(path, 'w', encoding='ascii') as file:
        file.writelines(f'{name}={value}\n' for name, value in kept.items())


def remove():
    shutil.rmtree(os.environ.pop(PLACE), ignore_errors=True)
