"""mailserver: a real SMTP server (aiosmtpd) with STARTTLS and AUTH, for what the mailer sends. It keeps what it took, and refuses or
dawdles as a test says."""
import asyncio
import email
import email.policy
import os
import subprocess
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

USER, PASSWORD = 'aipoten-mail', 'a password, with spaces'


def certificate(directory):
    """A certificate of localhost that vouches for itself: (certificate, key)."""
    paths = [os.path.join(directory, name) for name in ('mail.crt', 'mail.key')]
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-out', paths[0], '-keyout', paths[1]],
                   check=True, capture_output=True)
    os.chmod(paths[0], 0o644)
    return paths


class Mail:
    def __init__(self, envelope, session):
        self.to, self.sender, self.raw = list(envelope.rcpt_tos), envelope.mail_from, envelope.content
        self.encrypted, self.authenticated = session.ssl is not None, bool(session.authenticated)
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def id(self):
        return self.message['message-id'][1:].partition('@')[0]

    def part(self, kind):
        return self.message.get_body((kind,)).get_content()


class MailServer:
    """`tls`: None, a server that offers no TLS; `refuse`: address → list of answers that are given one after the other ('451 later'); `pause`: seconds between taking a mail
    and saying so."""

    def __init__(self, port, tls):
        self.port, self.tls = port, tls
        self.mails, self.refuse, self.pause = [], {}, 0
        self.password, self.log_ins = PASSWORD, 0
        self.busy, self.most = 0, 0  # mails whose senders wait for the word that they were taken
        self.lock = threading.Lock()
        self.controller = None

    def start(self):
        self.controller = Controller(self, hostname='127.0.0.1', port=self.port, tls_context=self.tls,
                                     require_starttls=self.tls is not None, auth_required=True,
                                     auth_require_tls=self.tls is not None, authenticator=self.authenticate)
        self.controller.start()
        return self

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.log_ins += 1
        return AuthResult(success=data.login == USER.encode() and data.password == self.password.encode(), handled=False)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        answers = self.refuse.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, _server, session, envelope):
        mail = Mail(envelope, session)
        with self.lock:
            self.mails.append(mail)
        if self.pause:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(self.pause)
            self.busy -= 1
        return '250 taken'

    def to(self, address):
        with self.lock:
            return [mail for mail in self.mails if address in mail.to]

    def wait(self, address, timeout=20):
        ends = time.monotonic() + timeout
        while not self.to(address):
            assert time.monotonic() < ends, f'no mail in {timeout} s'
            time.sleep(0.02)
        return self.to(address)[0]
