"""mail: the tokens that travel by mail."""
import base64
import hashlib
import os
import uuid


def planted(database, table, user, expires="interval '1 hour'"):
    """A token that works as if it had come by mail: its digest takes the place of the user's live one."""
    random = os.urandom(32)
    database.rows(f'UPDATE accounts.{table} SET spent_at = aipoten.app_now() WHERE user_id = %s AND spent_at IS NULL', user)
    database.rows(f'INSERT INTO accounts.{table} (id, user_id, token_hash, expires_at)'
                  f' VALUES (%s, %s, %s, aipoten.app_now() + {expires})', str(uuid.uuid4()), user, hashlib.sha256(random).digest())
    return base64.urlsafe_b64encode(random).rstrip(b'=').decode()
