"""The configurations in ``docs/deploy`` are those of the guide, and fit the defaults of the server."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from fastsio.aio.engine import EngineServer
from fastsio.engine.server_base import ServerBase

DOCS = Path(__file__).parents[2] / "docs"
DEPLOY = DOCS / "deploy"
GUIDE = (DOCS / "howto" / "balancers.md").read_text(encoding="utf-8")
PROXIES = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in {".conf", ".cfg"})


def default(option: str) -> Any:
    """Return the default of an option of the engine."""
    return {**inspect.signature(ServerBase).parameters, **inspect.signature(EngineServer).parameters}[option].default  # noqa: TID251 - no handlers


def documents(name: str) -> list[Any]:
    """Read a file of YAML."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(path.name for path in DEPLOY.iterdir() if path.is_file()))
def test_the_guide_shows_or_names_each_file(name: str) -> None:
    """None is forgotten."""
    assert name in GUIDE


@pytest.mark.parametrize("name", PROXIES)
def test_proxies_wait_longer_than_pings_take(name: str) -> None:
    """Each of their times that ends an idle connection."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    times = re.findall(r"(?:proxy_read_timeout|proxy_send_timeout|timeout (?:client|server|tunnel)) +(\d+)s", text)

    assert len(times) in {2, 3}
    assert min(map(int, times)) > default("ping_interval") + default("ping_timeout")


@pytest.mark.parametrize("name", [name for name in PROXIES if name.startswith("nginx")])
def test_nginx_takes_messages_as_large_as_the_server_does(name: str) -> None:
    """Its limit is the default of ``max_http_buffer_size``."""
    text = (DEPLOY / name).read_text(encoding="utf-8")

    assert f"client_max_body_size {default('max_http_buffer_size')};" in text


def test_the_block_that_the_guide_shows_for_addresses_is_that_of_the_file() -> None:
    """Without its comment."""
    block = re.search(r"```nginx\n(upstream.+?)```", GUIDE, re.DOTALL)
    lines = (DEPLOY / "nginx-address.conf").read_text(encoding="utf-8").splitlines(keepends=True)

    assert block is not None
    assert block.group(1) in "".join(line for line in lines if not line.lstrip().startswith("#"))


def test_traefik_finds_what_its_files_name() -> None:
    """The router's entry point and service, and a cookie for stickiness."""
    (dynamic,), (static,) = documents("traefik.yaml"), documents("traefik-static.yaml")
    (router,) = dynamic["http"]["routers"].values()
    balancer = dynamic["http"]["services"][router["service"]]["loadBalancer"]

    assert set(router["entryPoints"]) <= set(static["entryPoints"])
    assert balancer["sticky"]["cookie"]["name"] == "node"
    assert balancer["healthCheck"]["path"] == "/ready"


def test_kubernetes_objects_fit_together() -> None:
    """The service selects the pods, the ingress names the service, and a pod has the time to drain."""
    deployment, service, ingress = documents("kubernetes.yaml")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    arguments = shlex.join(container["args"])

    assert [each["kind"] for each in (deployment, service, ingress)] == ["Deployment", "Service", "Ingress"]
    assert service["spec"]["selector"] == pod["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["number"] == service["spec"]["ports"][0]["port"]
    assert "--drain 15" in arguments
    wait_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > wait_s + 15 + 5


def test_the_probes_of_kubernetes_are_routes_of_the_application() -> None:
    """The application of the container guide has both."""
    container = documents("kubernetes.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    application = (DEPLOY / "container" / "app.py").read_text(encoding="utf-8")
    paths = {container[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")}

    assert len(paths) == 2
    assert [path for path in paths if f'@api.get("{path}")' not in application] == []
