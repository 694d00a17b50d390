"""The options of all our tests in Python."""
import pytest


def pytest_addoption(parser):
    parser.addoption('--long', action='store_true', help='also the tests that take minutes')


def pytest_collection_modifyitems(config, items):
    if config.getoption('--long'):
        return
    for item in items:
        if 'long' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='takes minutes: tools/test --long'))
