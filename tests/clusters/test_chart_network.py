"""Prometheus reaches what every pod measures, and the network policies let in and out whom they must."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.channels.queues import queues
from tests.clusters.test_chart import NEEDED, VALUES, container, render, workers

Objects = list[dict[str, Any]]
#: of the processes that measure: the sandbox does not
MEASURING = {"web", "beat", *(f"worker-{queue.replace('.', '-').replace('_', '-')}" for queue in queues())}


def of_kind(kind: str, objects: Objects) -> dict[str, dict[str, Any]]:
    """Name, without that of the release -> the object."""
    return {r["metadata"]["name"].removeprefix("notifier-"): r for r in objects if r["kind"] == kind}


def ports_of(deployment: dict[str, Any]) -> dict[str, int]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {port["name"]: port["containerPort"] for one in containers for port in one.get("ports", ())}


def policy(name: str, values: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("NetworkPolicy", render(values))[name]["spec"]
    return spec


# ---- metrics ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_scraped", [False, True], ids=["not scraped", "scraped"])
def test_the_processes_of_each_pod_write_what_they_measure_into_its_memory(is_scraped: bool) -> None:
    objects = render({"podMonitor": {"enabled": is_scraped}})
    folder = of_kind("ConfigMap", objects)["notifier"]["data"]["METRICS_DIR"]
    for name in MEASURING:
        pod = of_kind("Deployment", objects)[name]["spec"]["template"]["spec"]
        assert {v["name"]: v for v in pod["volumes"]}["metrics"]["emptyDir"]["medium"] == "Memory", name
        # all of its processes, and who answers the scrape
        for one in pod["containers"]:
            assert {"configMapRef": {"name": "notifier"}} in one["envFrom"], name
            assert {"name": "metrics", "mountPath": folder} in one["volumeMounts"], name


def test_prometheus_finds_one_target_in_every_pod_and_may_read_it() -> None:
    objects = render({"podMonitor": {"enabled": True}})
    monitor = of_kind("PodMonitor", objects)["notifier"]["spec"]
    asked = {endpoint["port"]: endpoint for endpoint in monitor["podMetricsEndpoints"]}
    for endpoint in asked.values():
        assert endpoint["authorization"]["credentials"] == {"name": NEEDED["existingSecret"], "key": "METRICS_TOKEN"}
    allowed = policy("metrics", {"podMonitor": {"enabled": True}})
    assert {port["port"] for port in allowed["ingress"][0]["ports"]} == set(asked)
    assert allowed["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    deployments = of_kind("Deployment", objects)
    for name in MEASURING:
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        for selector in (monitor["selector"], allowed["podSelector"]):
            assert selector["matchLabels"].items() <= labels.items()
        assert len(set(ports_of(deployments[name])) & set(asked)) == 1, name
    assert not set(ports_of(deployments["sandbox"])) & set(asked)


def test_an_exporter_stands_beside_each_worker_and_beat() -> None:
    deployments = of_kind("Deployment", render({"podMonitor": {"enabled": True}}))
    for name in MEASURING - {"web"}:
        exporter = deployments[name]["spec"]["template"]["spec"]["containers"][1]
        arguments = exporter["args"]
        assert arguments[:3] == ["python", "manage.py", "metrics_exporter"]
        assert arguments[arguments.index("--port") + 1] == str(ports_of(deployments[name])["metrics"])
        # Prometheus is not in this pod; and web tells the facts of the installation
        assert (arguments[arguments.index("--host") + 1], "--processes-only" in arguments) == ("0.0.0.0", True)
    for name in MEASURING:
        assert len(of_kind("Deployment", render({}))[name]["spec"]["template"]["spec"]["containers"]) == 1


# ---- who reaches web, and whom pods reach ----------------------------------------------------------------------------


def test_web_is_reached_by_pods_and_by_the_peers_that_the_values_name() -> None:
    balancer = {"ipBlock": {"cidr": "10.0.0.0/16"}}
    peers = policy("web", {"networkPolicy": {"webFrom": [balancer]}})["ingress"][0]["from"]
    assert balancer in peers
    assert {"namespaceSelector": {}} in peers
    assert balancer not in policy("web", {})["ingress"][0]["from"]
    for kind in ("LoadBalancer", "NodePort"):
        service = {"service": {"type": kind}}
        # clients of such a Service are no pods
        assert "from" not in policy("web", service)["ingress"][0]
        assert balancer in policy("web", {**service, "networkPolicy": {"webFrom": [balancer]}})["ingress"][0]["from"]


def test_pods_reach_everything_but_the_metadata_services() -> None:
    blocks = {p["ipBlock"]["cidr"]: p["ipBlock"] for p in policy("notifier", {})["egress"][0]["to"] if "ipBlock" in p}
    assert blocks["0.0.0.0/0"]["except"] == ["169.254.169.254/32"]
    assert blocks["::/0"]["except"] == ["fd00:ec2::254/128"]
    nothing = policy("notifier", {"networkPolicy": {"deniedNetworks": []}})["egress"][0]["to"]
    assert {"ipBlock": {"cidr": "0.0.0.0/0"}} in nothing
    assert {"ipBlock": {"cidr": "::/0"}} in nothing


# ---- what processes are told -----------------------------------------------------------------------------------------


def test_web_does_not_know_how_to_become_the_engine() -> None:
    web = container(of_kind("Deployment", render({}))["web"])
    # a variable by itself goes before those of the Secret
    told = {variable["name"]: variable["value"] for variable in web["env"]}
    assert [told[name] for name in ("DATABASE_URL", "DATABASE_DIRECT_URL", "KEDA_DATABASE_URL")] == ["", "", ""]
    for worker in workers(render({})).values():
        assert "DATABASE_URL" not in {variable["name"] for variable in container(worker)["env"]}


def test_batch_processes_are_those_that_run() -> None:
    def processes(**values: Any) -> str:
        batch = {"batch": {"concurrency": 3, "min": 2, "max": 8, "target": 4}}
        data = of_kind("ConfigMap", render({"workers": batch, **values}))["notifier"]["data"]
        return str(data["BATCH_PROCESSES"])

    assert (processes(), processes(keda={"enabled": True})) == ("6", "24")


def test_the_example_lets_the_ingress_pass_large_files_and_long_sockets() -> None:
    ingress = of_kind("Ingress", render(VALUES["the example"]))["notifier"]
    notes = ingress["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"
    assert int(notes["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m")) << 20 >= 536_870_912
