"""The embedded servers: started as root and as another user, twice at once, killed, and beside busy ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest
import redis

from notifier.local.console import say_nothing
from notifier.local.processes import drop_privileges
from notifier.local.processes.child import ProcessFailed
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port, free_ports
from notifier.local.stack import Stack

AS_ANOTHER_USER = """
import sys
from pathlib import Path
from notifier.local.stack import Stack
with Stack(Path(sys.argv[1]), test=True, environ={}) as stack:
    import psycopg
    print(psycopg.connect(stack.settings["DATABASE_URL"]).execute("SELECT current_user").fetchone()[0])
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), test=True, environ={}, say=say_nothing) as stack:
        yield stack


def ask(stack: Stack, query: LiteralString, role: str = "DATABASE_URL") -> object:
    with psycopg.connect(stack.settings[role], autocommit=True) as connection:
        cursor = connection.execute(query)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.mark.parametrize(("url", "role"), [("DATABASE_URL", "notifier_engine"), ("WEB_DATABASE_URL", "notifier_web")])
def test_neither_role_is_a_superuser_or_bypasses_row_level_security(stack: Stack, url: str, role: str) -> None:
    attributes = "SELECT rolname || rolsuper || rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert ask(stack, attributes, url) == f"{role}falsefalse"


def test_the_engine_role_can_become_the_web_role_and_can_make_test_databases(stack: Stack) -> None:
    assert ask(stack, "SELECT pg_has_role('notifier_engine', 'notifier_web', 'SET')") is True
    ask(stack, "CREATE DATABASE made_by_engine")


def test_the_servers_refuse_a_wrong_password(stack: Stack) -> None:
    port = int(stack.settings["DATABASE_URL"].rpartition(":")[2].partition("/")[0])
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", password="guess")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(stack.settings["REDIS_URL"].replace("redis://:", "redis://:not"), retry=None).ping()


def test_committed_rows_survive_a_kill_of_the_database_server(stack: Stack) -> None:
    ask(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    before = stack.settings["DATABASE_URL"]
    stack.kill("postgres")
    assert stack.pid("postgres") is None
    stack.start("postgres")
    assert stack.settings["DATABASE_URL"] == before
    assert ask(stack, "SELECT answer FROM kept") == 42


def test_a_killed_valkey_comes_back_on_the_same_address(stack: Stack) -> None:
    stack.kill("valkey")
    stack.start("valkey")
    assert redis.Redis.from_url(stack.settings["REDIS_URL"]).ping()


def test_two_stacks_run_at_once_and_share_nothing(stack: Stack, tmp_path: Path) -> None:
    with Stack(tmp_path, test=True, environ={}, say=say_nothing) as other:
        assert not set(other.settings.values()) & set(stack.settings.values())
        ask(other, "CREATE TABLE only_here ()")
    assert ask(stack, "SELECT to_regclass('only_here')") is None


def test_only_its_owner_may_read_the_env_file_and_the_stack_removes_it(tmp_path: Path) -> None:
    with Stack(tmp_path, test=True, environ={}, say=say_nothing) as stack:
        env = tmp_path / "env"
        assert env.stat().st_mode & 0o777 == 0o600
        assert f"DATABASE_URL={stack.settings['DATABASE_URL']}\n" in env.read_text()
        key = stack.settings["SECRET_KEY"]
    assert not env.exists()
    with Stack(tmp_path, test=True, environ={}, say=say_nothing) as stack:
        assert stack.settings["SECRET_KEY"] == key


def test_servers_named_in_the_environment_are_used_instead(stack: Stack, tmp_path: Path) -> None:
    with Stack(tmp_path, test=True, environ=stack.settings, say=say_nothing) as other:
        assert other.pid("postgres") is None
        assert other.settings["DATABASE_URL"] == stack.settings["DATABASE_URL"]


def test_a_database_without_the_web_roles_address_is_refused(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgres://notifier_engine@db/notifier", "REDIS_URL": "redis://cache"}
    with pytest.raises(ProcessFailed, match="WEB_DATABASE_URL"), Stack(tmp_path, environ=environ, say=say_nothing):
        pass


def test_a_free_port_replaces_a_busy_one() -> None:
    busy = free_port()
    with socket.create_server(("127.0.0.1", busy)):
        assert free_port(busy) not in (0, busy)
    assert free_port(busy) == busy


def test_no_outgoing_connection_takes_a_chosen_port_and_none_is_chosen_twice() -> None:
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    chosen = [port for _ in range(100) for first in (free_ports(3),) for port in range(first, first + 3)]
    assert len(set(chosen)) == 300
    assert not [port for port in chosen if lowest <= port <= highest]


# ---- as root, and as another user ------------------------------------------------------------------------------------


def python_for(user: str) -> tuple[str, dict[str, str]]:
    """A Python of the same version that this user may run, and the environment with which it finds the packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = {"PYTHONPATH": str(Path(psycopg.__file__).parents[1])}
    for python, env in ((sys.executable, {}), (f"/usr/bin/{version}", packages)):
        try:
            subprocess.run([python, "-c", "import psycopg"], user=user, env=env, cwd=PROJECT, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python, env
    pytest.skip(f"{user} may run no {version}")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """pytest's own folders are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="notifier-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_servers_start_for_a_user_who_is_not_root(open_folder: Path) -> None:
    python, env = python_for("nobody")
    shutil.chown(open_folder, "nobody")
    command = [python, "-c", AS_ANOTHER_USER, str(open_folder / "local")]
    options = {"user": "nobody", "extra_groups": [], "cwd": PROJECT, "env": env}
    ran = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert ran.stdout.splitlines()[-1:] == ["notifier_engine"], ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs it")
def test_root_without_user_namespaces_runs_the_database_as_nobody(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_for("nobody")  # skips where this user cannot read the binaries
    folder_on_path = open_folder / "bin"
    folder_on_path.mkdir()
    unshare = folder_on_path / "unshare"
    unshare.write_text("#!/bin/sh\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder_on_path}:{os.environ['PATH']}")
    drop_privileges.run_as.cache_clear()
    try:
        with Stack(open_folder, test=True, environ={}, say=say_nothing) as stack:
            pid = stack.pid("postgres")
            assert pid is not None
            assert psutil.Process(pid).username() == "nobody"
            assert ask(stack, "SELECT current_user") == "notifier_engine"
    finally:
        drop_privileges.run_as.cache_clear()
