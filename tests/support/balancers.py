"""
Start nginx, HAProxy, Traefik and Caddy with a configuration of the documentation, on a free port of the loopback interface.

The addresses in the files are replaced by those of the nodes of the test, and nothing else is, unless the test says so.
"""

from __future__ import annotations

import os
import re
import ssl
import sysconfig
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.support.brokers import Broker, folder, program, running
from tests.support.ports import HOST, reserved_port
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
#: The addresses of the nodes in the files.
NODES = ("10.0.0.1:8000", "10.0.0.2:8000")
#: What stands around the file, which is for the http block: everything that nginx would write elsewhere is here.
NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid nginx.pid;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include socketio.conf;
}}
"""


#: What Caddy would do beside serving: change its configuration by HTTP, and keep files at home.
CADDY = """
{
    admin off
    persist_config off
}
"""

#: The lines of the files that say where to listen; that of Traefik is in another file, and Caddy listens where its site is.
LISTENING = {"nginx": "listen 80;", "haproxy": "bind :80", "traefik": 'address: ":80"'}
STATIC = (DEPLOY / "traefik-static.yaml").read_text(encoding="utf-8")
LISTENS = re.compile(r"^(listen |bind ):?\d+")


def configuration(name: str, port: int, nodes: Sequence[int], changes: Mapping[str, str]) -> str:
    """
    Return the text of a file in ``docs/deploy`` for nodes of a test.

    Args:
        name: Of the file.
        port: Where the balancer listens.
        nodes: The ports of the nodes, one or two; with one, the line of the other node is left out.
        changes: What else is replaced; each must be in the file.
    """
    text = (DEPLOY / name).read_text(encoding="utf-8")
    if len(nodes) < len(NODES):
        text = "".join(line for line in text.splitlines(keepends=True) if NODES[1] not in line)
    addresses = {before: f"{HOST}:{node}" for before, node in zip(NODES, nodes, strict=False)}
    if name == "container/Caddyfile":
        # The containers have addresses that only Docker knows.
        block = text[text.index("dynamic a") : text.index("}") + 1]
        addresses = {block: "to " + " ".join(addresses.values())}
        addresses["chat.example.com {"] = f"http://localhost:{port} {{\n\tbind {HOST}"
    listening = "" if name == "traefik.yaml" else LISTENING.get(kind_of(name), "")
    lines = {listening: listening} if listening else {}
    for before, after in {**addresses, **lines, **changes}.items():
        assert before in text, f"{name} has no {before!r}"
        text = text.replace(before, LISTENS.sub(rf"\g<1>{HOST}:{port}", after) if before == listening else after)
    return text


def kind_of(name: str) -> str:
    """Return the program that a file is for: nginx, haproxy, traefik or Caddyfile."""
    return Path(name).stem.partition("-")[0]


@contextmanager
def balancer(name: str, nodes: Sequence[int], changes: Mapping[str, str] | None = None) -> Iterator[Broker]:
    """
    Run the program that a file in ``docs/deploy`` is for, for the length of the block.

    Args:
        name: Of the file; it begins with the program's, or is Caddy's.
        nodes: As in :func:`configuration`.
        changes: As in :func:`configuration`.
    """
    with folder() as path, reserved_port() as port:
        start = {"nginx": _nginx, "haproxy": _haproxy, "traefik": _traefik, "Caddyfile": _caddy}[kind_of(name)]
        changes = dict(changes or {})
        if name == "traefik.yaml":  # where to listen is in its other file
            start = partial(_traefik, static={before: changes.pop(before) for before in [*changes] if before in STATIC})
        with running(start(path, port, configuration(name, port, nodes, changes))) as process:
            yield process


def _nginx(path: Path, port: int, text: str) -> Broker:
    (path / "socketio.conf").write_text(text, encoding="utf-8")
    # Else its worker is another user, who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    (path / "nginx.conf").write_text(NGINX.format(user=user), encoding="utf-8")
    command = [program("nginx", "apt-get install nginx"), "-p", str(path), "-c", str(path / "nginx.conf")]
    return Broker(command, port, f"http://localhost:{port}", path)


def _haproxy(path: Path, port: int, text: str) -> Broker:
    (path / "haproxy.cfg").write_text(text, encoding="utf-8")
    command = [program("haproxy", "apt-get install haproxy"), "-db", "-f", str(path / "haproxy.cfg")]
    return Broker(command, port, f"http://localhost:{port}", path)


def _traefik(path: Path, port: int, text: str, static: Mapping[str, str]) -> Broker:
    listening = LISTENING["traefik"]
    changes = {listening: listening, **static, "/etc/traefik/dynamic.yaml": str(path / "dynamic.yaml")}
    main = STATIC
    for before, after in changes.items():
        assert before in main, f"traefik-static.yaml has no {before!r}"
        main = main.replace(before, re.sub(r'address: ":\d+"', f"address: {HOST}:{port}", after))
    (path / "traefik.yml").write_text(main, encoding="utf-8")
    (path / "dynamic.yaml").write_text(text, encoding="utf-8")
    command = [packaged("traefik"), f"--configFile={path / 'traefik.yml'}"]
    scheme = "https" if "tls:" in main else "http"
    is_ready = partial(reaches_a_node, scheme=scheme)
    return Broker(command, port, f"{scheme}://localhost:{port}", path, is_ready=is_ready)


def _caddy(path: Path, port: int, text: str) -> Broker:
    (path / "Caddyfile").write_text(CADDY + text, encoding="utf-8")
    command = [packaged("caddy"), "run", "--config", str(path / "Caddyfile"), "--adapter", "caddyfile"]
    environ = {"HOME": str(path), "XDG_DATA_HOME": str(path), "XDG_CONFIG_HOME": str(path)}
    return Broker(command, port, f"http://localhost:{port}", path, environ, is_ready=reaches_a_node)


def packaged(name: str) -> str:
    """Return the path of a program that a package of the extra ``test`` brings."""
    scripts = sysconfig.get_path("scripts")
    return str(Path(scripts) / name) if (Path(scripts) / name).is_file() else program(name, f"pip install {name}-bin")


def reaches_a_node(port: int, scheme: str = "http") -> bool:
    """Tell whether a proxy passes requests on: a node refuses this one, which names no transport."""
    request = Request(f"{scheme}://{HOST}:{port}/socket.io/", headers={"Host": f"localhost:{port}"})  # noqa: S310 - HTTP
    anybody = ssl._create_unverified_context()  # noqa: S323 - a certificate of the test
    try:
        with urlopen(request, timeout=WAIT_S, context=anybody):  # noqa: S310 - HTTP
            return False
    except HTTPError as error:
        with error:
            return error.code == HTTPStatus.BAD_REQUEST
    except (URLError, OSError):
        return False
