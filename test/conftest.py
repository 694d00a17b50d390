"""Options of all our tests in Python, and the fixtures of scenarios and regressions. One system serves most of them (`system`,
made at the first use); who breaks things asks for `fresh_system`. A sanitizer's report or a panic in any log fails the test
during which it was written."""
import os
import tempfile

import pytest

from harness import people, template
from harness.client import Client
from harness.system import System, live


def pytest_addoption(parser):
    parser.addoption('--long', action='store_true', help='also the tests that take minutes')


def pytest_collection_modifyitems(config, items):
    if config.getoption('--long'):
        return
    for item in items:
        if 'long' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='takes minutes: tools/test --long'))


def pytest_configure(config):
    if template.PLACE not in os.environ:  # else it is the process that shares the work out that has made it, and will remove it
        os.environ[template.PLACE] = tempfile.mkdtemp(prefix='aipoten-templates.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
        config.add_cleanup(template.remove)


def destroy_all(systems):
    for system in reversed(systems):
        if system in live:
            system.destroy()


@pytest.fixture(scope='module')
def start_system():
    """start_system(settings=…, environment=…, demo=…) gives a running System, which ends with the file at the latest; one that a test
    starts, with the test."""
    started = []

    def start(**options):
        system = System(**options)
        in_a_test = os.environ.get('PYTEST_CURRENT_TEST', '').endswith('(call)')
        (started_in_test if in_a_test else started).append(system)
        system.start()
        return system

    yield start
    destroy_all(started)


started_in_test = []


@pytest.fixture(autouse=True)
def what_a_test_started():
    yield
    destroy_all(started_in_test)
    started_in_test.clear()


@pytest.fixture(scope='session')
def shared_system():
    system = System()
    system.start()
    yield system
    system.destroy()


@pytest.fixture
def system(shared_system):
    """The shared system, whole and ready."""
    return shared_system


@pytest.fixture
def fresh_system(start_system):
    """A system of one's own to kill and break."""
    system = start_system()
    yield system
    system.destroy()


@pytest.fixture
def client(system):
    """Nobody in particular, over the plain port."""
    client = Client(system)
    yield client
    client.close()


@pytest.fixture
def parent(system):
    return people.demo(system, 'parent')


@pytest.fixture
def therapist(system):
    return people.demo(system, 'therapist')


@pytest.fixture
def admin(system):
    return people.demo(system, 'admin')


@pytest.fixture
def newcomer(system):
    """newcomer(role='parent', consents=True): somebody new, registered and logged in."""
    return lambda role='parent', consents=True: people.newcomer(system, role, consents)


@pytest.fixture
def database(system):
    with system.database() as database:
        yield database


# --- logs: what they must not say, and what they said when a test failed ----------------------------------------------------

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    item.log_marks = {system: system.logs.mark() for system in live}
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == 'teardown':
        return
    for system in list(live):
        mark = item.log_marks.get(system, {})
        reports = system.logs.reports(mark)
        if reports:
            item.log_marks[system] = system.logs.mark()
            report.outcome = 'failed'
            report.longrepr = f'{report.longrepr or ""}\nfound in the logs:\n' + '\n'.join(reports)
        if report.failed:
            report.sections.append((f'logs below {system.var}', system.logs.tail(mark)))


def pytest_sessionfinish():
    for system in list(live):
        system.destroy()
