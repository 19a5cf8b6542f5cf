"""Where a repeat hurts, one process has few messages of an account in flight: a crash leaves them in doubt for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest

from notifier.channels import channel
from notifier.channels.sms import SmsMessage
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Template
from notifier.providers.base import Answers
from notifier.providers.twilio import Twilio, TwilioConfig
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import Lane, Mode
from notifier.vocabulary.verdicts import Sent
from tests.delivery.build import Shop, an_order
from tests.delivery.scenes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
WINDOW = channel("sms").window
NUMBER = 3 * WINDOW


class Gateway(Twilio):
    """Answers nothing until `opened`; remembers how many messages waited at once."""

    name = ""  # not registered

    def __init__(self) -> None:
        super().__init__(TwilioConfig.sandbox("https://127.0.0.1:1"))
        self.opened, self.lock = threading.Event(), threading.Lock()
        self.waiting = self.most = 0
        self.got = list[UUID]()

    def send(self, messages: Sequence[SmsMessage], client: HttpClient) -> Iterator[Answers]:
        with self.lock:
            self.got += [message.envelope.delivery_id for message in messages]
            self.waiting += len(messages)
            self.most = max(self.most, self.waiting)
        self.opened.wait(60)
        for index in range(len(messages)):
            with self.lock:
                self.waiting -= 1
            yield [(index, Sent("SM1"))]


def test_single_messages_of_an_account_stay_within_the_window(shop: Shop) -> None:
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"sms": {"en": {"text": "Code {{ order }}"}}})
    for n in range(NUMBER):
        shop.recipient(f"user-{n}", phone=f"+1415555{1000 + n}")
    shop.accept(*(an_order(f"user-{n}") for n in range(NUMBER)))
    gateway = Gateway()
    account = registry.choose_account(shop.tenant, "sms", "", Mode.LIVE)
    registry.override_provider(account.pk, gateway)
    worker = threading.Thread(target=deliver, args=("sms", (Lane.CRITICAL, Lane.TRANSACTIONAL)), daemon=True)
    worker.start()
    wait_until(lambda: gateway.waiting == WINDOW)
    time.sleep(1.0)  # the task claims twice a second at least
    assert gateway.most == WINDOW
    gateway.opened.set()
    worker.join(60)
    assert gateway.most == WINDOW and len(set(gateway.got)) == len(gateway.got) == NUMBER
    assert set(shop.statuses()) == {"sent"}
