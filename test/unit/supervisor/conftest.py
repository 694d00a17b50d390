import pytest

from harness.supervised import System


@pytest.fixture
def make(tmp_path):
    systems = []

    def new(**settings):
        system = System(tmp_path, **settings)
        systems.append(system)
        return system

    yield new
    for system in systems:
        system.stop()
    logs = tmp_path / "var" / "log"
    for log in logs.glob("*") if logs.exists() else []:
        text = log.read_text(errors="replace")
        assert "ERROR: AddressSanitizer" not in text and "runtime error:" not in text, text[-4000:]
        assert '"event":"panic"' not in text, text[-4000:]


@pytest.fixture
def system(make):
    system = make()
    system.start()
    return system
