"""`manage.py doctor` on a whole installation: a healthy one, and one that loses its parts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from notifier.local.console import say_nothing
from notifier.local.testing import LOCAL, remove_folder
from tests.flows.site import Site
from tests.flows.wait import until

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def own_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    folder = LOCAL / f"test-{os.getpid()}-doctor"
    with Site(folder, test=True, environ={}, say=say_nothing) as running:
        running.up()
        yield running
    remove_folder(folder, keep_logs=request.session.testsfailed > 0)


def diagnosis(site: Site) -> tuple[int, list[dict[str, Any]]]:
    # a busy machine answers late
    done = site.manage("doctor", "--json", "--worker-seconds", "15")
    return done.returncode, json.loads(done.stdout)["findings"]


def test_a_healthy_installation_and_one_that_loses_its_parts(own_site: Site) -> None:
    tenant = own_site.new_tenant()
    assert tenant.slug

    def if_well() -> str:
        done = own_site.manage("doctor", "--worker-seconds", "15")
        return done.stdout if done.returncode == 0 else ""

    assert "nothing is wrong" in until(if_well, "a healthy installation")

    own_site.stop("worker:sms")
    code, findings = diagnosis(own_site)
    assert (code, [f["text"] for f in findings]) == (2, ["No worker of the queue sms answered within 15 s."])

    own_site.stop("web")
    own_site.stop("valkey")
    code, findings = diagnosis(own_site)
    assert (code, [f["code"] for f in findings]) == (2, ["redis", "site", "skipped"])
