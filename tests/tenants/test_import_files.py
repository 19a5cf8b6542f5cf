"""Which CSV files are refused, the memory of an import, and the command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.imports import UnreadableFile, import_recipients
from tests.fixtures import People
from tests.tenants.csv_files import ANNE, put, stored

pytestmark = pytest.mark.django_db


LATIN = "external_id,name\n" + "".join(f"{i},ok\n" for i in range(6000)) + "x,Jos\xe9\n"

REFUSED = {
    "empty": b"",
    "only blank lines": b"\n\r\n  \n",
    "utf-16": ANNE.encode("utf-16"),
    "utf-16 without its mark": ANNE.encode("utf-16-le"),
    "latin-1 after 6,000 good lines": LATIN.encode("latin-1"),
    "a zero byte in the middle": b"external_id\na\n" + b"b\n" * 6000 + b"c\0d\n",
    "binary": bytes(range(256)) * 40,
    "an Excel workbook": b"PK\x03\x04" + b"\x14\x00" * 50,
    "gzip": b"\x1f\x8b\x08\x00abc",
    "no external_id": b"name,email\nA,a@example.com\n",
    "a column twice": b"external_id,email,EMAIL\n1,a@example.com,b@example.com\n",
    "two columns that could be the id": b"user_id,customer_id\n1,2\n",
    "an attribute twice": b"external_id,plan,attributes.plan\n1,a,b\n",
    "a column without a name": b"external_id,,email\n1,,a@example.com\n",
    "a quote that is never closed": b'external_id,name\n1,"Anne\n' + b"2,x\n" * 50_000,
    "a quote that is not closed before the end": b'external_id,name\n1,"Anne\n2,x\n',
    "one endless line": b"external_id," + b"x" * 2_000_000,
    "a bare carriage return": b"external_id,name\n1,a\r2,b\n",
    "a separator that is none": b"sep=x\nexternal_idxname\n1xAnne\n",
    "only the line of the separator": b"sep=;\n",
    "html": b"<!doctype html>\n<html><body>Log in first</body></html>\n",
    "json": b'[{"external_id": "1"}]\n',
}


@pytest.mark.parametrize("file", REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_not_what_it_claims_changes_nothing(file: bytes, people: People) -> None:
    put(people, "external_id,name\n1,before\n")
    with pytest.raises(UnreadableFile) as refused:
        put(people, file)
    assert len(refused.value.message) > 10
    assert {k: r.name for k, r in stored(people).items()} == {"1": "before"}


def test_a_file_over_the_limit_is_refused(people: People, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 100
    with pytest.raises(UnreadableFile, match="larger than 100 bytes"):
        put(people, "external_id\n" + "1234567\n" * 20)
    assert stored(people) == {}


def test_a_file_may_follow_a_refused_one(people: People) -> None:
    with pytest.raises(UnreadableFile):
        put(people, LATIN.encode("latin-1"))
    assert put(people, ANNE).created == 1


def test_tenants_have_their_own_people_of_the_same_name(people: People) -> None:
    put(people, ANNE)
    import_recipients(people.globex.pk, io.BytesIO(b"external_id,name\na1,Other\n"))
    assert stored(people)["a1"].name == "Anne"


def test_memory_does_not_grow_with_the_file(django_db_setup: None) -> None:
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    # the first import loads what is loaded once
    done = subprocess.run(
        [sys.executable, "-m", "tests.tenants.import_memory", "100", "2000", "20000"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "notifier.settings", "DATABASE_URL": urlunsplit(database)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    _, few, many = json.loads(done.stdout)
    assert many < few * 1.3


def test_the_command_prints_a_report(people: People, tmp_path: Any, capsys: Any) -> None:
    file = tmp_path / "people.csv"
    file.write_text("external_id,email\n1,a@example.com\n2,bad\n")
    call_command("import_recipients", "--tenant", "acme", str(file))
    out = capsys.readouterr().out
    assert "line 3: email" in out and "1 created" in out and "1 rejected" in out
    file.write_text("external_id,points,plan\n1,5,pro\n")
    call_command("import_recipients", "--tenant", "acme", str(file))
    assert "attribute points: number\nattribute plan: text\n" in capsys.readouterr().out


def test_the_command_fails_on_a_refused_file_an_unknown_tenant_and_no_file(people: People, tmp_path: Any) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"\xff\xfe")
    for tenant, path, said in (
        ("acme", file, "UTF-16"),
        ("nobody", file, "no tenant"),
        ("acme", tmp_path / "no", "read"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("import_recipients", "--tenant", tenant, str(path))
