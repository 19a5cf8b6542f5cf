"""The chart renders, with several values, to objects that Kubernetes knows; and it has a worker for every queue."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from notifier.channels.queues import is_bulk, queues
from notifier.local.processes.programs import PROJECT

CHART = PROJECT / "deploy" / "k8s" / "notifier"
EXAMPLE = PROJECT / "deploy" / "k8s" / "example-values.yaml"
NEEDED = {"siteUrl": "https://notify.example.com", "existingSecret": "notifier"}
#: of KEDA and of Prometheus' operator: kubernetes-validate has no schemas of them
FOREIGN = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
#: the oldest version that Chart.yaml admits, and the newest one that is known
VERSIONS = ("1.27", kubernetes_validate.latest_version())
VALUES: dict[str, Mapping[str, Any]] = {
    "the least": {},
    "the example": yaml.safe_load(EXAMPLE.read_text()),
    "little": {
        "web": {"autoscaling": {"enabled": False}},
        "sandbox": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "migrate": {"enabled": False},
        "uploads": {"existingClaim": "mine"},
        "workers": {"sms": {"max": 0}, "sms.bulk": {"max": 0}},
    },
    "everything": {
        "keda": {"enabled": True},
        "ingress": {"enabled": True, "annotations": {"a.example/b": "c"}},
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "mail", "operator": "Exists"}],
        "podAnnotations": {"x.example/y": "z"},
        "serviceAccount": {"annotations": {"iam.example/role": "notifier"}},
        "uploads": {"storageClass": "nfs"},
        "service": {"type": "LoadBalancer", "port": 8080},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "networkPolicy": {"webFrom": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]},
        "settings": {"DATABASE_POOLER": "transaction", "WEB_MAX_CONNECTIONS": 5000},
    },
}


@cache
def helm() -> str:
    path = shutil.which("helm") or shutil.which("helm", path=str(PROJECT / ".local" / "bin"))
    if path is None:
        pytest.skip("no helm (go install helm.sh/helm/v3/cmd/helm@v3.22.0)")
    return str(path)


def run(*arguments: str, values: Mapping[str, Any]) -> str:
    done = subprocess.run(
        [helm(), *arguments, "--kube-version", VERSIONS[1], "--values", "-"],
        input=yaml.safe_dump(dict(values)),
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def render(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = run("template", "notifier", str(CHART), "--namespace", "notifier", values={**NEEDED, **values})
    return [rendered for rendered in yaml.safe_load_all(text) if rendered]


@pytest.mark.parametrize("name", VALUES)
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    run("lint", str(CHART), "--strict", values={**NEEDED, **VALUES[name]})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", VALUES)
def test_every_object_is_what_kubernetes_expects(name: str, version: str) -> None:
    objects = render(VALUES[name])
    assert {"Deployment", "Service", "ConfigMap"} <= {rendered["kind"] for rendered in objects}
    for rendered in objects:
        if rendered["kind"] not in FOREIGN:
            kubernetes_validate.validate(rendered, version, strict=True)
    names = Counter((rendered["kind"], rendered["metadata"]["name"]) for rendered in objects)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("lacking", "message"),
    [({"siteUrl": ""}, "siteUrl is needed"), ({"existingSecret": ""}, "existingSecret is needed"),
     ({"siteUrl": "http://plain.example.com"}, "must begin with https")],
    ids=["no address", "no secret", "no https"],
)  # fmt: skip
def test_what_must_be_set_is_asked_for(lacking: dict[str, str], message: str) -> None:
    done = subprocess.run(
        [helm(), "template", "notifier", str(CHART), "--kube-version", VERSIONS[1], "--values", "-"],
        input=yaml.safe_dump({**NEEDED, **lacking}),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert message in done.stderr


def test_every_queue_has_a_worker_and_no_other_does() -> None:
    assert set(yaml.safe_load(CHART.joinpath("values.yaml").read_text())["workers"]) == set(queues())
    deployments = workers(render({}))
    assert set(deployments) == set(queues())
    for queue, deployment in deployments.items():
        arguments = container(deployment)["args"]
        assert arguments[arguments.index("-Q") + 1] == queue
        # each process of a bulk queue is warmed, so a pod has one
        assert not is_bulk(queue) or arguments[arguments.index("--concurrency") + 1] == "1"


def test_a_queue_without_pods_has_no_worker() -> None:
    assert set(queues()) - set(workers(render(VALUES["little"]))) == {"sms", "sms.bulk"}


def test_keda_asks_for_the_backlog_of_each_queue() -> None:
    objects = render({"keda": {"enabled": True}})
    scaled = [rendered for rendered in objects if rendered["kind"] == "ScaledObject"]
    asked = {trigger["metadata"]["query"] for rendered in scaled for trigger in rendered["spec"]["triggers"]}
    assert asked == {f"SELECT queue_backlog('{queue}')" for queue in queues() if queue != "control"}
    names = {rendered["metadata"]["name"] for rendered in objects if rendered["kind"] == "Deployment"}
    for rendered in scaled:
        assert rendered["spec"]["scaleTargetRef"]["name"] in names
        assert rendered["spec"]["triggers"][0]["metadata"]["targetQueryValue"].isdigit()
    # the autoscaler and the chart must not both say how many pods there are
    assert {queue for queue, deployment in workers(objects).items() if "replicas" in deployment["spec"]} == {"control"}


def test_every_process_runs_with_few_rights() -> None:
    for rendered in render({"keda": {"enabled": True}, "podMonitor": {"enabled": True}}):
        if rendered["kind"] not in ("Deployment", "Job"):
            continue
        pod = rendered["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        mounted = set()
        for one in pod["containers"]:
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= set(one["resources"])
            mounted |= {mount["name"] for mount in one["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_beat_is_never_doubled_and_workers_have_time_to_end() -> None:
    deployments = {r["metadata"]["name"]: r["spec"] for r in render({}) if r["kind"] == "Deployment"}
    beat = deployments["notifier-beat"]
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})
    for deployment in workers(render({})).values():
        # PROVIDER_TIMEOUT_SECONDS, and CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 10 + 20


def workers(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Queue -> the Deployment of its workers."""
    annotated = ((rendered["metadata"].get("annotations") or {}, rendered) for rendered in objects)
    return {notes["notifier/queue"]: rendered for notes, rendered in annotated if "notifier/queue" in notes}


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return first
