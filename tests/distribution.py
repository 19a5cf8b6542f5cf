"""Which process of `make test` runs which tests, and when. A file stays in one process, because its tests share
fixtures. The flows are in two groups, because all flows of a process share one running site.

Flows wait most of the time, for a minute of the clock or for a lease. So there are more processes than cores, and the
files that take long begin first: at the end of a run no process waits for another one.

A scheduler of our own, because the marks of `--dist loadgroup` do nothing with pytest 9.2 (pytest-xdist 3.8 writes them
into ids that pytest no longer reads).
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

FLOWS = "tests/flows/test_"
#: flows that take as long as all others together: those that kill processes, and those that wait for the clock
HALF_OF_THE_FLOWS = (
    "a_no_holds", "controls", "crashes", "digests", "failpoints", "fairness", "frequency_caps", "routes", "schedules",
    "sms", "webhooks",
)  # fmt: skip
#: one site on servers that stand twice, for all tests of the folder
CLUSTERS = "tests/clusters/"
FIRST_FLOWS, OTHER_FLOWS = "flows that kill and wait", "other flows"
#: seconds on a quiet machine with two cores; any other file takes 0.05 s a test
SECONDS = {
    FIRST_FLOWS: 560,
    OTHER_FLOWS: 420,
    CLUSTERS: 300,
    "tests/bench/test_short_run.py": 200,
    "tests/retention/test_backup.py": 100,
    "tests/admin/every_page/test_odd_requests.py": 85,
    "tests/admin/every_page/test_roles.py": 80,
    "tests/tracing/test_processes.py": 70,
    "tests/campaigns/admin/test_csp_in_chromium.py": 65,
    "tests/admin/lists/test_plans.py": 55,
    "tests/one_file/test_one_file.py": 55,
    "tests/retention/test_bloat.py": 45,
    "tests/inbox/test_page.py": 45,
    "tests/doctor/test_installation.py": 40,
    "tests/inbox/test_socket.py": 40,
    "tests/transport/test_nghttpd.py": 40,
    "tests/retention/test_partitions.py": 30,
    "tests/retention/test_requests.py": 25,
    "tests/retention/test_reports_stay.py": 25,
    "tests/inbox/test_push_page.py": 30,
    "tests/inbox/test_redis_away.py": 30,
    "tests/delivery/accounts/test_connection_test.py": 30,
    "tests/delivery/test_shard_machine.py": 25,
    "tests/transport/test_streams.py": 25,
    "tests/transport/test_batches.py": 25,
    "tests/web/test_sockets.py": 25,
    "tests/local/test_testing.py": 20,
}
SECONDS_A_TEST = 0.05


def scope_of(nodeid: str) -> str:
    """The name of the tests that run in one process, one after the other."""
    path = nodeid.split("::", 1)[0]
    if path.startswith(CLUSTERS):
        return CLUSTERS
    if not path.startswith(FLOWS):
        return path
    return FIRST_FLOWS if path.removeprefix(FLOWS).removesuffix(".py") in HALF_OF_THE_FLOWS else OTHER_FLOWS


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        """Give the process the scope that takes longest."""
        longest = max(self.workqueue, key=lambda scope: SECONDS.get(scope, SECONDS_A_TEST * len(self.workqueue[scope])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
