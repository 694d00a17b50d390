"""mail: what came by mail, read from the files that the mailer writes below var/mail, and the tokens in it."""
import base64
import email
import email.policy
import glob
import hashlib
import os
import re
import uuid

from .wait import wait_until

TOKEN = re.compile(r'#(?:\S*&)?token=([A-Za-z0-9_-]{43})')


def all_mails(system):
    """Oldest first."""
    found = []
    for path in glob.glob(os.path.join(system.var, 'mail', '*.eml')):
        with open(path, 'rb') as file:
            mail = email.message_from_binary_file(file, policy=email.policy.default)
        found.append((os.stat(path).st_mtime_ns, mail))
    return [mail for _, mail in sorted(found, key=lambda pair: pair[0])]


def mails(system, address):
    """To this address, oldest first."""
    return [mail for mail in all_mails(system) if address.lower() in str(mail['to']).lower()]


def text(mail):
    return mail.get_body(('plain',)).get_content()


def token(mail):
    """The token of its link, or None."""
    found = TOKEN.search(text(mail).replace('=\n', ''))
    return found and found.group(1)


def wait_mail(system, address, link, count=1, timeout=20):
    """The newest mail to the address whose link leads there ("reset-password"), when there are so many."""
    def there():
        fitting = [mail for mail in mails(system, address) if f'/{link}' in text(mail)]
        return fitting if len(fitting) >= count else None
    return wait_until(there, timeout, f'{count} mails to {address} with a link to {link}')[-1]


def planted(database, table, user, expires="interval '1 hour'"):
    """A token that works as if it had come by mail: its digest takes the place of the user's live one."""
    random = os.urandom(32)
    database.rows(f'UPDATE accounts.{table} SET spent_at = aipoten.app_now() WHERE user_id = %s AND spent_at IS NULL', user)
    database.rows(f'INSERT INTO accounts.{table} (id, user_id, token_hash, expires_at)'
                  f' VALUES (%s, %s, %s, aipoten.app_now() + {expires})', str(uuid.uuid4()), user, hashlib.sha256(random).digest())
    return base64.urlsafe_b64encode(random).rstrip(b'=').decode()
