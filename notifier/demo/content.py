"""The demo's templates: a campaign on push, email and in-app, and a single notification on every channel that ships.

`mail.html` is what mail clients agree on: tables, and styles at each element. Mailpit judges it in
`tests/delivery/test_demo_mail.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CAMPAIGN_CHANNELS = ("push", "email", "in_app")

_PAGE = Path(__file__).with_name("mail.html")


def _page(language: str, title: str, heading: str, body: str, button: str, footer: str) -> str:
    page = _PAGE.read_text(encoding="utf-8")
    values = {"language": language, "title": title, "heading": heading, "body": body, "button": button}
    for name, value in {**values, "footer": footer}.items():
        page = page.replace(f"[[{name}]]", value)
    return page


_BIG_GAME: dict[str, dict[str, Any]] = {
    "push": {
        "en": {"title": "{{ recipient.name }}, it is time", "body": "Five seconds. One lesson. Go."},
        "de": {"title": "{{ recipient.name }}, es ist soweit", "body": "Fünf Sekunden. Eine Lektion. Los."},
    },
    "in_app": {
        "en": {"title": "The big game is on", "body": "Your {{ recipient.attributes.plan }} plan, one lesson."},
        "de": {"title": "Das große Spiel läuft", "body": "Eine Lektion, jetzt."},
    },
    "email": {
        "en": {
            "subject": "{{ recipient.name }}, the big game is on",
            "preheader": "Five seconds. One lesson. Go.",
            "html": _page(
                "en", "The big game is on", "{{ recipient.name }}, it is time",
                "The big game is on, and your <b>{{ recipient.attributes.plan }}</b> plan has a lesson for it."
                "<br><br>Five seconds to open it, five minutes to finish it. Tonight everybody plays.",
                "Start the lesson", "You get this mail because promotions are on in your Northwind account.",
            ),
            "text": "{{ recipient.name }}, it is time.\n\nThe big game is on, and your {{ recipient.attributes.plan }} "
            "plan has a lesson for it:\n{{ site }}/inbox/\n\nNorthwind Ltd, 1 Harbour Street, Vienna, Austria\n",
        },
        "de": {
            "subject": "{{ recipient.name }}, das große Spiel läuft",
            "preheader": "Fünf Sekunden. Eine Lektion. Los.",
            "html": _page(
                "de", "Das große Spiel läuft", "{{ recipient.name }}, es ist soweit",
                "Das große Spiel läuft, und dein Tarif <b>{{ recipient.attributes.plan }}</b> hat eine Lektion dafür."
                "<br><br>Fünf Sekunden zum Öffnen, fünf Minuten bis zum Ziel. Heute Abend spielen alle.",
                "Lektion starten", "Du bekommst diese Mail, weil Angebote in deinem Northwind-Konto an sind.",
            ),
            "text": "{{ recipient.name }}, es ist soweit.\n\nDas große Spiel läuft, und dein Tarif "
            "{{ recipient.attributes.plan }} hat eine Lektion dafür:\n{{ site }}/inbox/\n\n"
            "Northwind Ltd, 1 Harbour Street, Vienna, Austria\n",
        },
    },
}  # fmt: skip

_SHORT = {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}}
_ORDER_SHIPPED: dict[str, dict[str, Any]] = {
    "push": _SHORT,
    "in_app": _SHORT,
    "sms": {"en": {"text": "Northwind: order {{ order }} left our warehouse. Follow it: {{ site }}/inbox/"}},
    "email": {
        "en": {
            "subject": "Order {{ order }} is on its way",
            "preheader": "It left our warehouse a moment ago.",
            "html": _page(
                "en", "On its way", "Your order is on its way",
                "{{ recipient.name }}, order <b>{{ order }}</b> left our warehouse a moment ago. It usually takes two "
                "days.", "Follow the parcel", "You get this mail because you ordered at Northwind.",
            ),
            "text": "{{ recipient.name }}, order {{ order }} left our warehouse a moment ago. It usually takes two "
            "days.\n\nFollow it: {{ site }}/inbox/\n\nNorthwind Ltd, 1 Harbour Street, Vienna, Austria\n",
        },
    },
}  # fmt: skip

TEMPLATES: dict[str, dict[str, Any]] = {
    "big-game": {"category": "promotions", "content": _BIG_GAME},
    "order-shipped": {"category": "order-updates", "content": _ORDER_SHIPPED},
}
#: the single notification's channels; each of them gets one message
CHANNELS = tuple(_ORDER_SHIPPED)
