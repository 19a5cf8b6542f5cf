"""Django's SMTP backend, as its documentation sends many mails: `send_messages` over one connection. PORT COUNT"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template import Context, Engine, Template

from bench.tenants import NEWSLETTER


def mail(template: Template, number: int, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    name = f"Person {number}"
    message = EmailMultiAlternatives(
        f"News for {name}", "", "news@bench.example", [f"user-{number}@bench.example"], connection=connection
    )
    message.attach_alternative(template.render(Context({"recipient": {"name": name}})), "text/html")
    return message


def main(port: int, count: int) -> None:
    settings.configure(DEFAULT_CHARSET="utf-8", EMAIL_USE_LOCALTIME=False)
    template = Engine().from_string(NEWSLETTER)
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=port)
    connection.open()
    began, cpu = time.perf_counter(), time.process_time()
    accepted = connection.send_messages([mail(template, number, connection) for number in range(count)])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    connection.close()
    assert accepted == count, f"only {accepted} of {count} were accepted"
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_seconds": cpu}) + "\n")


main(int(sys.argv[1]), int(sys.argv[2]))
