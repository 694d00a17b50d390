"""harness: what scenario tests stand on: a private system to start, stop and break, clients that check every answer against
the OpenAPI document, and the database as each role sees it."""
