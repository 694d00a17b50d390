"""tools/lib.sh and tools/services.sh: the functions that decide something."""
import os
import socket
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))


def shell(script, check=True, **environment):
    done = subprocess.run(['bash', '-euo', 'pipefail', '-c', f'. tools/lib.sh; . tools/services.sh; {script}'], cwd=ROOT, text=True,
                          capture_output=True, check=False, env={**os.environ, 'AIPOTEN_VAR': '', **environment})
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()
    return done


def test_pid_of(tmp_path):
    file = tmp_path / 'x.pid'
    file.write_text(f'{os.getpid()}\nmore\n')
    with open('/proc/self/comm', encoding='ascii') as comm:
        own = comm.read().strip()
    assert shell(f'pid_of {file} {own}') == str(os.getpid())
    assert shell(f'pid_of {file} postgres', check=False).returncode != 0, 'the pid of another program'
    assert shell(f'sed() {{ return 1; }}; pid_of {file} {own}', check=False).returncode != 0, 'collected while we look'
    child = subprocess.Popen(['true'])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    file.write_text(f'{child.pid}\n')
    assert shell(f'pid_of {file} true', check=False).returncode != 0, 'a zombie'
    child.wait()
    file.write_text('4194999\n')
    assert shell(f'pid_of {file} {own}', check=False).returncode != 0, 'nobody has this pid'
    file.write_text('../self\n')
    assert shell(f'pid_of {file} {own}', check=False).returncode != 0
    assert shell(f'pid_of {tmp_path}/none {own}', check=False).returncode != 0


def test_path_is_open(tmp_path):
    inner = tmp_path / 'a' / 'b'
    inner.mkdir(parents=True)
    (tmp_path / 'a').chmod(0o700)
    assert shell(f'path_is_open {inner}', check=False).returncode != 0
    assert shell('path_is_open /usr/bin') == ''


def test_services_place(tmp_path):
    """As root below a directory that only root can enter, the servers' data go elsewhere, always to the same place."""
    tmp_path.chmod(0o700)
    script = 'var_resolve; services_place; echo "$services_home"'
    first = shell(script, AIPOTEN_VAR=str(tmp_path / 'var'))
    if os.getuid() != 0:  # the servers run as the same user then
        assert first == str(tmp_path / 'var')
        return
    assert first.startswith('/var/lib/aipoten/')
    assert shell(script, AIPOTEN_VAR=str(tmp_path / 'var')) == first
    assert shell(script, AIPOTEN_VAR=str(tmp_path / 'var2')) != first
    assert shell('AIPOTEN_VAR=/usr/var; services_place; echo "$services_home"') == '/usr/var'


def test_port_choose():
    port = int(shell('port_choose'))
    assert 20000 <= port < 32000
    with socket.create_server(('127.0.0.1', 0)) as server:
        assert shell(f'port_is_free {server.getsockname()[1]}', check=False).returncode != 0


def test_packages_lists():
    """Each list names packages, one a line, sorted into no second list."""
    names = shell('dpkg-query() { return 1; }; packages_missing run test fuzz').split()
    assert {'cmake', 'postgresql-15', 'python3-pytest'} <= set(names)
    assert len(names) == len(set(names))
    assert all(name == name.strip() and ' ' not in name for name in names)


def test_wait_for():
    assert shell('wait_for 5 true') == ''
    assert shell('wait_for 1 false', check=False).returncode != 0


def test_die_says_what_to_do():
    done = shell('die "it is broken" "Mend it."', check=False)
    assert done.returncode == 1 and 'it is broken' in done.stderr and 'Mend it.' in done.stderr


def test_url_of_given_servers_is_kept(tmp_path):
    tmp_path.chmod(0o755)
    said = shell('var_resolve; services_load || true; echo "$DATABASE_URL $REDIS_URL $postgres_is_ours $redis_is_ours"',
                 AIPOTEN_VAR=str(tmp_path / 'v'), DATABASE_URL='postgresql://a@b/c', REDIS_URL='redis://d')
    assert said.splitlines()[-1] == 'postgresql://a@b/c redis://d false false'
