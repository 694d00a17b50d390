"""cluster: a private PostgreSQL server without a system around it, for what needs databases of its own to spoil."""
import itertools
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

from .database import Database
from .system import free_port

PROGRAMS = '/usr/lib/postgresql/15/bin'
AS_POSTGRES = ['runuser', '-u', 'postgres', '--'] if os.geteuid() == 0 else []


class Cluster:
    """Its superuser is postgres; its databases belong to the role migrator, who may make roles and nothing more, as tools/run
    makes aipoten_migrator. Every statement is logged, so that a test can look for what must not be there."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='aipoten-cluster.', dir=os.environ.get('AIPOTEN_TEST_DIRECTORY'))
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.numbers = itertools.count(1)
        self.data = os.path.join(self.directory, 'data')
        self.log = os.path.join(self.directory, 'log')
        if AS_POSTGRES:
            shutil.chown(self.directory, 'postgres')

    def run(self, *command):
        subprocess.run([*AS_POSTGRES, os.path.join(PROGRAMS, command[0]), *command[1:]], check=True, cwd=self.directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    def start(self):
        password_file = pathlib.Path(self.directory, 'password')
        password_file.write_text(self.password + '\n', encoding='ascii')
        self.run('initdb', '-D', self.data, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8', '--auth=scram-sha-256',
                 f'--pwfile={password_file}', '--no-sync')
        settings = {'port': self.port, 'listen_addresses': '127.0.0.1', 'unix_socket_directories': '', 'fsync': 'off',
                    'log_statement': 'all', 'shared_buffers': '32MB'}
        self.run('pg_ctl', 'start', '-w', '-D', self.data, '-l', self.log, '-o',
                 ' '.join(f"-c {name}='{value}'" for name, value in settings.items()))
        with self.database('postgres') as database:
            database.rows(f"CREATE ROLE migrator LOGIN CREATEROLE PASSWORD '{self.password}'")
        return self

    def make_database(self, options=''):
        """A new empty database's name."""
        name = f'made{next(self.numbers)}'
        with self.database('postgres') as database:
            database.rows(f'CREATE DATABASE {name} OWNER migrator {options}')
        return name

    def url(self, database, user='migrator'):
        return f'postgresql://{user}:{self.password}@127.0.0.1:{self.port}/{database}'

    def database(self, name, user='postgres', password=None):
        return Database(host='127.0.0.1', port=self.port, dbname=name, user=user, password=password or self.password)

    def logged(self):
        return pathlib.Path(self.log).read_text(encoding='utf-8', errors='replace')

    def destroy(self):
        try:
            self.run('pg_ctl', 'stop', '-m', 'immediate', '-D', self.data)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
