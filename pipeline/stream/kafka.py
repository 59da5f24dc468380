"""How this program speaks to Kafka: the options of its clients, and their errors in our words."""

import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from pipeline.settings import KafkaSettings, SettingsError

#: Milliseconds until a silent broker counts as gone. Our default.
REQUEST_MS = 15_000
#: Milliseconds that the first answer of any broker may take. Our default.
BOOTSTRAP_MS = 10_000
#: Milliseconds that an acknowledgement by all brokers may take. Our default.
DELIVERY_MS = 120_000
#: Milliseconds between two tries to reach a broker, at most. Our default.
RECONNECT_MS = 5_000
#: Milliseconds after which partitions and their leaders are asked for again. Our default.
METADATA_MS = 60_000
#: Seconds for a look at why TLS fails. Our default.
PROBE_S = 2.0
#: What a message may have around its largest payload: headers, keys, framing. Our default.
FRAMING_BYTES = 64 << 10

# The library logs every try to reach a broker; what matters of that comes to us as an error.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


def options(settings: KafkaSettings, role: str) -> dict[str, Any]:
    """What every client of the library takes: addresses, names, patience, security.

    Raises SettingsError where a file of the settings cannot be used.
    """
    chosen: dict[str, Any] = {
        "bootstrap_servers": list(settings.brokers),
        "client_id": f"spanwatch-{role}-{settings.instance}",
        "request_timeout_ms": REQUEST_MS,
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
        "metadata_max_age_ms": METADATA_MS,
    }
    if settings.encrypted:
        chosen["ssl_context"] = _tls(settings)
        chosen["security_protocol"] = "SASL_SSL" if settings.mechanism else "SSL"
    if settings.mechanism:
        chosen["sasl_mechanism"] = settings.mechanism
        chosen["sasl_plain_username"] = settings.user
        chosen["sasl_plain_password"] = _password(settings)
    return chosen


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    for name in ("ca", "certificate", "key"):
        path = getattr(settings, name)
        if path is not None:
            _readable(name, path)
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except ssl.SSLError:
        raise SettingsError(f"stream.kafka.ca: {settings.ca} holds no certificate; give a PEM file") from None
    if settings.certificate is not None:
        try:
            # An encrypted key must not ask for its password on a terminal.
            context.load_cert_chain(settings.certificate, settings.key, password=lambda: b"")
        except ssl.SSLError:
            raise SettingsError(
                f"stream.kafka.certificate: {settings.certificate} and {settings.key} don't belong together, "
                "or are no PEM files without a password; give a certificate and its own key"
            ) from None
    return context


def _readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise SettingsError(
            f"stream.kafka.{name}: cannot read {path}: {error.strerror}; give a file this user may read"
        ) from None


def _password(settings: KafkaSettings) -> str:
    assert settings.password_file is not None
    _readable("password_file", settings.password_file)
    try:
        lines = settings.password_file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    if not lines or not lines[0]:
        raise SettingsError(
            f"stream.kafka.password_file: the first line of {settings.password_file} is empty or no text; "
            "write the password there"
        )
    return lines[0]


def fault(what: str, error: Exception, settings: KafkaSettings) -> OSError:
    """`what` failed, why, and the mend, in one line. Never a secret: the library's own text is left out."""
    where = ", ".join(settings.brokers)
    name = type(error).__name__
    mends: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
        (
            (kafka_errors.SaslAuthenticationFailedError,),
            f"the brokers refuse user {settings.user!r}; "
            "check stream.kafka.user, password_file and mechanism",
        ),
        (
            (kafka_errors.AuthorizationError,),
            "the brokers forbid it; give this user READ, WRITE, DESCRIBE and CREATE on the topics "
            f"{settings.topic_prefix}.*, and READ on group {settings.group}",
        ),
        (
            (kafka_errors.UnknownTopicOrPartitionError,),
            "a topic or partition is missing; run `spanwatch topics`",
        ),
        (
            (kafka_errors.InvalidReplicationFactorError,),
            f"there are fewer than {settings.replication} brokers; "
            "start more, or lower stream.kafka.replication",
        ),
        (
            (kafka_errors.NotEnoughReplicasError, kafka_errors.NotEnoughReplicasAfterAppendError),
            "too few brokers have a copy; start those that are down",
        ),
        (
            (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError),
            "it is larger than the topic takes; raise stream.kafka.message_bytes and its max.message.bytes",
        ),
        (
            (kafka_errors.RetriableError,),
            f"no broker answers at {where}; start them, or check stream.kafka (addresses, tls, ca)",
        ),
    )
    for kinds, mend in mends:
        if isinstance(error, kinds):
            kind = PermissionError if isinstance(error, kafka_errors.AuthorizationError) else OSError
            return kind(f"{what}: {mend}")
    if isinstance(error, OSError) and error.strerror:
        return OSError(f"{what}: {error.strerror}; check the network to {where}")
    return OSError(f"{what}: {name}; look at the brokers' log")


class Connections(KafkaConnectionManager):
    """The library's connections, which forgets why a broker refused us and says that none answers."""

    refusal: Exception | None = None

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        connection = super().get_connection(*arguments, **options)
        connection.init_future.add_errback(self._failed)
        return connection

    def _failed(self, error: Exception) -> None:
        if isinstance(error, kafka_errors.SaslAuthenticationFailedError | kafka_errors.AuthorizationError):
            self.refusal = error


@contextmanager
def connecting(settings: KafkaSettings, role: str) -> Iterator[dict[str, Any]]:
    """The options of a client that is made in the block. Raises OSError, with the reason, if that fails."""
    made: list[KafkaNetClient] = []

    def client(**configs: Any) -> KafkaNetClient:
        net = NetworkSelector(**configs)
        made.append(KafkaNetClient(net=net, manager=Connections(net, **configs), **configs))
        return made[-1]

    try:
        yield options(settings, role) | {"kafka_client": client}
    except (kafka_errors.KafkaError, OSError) as error:
        if isinstance(error, SettingsError):
            raise
        refused = [one._manager.refusal for one in made if one._manager.refusal]
        # The library leaves threads and sockets of a client that reached nobody.
        for one in made:
            one._net.stop(1_000)
            with suppress(Exception):
                one.close()
        if refused:
            error = refused[0]
        elif settings.encrypted:
            reached, reason = _look(settings)
            if reason:
                raise OSError(f"cannot reach Kafka: {reason}") from None
            if reached and settings.mechanism:
                # A broker may hang up on whom it refuses before it says so.
                error = kafka_errors.SaslAuthenticationFailedError()
        raise fault("cannot reach Kafka", error, settings) from None


def _look(settings: KafkaSettings) -> tuple[bool, str]:
    """Whether a broker can be spoken to over TLS; if not, why the first that takes connections refuses."""
    for broker in settings.brokers:
        host, _, port = broker.rpartition(":")
        host = host.strip("[]")
        try:
            plain = socket.create_connection((host, int(port)), PROBE_S)
        except OSError:
            continue
        with plain:
            try:
                with _tls(settings).wrap_socket(plain, server_hostname=host) as wrapped:
                    # In TLS 1.3 the other side's refusal of a certificate is the first thing read.
                    with suppress(TimeoutError):
                        wrapped.recv(1)
                    return True, ""
            except TimeoutError:
                return False, ""
            except OSError as error:
                why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "it hung up"
                return False, (
                    f"TLS with {broker} fails ({why}); check stream.kafka.ca, certificate and key, and that "
                    f"the broker's certificate names {host}"
                )
    return False, ""


@contextmanager
def open_admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """A client that asks for and changes topics. Raises OSError (no broker), SettingsError."""
    with connecting(settings, "admin") as chosen:
        admin = KafkaAdminClient(**chosen)
    try:
        yield admin
    except kafka_errors.KafkaError as error:
        raise fault("cannot ask Kafka", error, settings) from None
    finally:
        admin.close()


@contextmanager
def open_producer(settings: KafkaSettings, role: str) -> Iterator[KafkaProducer]:
    """An idempotent producer whose messages count when all in-sync brokers have them.

    Raises OSError (no broker), SettingsError. What has no acknowledgement at the block's end is given up.
    """
    with connecting(settings, role) as chosen:
        producer = KafkaProducer(
            **chosen,
            acks="all",
            enable_idempotence=True,
            metrics_enabled=False,
            delivery_timeout_ms=DELIVERY_MS,
            max_block_ms=BOOTSTRAP_MS,
            max_request_size=settings.message_bytes + FRAMING_BYTES,
            batch_size=256 << 10,
            allow_auto_create_topics=False,
        )
    try:
        yield producer
    finally:
        try:
            producer.close(timeout=0)
        except kafka_errors.KafkaTimeoutError:
            # `close` gives up where something is on its way, and its thread would go on with that.
            producer._sender.force_close()
        producer._sender.join(5)
