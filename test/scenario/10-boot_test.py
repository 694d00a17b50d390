"""Starting, running again, stopping; what happens while PostgreSQL or Redis is away; configurations that are refused."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import warnings

import pytest

from harness import people
from harness.client import Client, insecure_tls
from harness.realtime import Socket
from harness.system import BUILD, ROOT, Refused, System, free_port
from harness.wait import pid_lives, wait_until

RUN, STOP, TRY = (os.path.join(ROOT, 'tools', name) for name in ('run', 'stop', 'try'))
SERVICES = {'broker': 1, 'accounts': 2, 'accounts-hash': 2, 'children': 2, 'videos': 2, 'admin': 2, 'mailer': 2,
            'assessments': 2, 'notifications': 2, 'frontend': 2}
BACK_WITHIN = 10  # ten times what the bench states


@pytest.fixture(scope='module')
def own(start_system):
    """A system for this file, whose servers come and go."""
    return start_system(from_scratch=True)


@pytest.fixture
def me(own):
    return people.demo(own, 'parent')


def first_line_ports(system):
    return [system.https_port, system.http_port, int(system.kept['POSTGRES_PORT']), int(system.kept['REDIS_PORT'])]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


# --- running -----------------------------------------------------------------------------------------------------------------

def test_status(own):
    rows = own.instances()
    assert all(row['state'].upper() == 'READY' for row in rows), rows
    counts = {}
    for row in rows:
        counts[row['service']] = counts.get(row['service'], 0) + 1
        assert pid_lives(row['pid'])
    assert counts == SERVICES


def test_health(own):
    for tls in (False, True):
        Client(own, tls=tls).get('/healthz', check=False).expect(200)
        Client(own, tls=tls).get('/readyz', check=False).expect(200)


def test_no_child_runs_as_root(own):
    """Nor does PostgreSQL or Redis; and no child has the migrator's password in its environment."""
    with open(os.path.join(own.var, 'services.env'), encoding='ascii') as file:
        password = re.search('POSTGRES_PASSWORD=(.*)', file.read()).group(1)
    servers = [int(own.services('postgres_pid')), int(own.services('redis_pid'))]
    for pid in own.pids() + servers:
        with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as file:
            uids = re.search(r'^Uid:\t(.*)$', file.read(), re.MULTILINE).group(1).split('\t')
        assert '0' not in uids or os.getuid() != 0, f'process {pid} runs as root'
        with open(f'/proc/{pid}/environ', 'rb') as file:
            assert password.encode() not in file.read(), f'process {pid} has the migrator\'s password'
    assert os.stat(os.path.join(own.var, 'services.env')).st_mode & 0o077 == 0
    assert os.stat(os.path.join(own.var, 'secrets')).st_mode & 0o077 == 0


def test_second_run_takes_seconds(own):
    pids = sorted(own.pids())
    began = time.monotonic()
    said = own.start()
    assert time.monotonic() - began < 20
    assert 'running already' in said and f'https://localhost:{own.https_port}' in said
    assert sorted(own.pids()) == pids


def test_the_commands_to_try(own):
    """Those that tools/run prints, pasted into a shell as they are."""
    said = own.start()
    commands = re.findall(r'^  ((?:curl|TOKEN=).*)$', said, re.MULTILINE)
    assert len(commands) == 6, said
    script = '\n'.join(f'{command}; echo; echo "status $?"' for command in commands)
    done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, errors='replace', timeout=60, check=True)
    answers = re.split(r'status 0\n', done.stdout)
    assert len(answers) == 7, done.stdout + done.stderr
    assert '"parent@example.com"' in answers[2] and '"success":true' in answers[3].replace(' ', '')
    assert '"question_text"' in answers[4] and 'openapi' in answers[5]


def test_a_visitors_journey(own):
    said = own.run_tool(TRY, timeout=120)  # finds the running system by itself
    assert 'went as it should' in said and f'https://localhost:{own.https_port}/' in said
    assert own.run_tool(TRY, f'http://127.0.0.1:{own.http_port}', timeout=120)


def test_two_users_in_one_terminal(own):
    said = own.run_tool(TRY, '--realtime', timeout=120)
    for name in ('parent', 'therapist'):
        assert re.search(rf'^[0-9:]+  {name} ◀ \["new_notification",.*의 알림"', said, re.MULTILINE), said
    assert re.search('^[0-9:]+  therapist ◀ the server ended it$', said, re.MULTILINE) and said.endswith('Both were told what they should be.\n')


def test_the_journey_fails_where_nothing_listens(own):
    with pytest.raises(Refused, match='tools/run starts it'):
        own.run_tool(TRY, f'https://127.0.0.1:{free_port()}', timeout=60)


@pytest.mark.parametrize('version, good', [(ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                                           (ssl.TLSVersion.TLSv1_1, False)])
def test_tls_versions(own, version, good):
    context = insecure_tls(['h2', 'http/1.1'])
    context.set_ciphers('ALL:@SECLEVEL=0')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the ssl module, that TLS 1.1 is old: so it is
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        context.minimum_version = version
    with socket.create_connection(('127.0.0.1', own.https_port), timeout=10) as plain:
        if good:
            with context.wrap_socket(plain, server_hostname='localhost') as connection:
                assert connection.selected_alpn_protocol() == 'h2'
        else:
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                context.wrap_socket(plain, server_hostname='localhost')


# --- configuration -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('text, line, word', [
    ('http:\n  max_bodyy: 1M\n', 2, 'max_bodyy'),
    ('http:\n  max_body: large\n', 2, 'max_body'),
    ('rate:\n  enabled: true\n  api_per_minute: 0\n', 3, 'api_per_minute'),
    ('listen:\n  https_port: 70000\n', 2, 'https_port'),
    ('listen:\n\thttps_port: 8443\n', 2, ''),
    ('listen: [\n', 1, 'listen'),
    ('nonsense\n', 1, ''),
    ('auth:\n  issuer: a\nauth:\n  issuer: b\n', 4, 'issuer'),
], ids=range(8))
def test_wrong_configuration(own, tmp_path, text, line, word):
    """Refused with file, line and reason, by the check and by tools/run; what runs stays."""
    path = tmp_path / 'wrong.yaml'
    path.write_text(text, encoding='utf-8')
    pids, supervisor = sorted(own.pids()), own.supervisor_pid()
    for command in ([os.path.join(ROOT, 'tools', 'aipotenctl'), 'config', 'check', str(path)],
                    [RUN, '--detach', '--no-build', '--config', str(path)]):
        with pytest.raises(Refused) as refused:
            own.run_tool(*command)
        assert re.search(rf'wrong\.yaml:{line}(:\d+)?: ', str(refused.value)), refused.value
        assert word in str(refused.value)
    assert sorted(own.pids()) == pids and own.supervisor_pid() == supervisor
    Client(own).get('/readyz', check=False).expect(200)


def test_configuration_that_became_wrong(own):
    """A restart reads the file again; a wrong one is refused, and what runs stays."""
    pids = sorted(own.pids())
    with open(own.config, encoding='utf-8') as file:
        right = file.read()
    try:
        with open(own.config, 'w', encoding='utf-8') as file:
            file.write('http:\n  max_body: 5 apples\n')
        with pytest.raises(Refused, match=r'test\.yaml:2'):
            own.ctl('restart', 'children')
    finally:
        with open(own.config, 'w', encoding='utf-8') as file:
            file.write(right)
    assert sorted(own.pids()) == pids
    Client(own).get('/readyz', check=False).expect(200)


@pytest.mark.parametrize('name', ['development.yaml', 'production.yaml', 'conformance.yaml'])
def test_our_configurations_are_right(own, name):
    own.ctl('config', 'check', os.path.join(ROOT, 'h2o-conf', name))


def test_demo_data_only_where_it_is_wanted(own):
    """Accounts whose password everybody knows: not without the configuration's word, whatever the environment says."""
    assert 'database.demo: false' in own.ctl('config', 'show', os.path.join(ROOT, 'h2o-conf', 'production.yaml'))
    system = System(settings={'database': {'demo': False}})
    try:
        with pytest.raises(Refused, match='forbids demo data'):
            system.start()
        system.environment.pop('AIPOTEN_DEMO_USERS')
        assert 'Demo accounts' not in system.start()
        with system.database() as database:
            assert database.value('SELECT count(*) FROM accounts.users') == 0
    finally:
        system.destroy()


def test_an_orderly_end_is_no_death(own):
    own.ctl('restart', 'admin')
    own.wait_ready()
    assert [row['last_death'] for row in own.instances('admin')] == [None, None]
    assert 'last death' not in own.ctl('status')


def test_supervisor_tells_its_own_memory(own):
    """For an ordinary user aipotenctl cannot look into it."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.path.join(own.var, 'run', 'control.sock'))
        control.sendall(b'{"request": "status"}\n')
        said = control.makefile().readline()
    assert 1 << 20 < json.loads(said)['supervisor']['memory'] < 1 << 28


def test_configuration_that_is_not_there(own):
    with pytest.raises(Refused, match='there is no configuration file'):
        own.run_tool(RUN, '--detach', '--no-build', '--config', '/nonexistent.yaml')


# --- PostgreSQL and Redis go away --------------------------------------------------------------------------------------------

def test_postgres_stopped_and_started(own, me):
    """503 with Retry-After meanwhile (contract.py checks the header), no process dies, full service soon after."""
    pids = sorted(own.pids())
    me.client.get('/api/v1/children').expect(200)
    own.services('postgres_stop')
    own.ctl('cache', 'flush')  # what is in it is served on
    for _ in range(20):
        assert me.client.get('/api/v1/children').expect(503, 'UNAVAILABLE').header('retry-after')
        me.client.patch('/api/v1/users/me', {'name': '김부재'}).expect(503, 'UNAVAILABLE')
        Client(own).post('/api/v1/auth/login', {'email': me.email, 'password': me.password}).expect(503, 'UNAVAILABLE')
    Client(own).get('/healthz', check=False).expect(200)
    assert sorted(own.pids()) == pids, 'a process died'

    own.services('postgres_start')
    began = time.monotonic()
    for request in (lambda: me.client.get('/api/v1/children'), lambda: me.client.patch('/api/v1/users/me', {'name': '김복귀'}),
                    lambda: Client(own).get('/readyz', check=False),
                    lambda: Client(own).post('/api/v1/auth/login', {'email': me.email, 'password': me.password})):
        wait_until(lambda request=request: request().status == 200, BACK_WITHIN, 'service after PostgreSQL came back')
    wait_until(lambda: all(Client(own, me.token).get('/api/v1/children').status == 200 for _ in range(40)), BACK_WITHIN,
               'service by every instance')
    assert time.monotonic() - began < BACK_WITHIN
    assert sorted(own.pids()) == pids, 'a process died'


def test_who_hashes_needs_no_database(own, me):
    """accounts-hash has no connection to PostgreSQL, and comes up without it."""
    assert all((row['connections'] > 0) == (row['service'] not in ('accounts-hash', 'broker', 'frontend')) for row in own.instances())
    old = own.pids('accounts-hash')
    own.services('postgres_stop')
    try:
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: [row['state'].upper() for row in own.instances('accounts-hash') if row['pid'] not in old] == ['READY'] * 2,
                   BACK_WITHIN, 'accounts-hash without PostgreSQL')
    finally:
        own.services('postgres_start')
    wait_until(lambda: Client(own).post('/api/v1/auth/login', {'email': me.email, 'password': me.password}).status == 200, BACK_WITHIN)


CUT = """as_postgres psql -U postgres -h "$services_home/postgres" -p "$POSTGRES_PORT" -Atqc "SELECT pg_terminate_backend(pid)
FROM pg_stat_activity WHERE usename IN ('aipoten_accounts', 'aipoten_children')" postgres"""


def test_postgres_connections_cut(own, me):
    """An administrator ends all connections: at most one request per lane sees it, as 503."""
    pids = sorted(own.pids())
    for _ in range(5):
        own.services(CUT)
        wait_until(lambda: me.client.get('/api/v1/children').status == 200, BACK_WITHIN)
    wait_until(lambda: all(Client(own, me.token).get('/api/v1/children').status == 200 for _ in range(20)), BACK_WITHIN)
    assert sorted(own.pids()) == pids, 'a process died'


def test_redis_stopped(own, me):
    pids = sorted(own.pids())
    own.services('redis_stop')
    try:
        for _ in range(20):
            me.client.get('/api/v1/children').expect(200)
            me.client.patch('/api/v1/users/me', {'name': '김래디'}).expect(200)
        people.log_in(own, me.email)
        Client(own).get('/readyz', check=False).expect(200)
    finally:
        own.services('redis_start')
    me.client.get('/api/v1/children').expect(200)
    assert sorted(own.pids()) == pids, 'a process died'


def test_run_starts_only_what_is_down(own, me):
    pids = sorted(own.pids())
    own.services('postgres_stop')
    own.services('redis_stop')
    assert 'running already' in own.start()
    wait_until(lambda: me.client.get('/api/v1/children').status == 200, BACK_WITHIN)
    assert sorted(own.pids()) == pids


# --- stopping ----------------------------------------------------------------------------------------------------------------

def test_stop_ends_everything_and_the_data_stays(own, me):
    """Also when somebody was last seen online, whose socket the stop ends."""
    online = Socket(own, me.token)
    assert online.ask('presence', {'userId': me.id})['data']['online'] is True
    person = people.newcomer(own)
    child = person.child(name='남는아이')
    pids = own.pids() + [own.supervisor_pid(), int(own.services('postgres_pid')), int(own.services('redis_pid'))]
    ports = first_line_ports(own)
    own.stop()
    assert not [pid for pid in pids if pid_lives(pid)]
    assert not [port for port in ports if listens(port)]
    assert 'Nothing of aipoten runs' in own.stop(), 'a second stop is no fault'

    own.start()
    asker = Socket(own, people.demo(own, 'admin').token)
    told = wait_until(lambda: (data := asker.ask('presence', {'userId': me.id})['data'])['lastSeen'] and data, 20, 'what Redis remembers')
    assert told['online'] is False
    asker.close()
    again = people.log_in(own, person.email, person.password)
    assert again.client.get(f'/api/v1/children/{child["id"]}').expect(200).data['name'] == '남는아이'
    person.client.get('/api/v1/users/me').expect(200)  # tokens outlive a restart: the keys are kept


def test_foreground_and_ctrl_c():
    """tools/run without --detach stays until Ctrl-C, which ends all of it."""
    system = System()
    with open(os.path.join(system.var, 'foreground.log'), 'wb') as log:
        shell = subprocess.Popen([RUN, '--no-build', '--config', system.config], env=system.environment, cwd=ROOT, stdout=log,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        def said():
            with open(log.name, encoding='utf-8') as file:
                return file.read()
        wait_until(lambda: 'Ctrl-C stops everything' in said() or shell.poll() is not None, 120, 'tools/run to be ready')
        assert shell.poll() is None, said()
        pids, ports = system.pids() + [system.supervisor_pid()], first_line_ports(system)
        os.kill(system.supervisor_pid(), signal.SIGKILL)
        wait_until(lambda: system.supervisor_pid() not in (None, pids[-1]), BACK_WITHIN, 'tools/run to bring the supervisor back')
        wait_until(system.all_ready, BACK_WITHIN)
        assert sorted(system.pids()) == sorted(pids[:-1]), 'the children were adopted'
        os.killpg(shell.pid, signal.SIGINT)
        assert shell.wait(60) != 0
        assert not [pid for pid in pids if pid_lives(pid)], said()
        assert not [port for port in ports if listens(port)], said()
    finally:
        if shell.poll() is None:
            shell.terminate()
            shell.wait(60)
        system.destroy()


def test_port_that_is_taken():
    """Refused with a sentence that names the port; nothing stays behind."""
    system = System(demo=False)
    try:
        with socket.create_server(('0.0.0.0', system.https_port)):
            with pytest.raises(Refused, match=str(system.https_port)):
                system.start()
        assert system.supervisor_pid() is None
        system.start()
        Client(system).get('/readyz', check=False).expect(200)
    finally:
        system.destroy()


def test_test_build_is_what_runs(own):
    assert own.environment['AIPOTEN_BUILD'] == BUILD
    with open(f'/proc/{own.supervisor_pid()}/maps', encoding='ascii') as file:
        assert 'libasan' in file.read(), 'without AddressSanitizer these tests see half'
