"""/metrics: Prometheus' own checker is content; every request is counted, in its bucket, also when the frontend that answered is
killed; what clients invent makes no series; strangers are told nothing. Slow statements are in the log."""


from harness.client import Client
from harness.metrics import Metrics, promtool
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
    for name in ('aipoten_build_info', REQUESTS, f'{SECONDS}_bucket', CALLS, 'aipoten_pending', 'aipoten_calls_in_flight',
                 'aipoten_calls_queued', 'aipoten_database_statements_total', 'aipoten_database_time_seconds_total',
                 'aipoten_service_starts_total', 'aipoten_service_deaths_total', 'aipoten_rate_limited_total',
                 'aipoten_rejected_total', 'aipoten_instance_state', 'aipoten_process_resident_memory_bytes',
                 'aipoten_process_cpu_seconds_total', 'aipoten_database_connections'):
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
