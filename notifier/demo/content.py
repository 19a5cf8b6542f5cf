"""The demo's layout and templates: a campaign on push, email and in-app, and a single notification on every channel.

`layout.html` stands around the content of each mail; its styles become attributes when a template is published, and
the plain text is derived. Mailpit judges the mails in `tests/delivery/test_demo_mail.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CAMPAIGN_CHANNELS = ("push", "email", "in_app")
LAYOUT_KEY = "northwind"
POSTAL_ADDRESS = "Northwind Ltd, 1 Harbour Street, Vienna, Austria"

_HTML = """<h1>{heading}</h1>
<p>{text}</p>
<p>{more}</p>
<p class="act"><a class="button" href="{{{{ site }}}}/inbox/">{button}</a></p>
<p class="why">{why}</p>"""


def layout() -> dict[str, Any]:
    """The body of PUT /v1/layouts/<key>."""
    html = Path(__file__).with_name("layout.html").read_text(encoding="utf-8")
    return {"html": html, "postal_address": POSTAL_ADDRESS, "default": True}


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
            "html": _HTML.format(
                heading="{{ recipient.name }}, it is time",
                text="The big game is on, and your <b>{{ recipient.attributes.plan }}</b> plan has a lesson for it.",
                more="Five seconds to open it, five minutes to finish it. Tonight everybody plays.",
                button="Start the lesson",
                why="You get this mail because promotions are on in your Northwind account.",
            ),
        },
        "de": {
            "subject": "{{ recipient.name }}, das große Spiel läuft",
            "preheader": "Fünf Sekunden. Eine Lektion. Los.",
            "html": _HTML.format(
                heading="{{ recipient.name }}, es ist soweit",
                text="Das große Spiel läuft, und dein Tarif <b>{{ recipient.attributes.plan }}</b> hat eine Lektion "
                "dafür.",
                more="Fünf Sekunden zum Öffnen, fünf Minuten bis zum Ziel. Heute Abend spielen alle.",
                button="Lektion starten",
                why="Du bekommst diese Mail, weil Angebote in deinem Northwind-Konto an sind.",
            ),
        },
    },
}

_SHORT = {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}}
_ORDER_SHIPPED: dict[str, dict[str, Any]] = {
    "push": _SHORT,
    "in_app": _SHORT,
    "sms": {"en": {"text": "Northwind: order {{ order }} left our warehouse. Follow it: {{ site }}/inbox/"}},
    "email": {
        "en": {
            "subject": "Order {{ order }} is on its way",
            "preheader": "It left our warehouse a moment ago.",
            "html": _HTML.format(
                heading="Your order is on its way",
                text="{{ recipient.name }}, order <b>{{ order }}</b> left our warehouse a moment ago.",
                more="It usually takes two days.",
                button="Follow the parcel",
                why="You get this mail because you ordered at Northwind.",
            ),
        },
    },
}

DIGEST_KEY = "orders-summary"
_SUMMARY: dict[str, dict[str, Any]] = {
    "email": {
        "en": {
            "subject": "{{ count }} orders are on their way",
            "preheader": "They left our warehouse today.",
            "html": _HTML.format(
                heading="{{ count }} orders are on their way",
                text="{{ recipient.name }}, these orders left our warehouse: <b>{{ items | map: 'order' | join: ', ' }}"
                "</b>.",
                more="They usually take two days.",
                button="Follow the parcels",
                why="You get one mail for all of them, because several orders left at the same time.",
            ).replace("{{ site }}", "{{ items.first.site }}"),
        },
    },
}

TEMPLATES: dict[str, dict[str, Any]] = {
    "big-game": {"category": "promotions", "content": _BIG_GAME},
    "order-shipped": {"category": "order-updates", "content": _ORDER_SHIPPED},
    DIGEST_KEY: {"category": "order-updates", "content": _SUMMARY},
}
#: the single notification's channels; each of them gets one message
CHANNELS = tuple(_ORDER_SHIPPED)
