"""Routes as requests bring them, correct and wrong: as a table."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.delivery.routes.read_route import read_route
from notifier.errors import InvalidInput
from notifier.vocabulary.routes import RouteStep, from_json, stored_form


def test_a_route_is_read_and_stored_and_read_again() -> None:
    raw = [{"channels": ["push", "in_app"]}, {"channel": "sms", "after": "90s"}]
    raw.append({"channel": "email", "after": "7d", "unless": "delivered"})
    route = read_route(raw)
    assert route == (
        RouteStep(("push", "in_app")), RouteStep(("sms",), "90s", "seen"), RouteStep(("email",), "7d", "delivered"),
    )  # fmt: skip
    assert from_json(stored_form(route)) == route
    assert (read_route([]), stored_form(()), from_json(None)) == ((), None, ())


@pytest.mark.parametrize(
    ("route", "field"),
    [
        ("push", "route"),
        ({"channel": "push"}, "route"),
        (["push"], "route.0"),
        ([{}], "route.0.channel"),
        ([{"channel": "push", "channels": ["sms"]}], "route.0.channel"),
        ([{"channel": "pager"}], "route.0.channel"),
        ([{"channel": 7}], "route.0.channel"),
        ([{"channels": []}], "route.0.channels"),
        ([{"channels": ["push", "push"]}], "route.0.channels"),
        ([{"channel": "push", "after": "10m"}], "route.0.after"),
        ([{"channel": "push", "unless": "seen"}], "route.0.unless"),
        ([{"channel": "push"}, {"channel": "sms"}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": "10 minutes"}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": 600}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": "29s"}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": "8d"}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": "99999999999999d"}], "route.1.after"),
        ([{"channel": "push"}, {"channel": "sms", "after": "10m", "unless": "clicked"}], "route.1.unless"),
        ([{"channel": "push"}, {"channel": "sms", "after": "10m", "unless": ["seen"]}], "route.1.unless"),
        ([{"channel": "push"}, {"channel": "push", "after": "10m"}], "route.1.channel"),
        ([{"channel": "push"}, {"channel": "sms", "after": "10m", "until": "read"}], "route.1.until"),
        ([{"channel": "push"}] * 6, "route"),
    ],
)  # fmt: skip
def test_a_wrong_route_is_refused_with_the_name_of_its_field(route: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_route(route)
    assert refused.value.field == field
