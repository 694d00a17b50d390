"""/metrics: Prometheus' own checker is content; every request is counted, in its bucket, also when the frontend that answered is
killed; what clients invent makes no series; strangers are told nothing. Slow statements are in the log. `aipotenctl top` tells who
is at what, also when somebody hangs."""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import uuid

import yaml

from harness.client import Client
from harness.load import Load
from harness.metrics import Metrics, promtool
from harness.system import ROOT
from harness.wait import wait_until

CHILDREN = '/api/v1/children'
REQUESTS, SECONDS = 'aipoten_http_requests_total', 'aipoten_http_request_duration_seconds'
CALLS, CALL_SECONDS = 'aipoten_actor_calls_total', 'aipoten_actor_call_duration_seconds'


def grown(system, before, name, **labels):
    return Metrics.of(system).sum(name, **labels) - before.sum(name, **labels)


def test_promtool_is_content(system, parent):
    parent.client.get(CHILDREN).expect(200)
    Client(system).get('/nothing').expect(404)
    metrics = Metrics.of(system)
    assert promtool('check', 'metrics', given=metrics.text) == ''
    assert len(metrics.series()) == len(metrics.samples), 'a series stands there twice'
    for name in ('aipoten_build_info', REQUESTS, f'{SECONDS}_bucket', CALLS, 'aipoten_pending', 'aipoten_calls_in_flight',
                 'aipoten_calls_queued', 'aipoten_database_statements_total', 'aipoten_database_time_seconds_total',
                 'aipoten_service_starts_total', 'aipoten_service_deaths_total', 'aipoten_rate_limited_total',
                 'aipoten_rejected_total', 'aipoten_instance_state', 'aipoten_process_resident_memory_bytes',
                 'aipoten_process_cpu_seconds_total', 'aipoten_database_connections', 'aipoten_cache_looks_total',
                 'aipoten_cache_entries'):
        assert metrics.find(name), f'{name} is missing'
    processes = {f'{row["service"]}.{row["instance"]}' for row in system.instances()}
    for name in ('aipoten_process_private_memory_bytes', 'aipoten_process_start_time_seconds'):
        assert {labels['process'] for labels, value in metrics.find(name) if value > 0} == processes
    assert metrics.sum('aipoten_instance_state', state='READY') == len(processes)


def test_each_request_is_counted_once_and_in_its_bucket(system, parent):
    before = Metrics.of(system)
    for _ in range(7):
        parent.client.get(CHILDREN).expect(200)
    parent.client.get(CHILDREN + '?page=0').expect(400)
    parent.client.request('HEAD', CHILDREN).expect(200)
    after = Metrics.of(system)

    def more(name, **labels):
        return after.sum(name, **labels) - before.sum(name, **labels)

    assert more(REQUESTS, operation='children.list', code='200') == 8
    assert more(REQUESTS, operation='children.list', code='400') == 1
    assert more(f'{SECONDS}_count', operation='children.list', **{'class': '2xx'}) == 8
    assert 0 < more(f'{SECONDS}_sum', operation='children.list', **{'class': '2xx'}) < 80
    for of, name in (('children.list', SECONDS), ('children.list', CALL_SECONDS)):
        buckets = [value for _, value in after.find(f'{name}_bucket', operation=of, **{'class': '2xx'})]
        assert buckets == sorted(buckets), 'buckets count all that is below them'
        assert buckets[-1] == after.sum(f'{name}_count', operation=of, **{'class': '2xx'})
    assert more(REQUESTS, operation='system.metrics', code='200') == 1


def test_what_the_cache_answers_is_counted(system, newcomer):
    person = newcomer()
    before = Metrics.of(system)
    for _ in range(6):
        person.client.get(CHILDREN).expect(200)
    hits, misses = grown(system, before, 'aipoten_cache_hits_total'), grown(system, before, 'aipoten_cache_misses_total')
    assert hits >= 1 and hits + misses == 6
    assert grown(system, before, 'aipoten_cache_hits_total', level='memory') == hits
    assert grown(system, before, 'aipoten_cache_looks_total', outcome='hit') >= hits
    assert grown(system, before, REQUESTS, operation='children.list', code='200') == 6


def test_what_clients_invent_makes_no_series(system, parent):
    client = Client(system, check=False)

    def visit(name):
        client.get(f'/{name}')
        client.get(f'{CHILDREN}/{name}')
        parent.client.get(f'{CHILDREN}/{name}', check=False)
        client.request(name.upper(), CHILDREN)
        client.get(f'{CHILDREN}?{name}={name}', headers={'accept-language': name, 'user-agent': name, 'x-request-id': name})

    visit('zzfirst')
    before = Metrics.of(system)
    for number in range(30):
        visit(f'zzinvented{number}')
    after = Metrics.of(system)
    assert after.series() == before.series()
    assert 'zz' not in after.text.lower()
    assert after.sum(REQUESTS, operation='none') >= before.sum(REQUESTS, operation='none') + 60


def test_a_killed_frontend_has_lost_nothing(system, parent):
    parent.client.get(CHILDREN).expect(200)
    before = Metrics.of(system)
    for pid in system.pids('frontend'):
        system.kill(pid)
    wait_until(lambda: grown_or_none(system, before) == 2, 30, 'two deaths in /metrics', every=0.1)
    system.wait_ready()
    after = Metrics.of(system)
    assert after.sum(REQUESTS, operation='children.list') == before.sum(REQUESTS, operation='children.list')
    for labels, value in before.find(f'{SECONDS}_count'):
        assert after.sum(f'{SECONDS}_count', **labels) >= value
    parent.client.get(CHILDREN).expect(200)
    assert grown(system, before, REQUESTS, operation='children.list', code='200') == 1


def grown_or_none(system, before):
    """None as long as no frontend answers."""
    try:
        return grown(system, before, 'aipoten_service_deaths_total', service='frontend')
    except OSError:
        return None


def test_strangers_are_told_nothing(system):
    token = system.secret('metrics_token').decode().strip()

    def status(tls=False, **headers):
        return Client(system, check=False, tls=tls, headers=headers).get('/metrics')

    assert status().status == status(tls=True).status == 200
    for betraying in ('x-forwarded-for', 'forwarded', 'via', 'x-real-ip'):
        refused = status(**{betraying: '203.0.113.1'})
        refused.expect(404, 'NOT_FOUND')
        assert b'aipoten_' not in refused.body
        assert status(**{betraying: '203.0.113.1', 'authorization': f'Bearer {token}'}).status == 200
        for wrong in ('', token[:-1], token + 'x', 'x' * len(token)):
            assert status(**{betraying: '203.0.113.1', 'authorization': f'Bearer {wrong}'}).status == 404
    with socket.create_connection(('127.0.0.1', system.http_port), timeout=10) as plain:  # as nginx asks
        plain.sendall(b'GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
        refused = plain.makefile('rb').read()
    assert b' 404 ' in refused.splitlines()[0] and b'aipoten_' not in refused
    answer = status()
    assert answer.header('content-type') == 'text/plain; version=0.0.4; charset=utf-8'
    assert answer.header('cache-control') == 'no-store'


def test_a_slow_statement_is_logged_with_its_request(system, newcomer):
    """Somebody else holds the row until the statement's time is over."""
    person = newcomer()
    child, request = person.child(name='김느림보'), 'slow-request-4711'
    before, mark = Metrics.of(system), system.logs.mark()
    with system.database() as holder:
        holder.connection.autocommit = False
        holder.rows('SELECT id FROM children.children WHERE id = %s FOR UPDATE', child['id'])
        answer = person.client.patch(f'{CHILDREN}/{child["id"]}', {'name': '김아직도'}, headers={'x-request-id': request})
        holder.connection.rollback()
    assert answer.status == 503
    lines = system.logs.events(mark, 'slow_statement')
    assert len(lines) == 1, lines
    line = lines[0]
    assert line['statement'] == 'child_lock' and line['lane'] == 'write' and line['operation'] == 'children.update'
    assert line['request'] == request and line['milliseconds'] > 1000 and 'database.slow_log' in line['next']
    said = ''.join(system.logs.since(mark).values())
    assert child['id'] not in said and '김아직도' not in said
    labels = {'operation': 'children.update', 'class': '5xx'}
    assert grown(system, before, f'{SECONDS}_bucket', le='1', **labels) == 0
    assert grown(system, before, f'{SECONDS}_bucket', le='+Inf', **labels) == 1
    assert grown(system, before, 'aipoten_database_time_seconds_total', lane='write') > 1


# --- aipotenctl top ----------------------------------------------------------------------------------------------------------

def asking(system, parent):
    """A load that no cache answers: for children that are not there."""
    return Load(system, parent.token, {'get': lambda client: client.get(f'{CHILDREN}/{uuid.uuid4()}')}, threads=4, pause=0)


def test_top_tells_what_is_asked_of_whom(system, parent):
    with asking(system, parent):
        look = wait_until(lambda: busy_look(system), 20, 'a second with requests')
    assert look['operations'][0]['operation'] == 'children.get'
    total, frontends = look['total'], rows_of(look, 'frontend')
    assert total['answered'] == sum(row['answered'] for row in frontends) > 0
    assert 0 < total['p50'] <= total['p99'] and total['requests'] > 0 and total['statements'] > 0
    children = rows_of(look, 'children')
    assert sum(row['answered'] for row in children) > 0 and max(row['statement_time'] or 0 for row in children) > 0
    assert {(row['service'], row['instance']) for row in look['instances']} == {
        (row['service'], row['instance']) for row in system.instances()}
    assert all(row['memory'] > 1e6 and row['state'] == 'READY' and not row['stopped'] for row in look['instances'])
    text = system.ctl('top', '-n', '2')
    assert text.count('INSTANCE') == 2 and '\033' not in text and '\1' not in text
    assert re.search(r'^children\.2 +READY ', text, re.M) and re.search(r'^total ', text, re.M)


def rows_of(look, service):
    return [row for row in look['instances'] if row['service'] == service]


def busy_look(system):
    look = system.ctl('top', '-j')
    return look if look['total']['answered'] and any(row['statement_time'] for row in rows_of(look, 'children')) else None


def stopped_at_work(system, pid):
    """Stops the process, and lets it go on when it was not at anything."""
    os.kill(pid, signal.SIGSTOP)
    row = next(row for row in system.instances('children') if row['pid'] == pid)
    if row['now']:
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def test_top_beside_an_actor_that_hangs(system, parent):
    """And once beside a supervisor that hangs as well."""
    pid, supervisor = system.pids('children')[0], system.supervisor_pid()
    with asking(system, parent):
        try:
            # By chance: it is at work for a part of the time only, the smaller the more there is to do beside it.
            wait_until(lambda: stopped_at_work(system, pid), 240, 'an actor that hangs at work', every=0.01)
            os.kill(supervisor, signal.SIGSTOP)
            look = system.ctl('top', '-j')
            os.kill(supervisor, signal.SIGCONT)
            text, metrics = system.ctl('top'), Metrics.of(system)
        finally:
            os.kill(supervisor, signal.SIGCONT)
            os.kill(pid, signal.SIGCONT)
    row = next(row for row in look['instances'] if row['pid'] == pid)
    assert row['stopped'] and row['now']['operation'] == 'children.get' and row['now']['seconds'] > 0.5
    assert re.search(rf'^children\.{row["instance"]} .* in children\.get for [0-9.]+ s, stopped by a signal$', text, re.M), text
    assert metrics.sum('aipoten_process_operation_seconds', process=f'children.{row["instance"]}') > 1
    system.wait_ready()


def test_top_in_a_terminal(system):
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack('HHHH', 12, 100, 0, 0))
    before = termios.tcgetattr(theirs)
    top = subprocess.Popen([os.path.join(ROOT, 'tools', 'aipotenctl'), 'top'], stdin=theirs, stdout=theirs, stderr=theirs,
                           env=system.environment, cwd=ROOT)
    screen = b''

    def read_until(what):
        nonlocal screen
        until = time.monotonic() + 30
        while not what() and time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                screen += os.read(ours, 65536)
        assert what(), screen

    try:
        read_until(lambda: screen.count(b'\033[H') >= 2 and screen.endswith(b'\033[J'))
        assert screen.startswith(b'\033[?1049h') and termios.tcgetattr(theirs) != before
        frame = re.sub(r'\033\[[0-9;?]*[A-Za-z]', '', screen.split(b'\033[H')[-1].decode())
        lines = re.split(r'\r+\n', frame)
        assert len(lines) <= 12 and max(len(line) for line in lines) <= 100, frame
        assert lines[1].startswith('INSTANCE') and lines[2].startswith('total ') and lines[3].startswith('accounts.1 ')
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 160, 0, 0))
        read_until(lambda: b'total' in screen.split(b'\033[H')[-1])
        os.write(ours, b'q')
        read_until(lambda: screen.endswith(b'\033[?1049l'))
        assert top.wait(10) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        top.kill()
        top.wait()
        os.close(ours)
        os.close(theirs)


# --- h2o-conf/alerts.yaml ----------------------------------------------------------------------------------------------------

ALERTS = os.path.join(ROOT, 'h2o-conf', 'alerts.yaml')

# Half an hour in which these series went so, one value a minute: no alert stands after it. Then one that makes an alert stand.
FRONTEND = 'service="frontend",process="frontend.1"'
WELL = {'aipoten_build_info{version="1"}': '1x30', f'aipoten_requests_total{{{FRONTEND}}}': '0+6000x30',
        f'aipoten_status_5xx_total{{{FRONTEND}}}': '0+6x30', 'aipoten_service_deaths_total{service="children"}': '0+0x29 3',
        'aipoten_http_request_duration_seconds_bucket{operation="auth.login",class="2xx",le="1"}': '0+0x30',
        'aipoten_http_request_duration_seconds_bucket{operation="auth.login",class="2xx",le="+Inf"}': '0+9x30',
        'aipoten_http_request_duration_seconds_bucket{operation="children.list",class="2xx",le="1"}': '0+999x30',
        'aipoten_http_request_duration_seconds_bucket{operation="children.list",class="2xx",le="2.5"}': '0+1000x30',
        'aipoten_http_request_duration_seconds_bucket{operation="children.list",class="2xx",le="+Inf"}': '0+1000x30',
        f'aipoten_instance_state{{{FRONTEND},state="FAILED"}}': '0x30', f'aipoten_process_operation_seconds{{{FRONTEND}}}': '0.2x30',
        f'aipoten_rejected_total{{{FRONTEND},reason="timeout"}}': '0+6x30',
        'aipoten_calls_queued{service="children",process="children.1"}': '0 100 0 100 0x26',
        'aipoten_database_time_seconds_total{service="children",process="children.1",lane="read"}': '0+1x30',
        'aipoten_database_statements_total{service="children",process="children.1",lane="read"}': '0+600x30',
        'aipoten_database_waiting{service="children",process="children.1"}': '0 1 0 1 0x26',
        f'aipoten_access_dropped_total{{{FRONTEND}}}': '7x30'}
ILL = {'AipotenErrors': ('aipoten_status_5xx_total', '0+600x30'), 'AipotenDeaths': ('aipoten_service_deaths_total', '0+1x30'),
       'AipotenSlow': ('operation="children.list",class="2xx",le="1"', '0+900x30'), 'AipotenHangs': ('operation_seconds', '6x30'),
       'AipotenDown': ('state="FAILED"', '1x30'), 'AipotenRefuses': ('aipoten_rejected_total', '0+120x30'),
       'AipotenQueues': ('aipoten_calls_queued', '100x30'), 'AipotenDatabaseSlow': ('aipoten_database_time', '0+120x30'),
       'AipotenConnectionsShort': ('aipoten_database_waiting', '1x30'),
       'AipotenLogLost': ('aipoten_access_dropped', '0+1x30'), 'AipotenAway': ('aipoten_build_info', '1x20 stale')}


def alerts_of(series):
    """The series of one case, as promtool wants them."""
    return {'interval': '1m', 'input_series': [{'series': name, 'values': values} for name, values in series.items()]}


def test_alerts_stand_when_they_should_and_only_then(system, tmp_path):
    promtool('check', 'rules', ALERTS)
    rules = yaml.safe_load(open(ALERTS, encoding='utf-8'))['groups'][0]['rules']
    names = {rule['alert'] for rule in rules}
    assert names == set(ILL)
    metrics = {name for name, _, _ in Metrics.of(system).samples}
    for rule in rules:
        used = set(re.findall(r'\baipoten_[a-z0-9_]+', rule['expr']))
        assert used and used <= metrics, f'{rule["alert"]}: {used - metrics} is not in /metrics'
    cases = [alerts_of(WELL) | {'promql_expr_test': standing([])}]
    for alert, (which, values) in ILL.items():
        changed = [name for name in WELL if which in name]
        assert len(changed) == 1, (alert, changed)
        cases.append(alerts_of({**WELL, changed[0]: values}) | {'promql_expr_test': standing([alert])})
    given = tmp_path / 'alerts_test.yaml'
    given.write_text(yaml.safe_dump({'rule_files': [ALERTS], 'evaluation_interval': '1m', 'tests': cases}), encoding='utf-8')
    promtool('test', 'rules', str(given))


def standing(alerts):
    """Prometheus keeps a series ALERTS of those that stand."""
    return [{'expr': 'sum by (alertname) (ALERTS{alertstate="firing"})', 'eval_time': '30m',
             'exp_samples': [{'labels': f'{{alertname="{alert}"}}', 'value': 1} for alert in alerts]}]
