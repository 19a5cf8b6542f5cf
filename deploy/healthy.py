"""Health checks of the containers: `python deploy/healthy.py web | worker NODE | beat | flower | metrics`. Exit code 0:
healthy.

The module does not import Django: the import would cost each container two seconds of CPU at every check.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys

#: PostgreSQL interval; beat writes its last runs to the database every three minutes
BEAT_TIMEOUT = "10 minutes"


def responds(port: int, path: str) -> bool:
    """Something answers: also one that asks for a token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    return connection.getresponse().status < 500


def answers(port: int, path: str) -> bool:
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse().status == 200


def worker(node: str) -> bool:
    """The node answers a ping over the broker."""
    from celery import Celery

    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from notifier.values.redis_address import read_sentinel

    name = f"{node}@{socket.gethostname()}"
    sentinel = read_sentinel(os.environ["REDIS_URL"])
    app = Celery(broker=sentinel.broker_url if sentinel else os.environ["REDIS_URL"])
    app.conf.broker_transport_options = sentinel.celery_options if sentinel else {}
    return bool(app.control.inspect(destination=[name], timeout=5).ping())


def beat() -> bool:
    """Beat has posted a task lately."""
    import psycopg

    query = f"SELECT max(last_run_at) > now() - interval '{BEAT_TIMEOUT}' FROM django_celery_beat_periodictask"
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        row = connection.execute(query).fetchone()
    return bool(row and row[0])


def main(service: str, *arguments: str) -> bool:
    match service:
        case "web":
            return answers(8000, "/healthz")
        case "flower":
            return answers(5555, "/healthcheck")
        case "metrics":
            return responds(9464, "/metrics")
        case "worker":
            return worker(*arguments)
        case "beat":
            return beat()
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
