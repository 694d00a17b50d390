"""database: what is really in PostgreSQL, read with psycopg2 beside the system that wrote it."""
import psycopg2
import psycopg2.extras


class Database:
    """Autocommit; rows come as dictionaries, uuids as text."""

    def __init__(self, url=None, **parts):
        self.connection = psycopg2.connect(url, **parts) if url else psycopg2.connect(**parts)
        self.connection.autocommit = True

    def rows(self, sql, *parameters):
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(sql, parameters or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def row(self, sql, *parameters):
        found = self.rows(sql, *parameters)
        assert len(found) <= 1, f'{len(found)} rows where one was expected: {sql}'
        return found[0] if found else None

    def value(self, sql, *parameters):
        row = self.row(sql, *parameters)
        return next(iter(row.values())) if row else None

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
