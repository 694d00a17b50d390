"""aipotenctl reload: another TLS certificate and other settings while everything serves; what is wrong is refused, and nobody notices."""
import hashlib
import os
import shutil
import socket
import ssl
import subprocess

import pytest
import yaml

from harness.client import Client, insecure_tls
from harness.h2 import H2Client
from harness.system import Refused
from harness.wait import wait_until

CHILDREN = '/api/v1/children'


@pytest.fixture
def reloading(system):
    """The shared system; its configuration and certificate are put back afterwards."""
    tls = os.path.join(system.var, 'tls')
    kept = os.path.join(system.var, 'tls.kept')
    shutil.copytree(tls, kept)
    with open(system.config, encoding='utf-8') as file:
        config = file.read()
    yield system
    for name in os.listdir(kept):
        shutil.copy2(os.path.join(kept, name), os.path.join(tls, name))
    shutil.rmtree(kept)
    with open(system.config, 'w', encoding='utf-8') as file:
        file.write(config)
    system.ctl('reload')


def certificate_make(directory, name):
    """Paths of a new certificate and its key."""
    paths = os.path.join(directory, f'{name}.certificate.pem'), os.path.join(directory, f'{name}.key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '90',
                    '-subj', f'/CN={name}', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-out', paths[0], '-keyout',
                    paths[1]], check=True, capture_output=True)
    return paths


def fingerprint(path):
    with open(path, encoding='ascii') as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


def served(system):
    """The certificate of a new handshake."""
    with socket.create_connection(('127.0.0.1', system.https_port), timeout=10) as plain:
        with insecure_tls(['http/1.1']).wrap_socket(plain, server_hostname='localhost') as tls:
            return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


def settings_change(system, **sections):
    with open(system.config, encoding='utf-8') as file:
        settings = yaml.safe_load(file)
    for section, values in sections.items():
        settings.setdefault(section, {}).update(values)
    with open(system.config, 'w', encoding='utf-8') as file:
        yaml.safe_dump(settings, file)


def test_another_certificate(reloading, parent, tmp_path):
    """New handshakes get it at every frontend, connections that stand go on, no process ends."""
    pids = sorted(reloading.pids())
    old = fingerprint(os.path.join(reloading.var, 'tls', 'certificate.pem'))
    assert served(reloading) == old
    kept, early = Client(reloading, parent.token, tls=True), H2Client(reloading, parent.token)
    kept.get(CHILDREN).expect(200)
    early.get(CHILDREN).expect(200)
    with socket.create_connection(('127.0.0.1', reloading.https_port), timeout=10) as silent:  # accepted, its handshake not begun
        wait_until(lambda: served(reloading) == old, 5)
        certificate, key = certificate_make(tmp_path, 'another')
        settings_change(reloading, listen={'tls_certificate': certificate, 'tls_key': key})
        assert 'applied: listen.tls_certificate, listen.tls_key' in reloading.ctl('reload')
        assert {served(reloading) for _ in range(12)} == {fingerprint(certificate)}
        with insecure_tls(['http/1.1']).wrap_socket(silent, server_hostname='localhost') as tls:
            assert tls.getpeercert(binary_form=True)
    kept.get(CHILDREN).expect(200)
    early.get(CHILDREN).expect(200)
    Client(reloading, parent.token, tls=True).get(CHILDREN).expect(200)
    # The same paths, other files: what a renewal does.
    renewed = certificate_make(tmp_path, 'renewed')
    shutil.copy(renewed[0], certificate)
    shutil.copy(renewed[1], key)
    reloading.ctl('reload')
    assert {served(reloading) for _ in range(12)} == {fingerprint(renewed[0])}
    kept.get(CHILDREN).expect(200)
    early.get(CHILDREN).expect(200)
    early.close()
    assert sorted(reloading.pids()) == pids


@pytest.mark.parametrize('break_it, reason', [
    (lambda certificate, key, other: shutil.copy(other[1], key), 'is not that of the certificate'),
    (lambda certificate, key, other: open(certificate, 'w', encoding='ascii').write('hello'), 'is no PEM certificate'),
    (lambda certificate, key, other: os.unlink(key), 'No such file')])
def test_a_wrong_certificate_is_refused(reloading, tmp_path, break_it, reason):
    """File and reason are said, the old one serves on, and the settings beside it are not taken either."""
    old = served(reloading)
    certificate, key = certificate_make(tmp_path, 'wrong')
    break_it(certificate, key, certificate_make(tmp_path, 'other'))
    settings_change(reloading, listen={'tls_certificate': certificate, 'tls_key': key}, security={'hsts_max_age': '1h'})
    with pytest.raises(Refused, match=reason) as refused:
        reloading.ctl('reload')
    assert str(tmp_path) in str(refused.value) and 'what runs stays as it is' in str(refused.value)
    assert served(reloading) == old
    assert 'max-age=3600' not in (Client(reloading, tls=True).get('/healthz').header('strict-transport-security') or '')


def test_settings_are_applied(reloading, parent):
    pids = sorted(reloading.pids())
    large = {'name': '가' * 700}
    assert parent.client.patch('/api/v1/users/me', large).status != 413
    settings_change(reloading, http={'max_body': '1K', 'idle_timeout': '50s'}, security={'hsts_max_age': '1h'},
                    cors={'origins': ['https://reloaded.example']}, log={'level': 'debug'})
    said = reloading.ctl('reload', '-j')
    assert sorted(said['applied']) == ['cors.origins', 'http.max_body', 'log.level', 'security.hsts_max_age']
    assert said['at_restart'] == ['http.idle_timeout'] and said['at_start'] == []
    for _ in range(6):  # every frontend
        client = Client(reloading, parent.token, tls=True)
        client.patch('/api/v1/users/me', large).expect(413)
        answer = client.get('/healthz', headers={'origin': 'https://reloaded.example'}).expect(200)
        assert answer.header('strict-transport-security').startswith('max-age=3600')
        assert answer.header('access-control-allow-origin') == 'https://reloaded.example'
        # What a shared cache may keep says from now on that it depends on the origin.
        assert 'Origin' in client.get('/api/v1/videos').expect(200).header('vary')
        client.close()
    assert sorted(reloading.pids()) == pids


def test_a_wrong_configuration_is_refused(reloading):
    with open(reloading.config, 'a', encoding='utf-8') as file:
        file.write('nonsense: 1\n')
    with pytest.raises(Refused, match=r'test\.yaml:\d+: nonsense: no such setting'):
        reloading.ctl('reload')
    Client(reloading).get('/healthz').expect(200)
