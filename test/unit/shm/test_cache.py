"""The cache in shared memory, tortured for a minute (ctest does it for some seconds)."""
import os
import subprocess

import pytest

from harness.system import BUILD


@pytest.mark.long
def test_a_minute_of_kills():
    done = subprocess.run([os.path.join(BUILD, 'unit', 'unit-shm-cache_torture'), '60'], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
