"""Kafka's clients as the settings want them, and their errors in our words."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka import errors as kafka_errors

from pipeline.settings import KafkaSettings, SettingsError
from pipeline.stream import kafka as module
from pipeline.stream.kafka import fault, open_admin, open_producer, options
from pipeline.stream.topics import make, topic_of, wanted
from tests.lab.certificates import Certificates
from tests.services.kafka import PASSWORD, Kafka, Security, missing

needs_kafka = pytest.mark.skipif(bool(missing()), reason=missing())


def settings(**values: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"brokers": ["127.0.0.1:1"], "instance": "one"} | values)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "ca", "Authority")
    made.leaf("client", ("client.example",))
    return made


def test_options_say_who_we_are() -> None:
    """Role and instance are in the client's id, for the brokers' log; without TLS nothing is said of it."""
    chosen = options(settings(), "relay")
    assert chosen["client_id"] == "spanwatch-relay-one"
    assert chosen["bootstrap_servers"] == ["127.0.0.1:1"]
    assert "ssl_context" not in chosen
    assert "sasl_mechanism" not in chosen


def test_options_of_security(certificates: Certificates, tmp_path: Path) -> None:
    """Authority, own certificate, user and the password's first line."""
    folder = certificates.folder
    (tmp_path / "password").write_text("first\nsecond\n")
    chosen = options(
        settings(
            ca=folder / "ca.pem", certificate=folder / "client.pem", key=folder / "leaf.key",
            mechanism="SCRAM-SHA-512", user="gate", password_file=tmp_path / "password",
        ),
        "relay",
    )  # fmt: skip
    assert chosen["security_protocol"] == "SASL_SSL"
    assert chosen["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (chosen["sasl_plain_username"], chosen["sasl_plain_password"]) == ("gate", "first")
    assert chosen["ssl_context"].check_hostname
    assert len(chosen["ssl_context"].get_ca_certs()) == 1
    assert options(settings(tls=True), "relay")["security_protocol"] == "SSL"


def test_files_that_cannot_be_used(certificates: Certificates, tmp_path: Path) -> None:
    """The key, the file and the mend; nothing of what is in the file."""
    folder = certificates.folder
    empty = tmp_path / "empty"
    empty.write_text("")
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\xfe hidden")
    other = tmp_path / "other.key"
    subprocess.run(["openssl", "genrsa", "-out", other, "2048"], check=True, capture_output=True)
    locked = tmp_path / "locked.key"
    encrypt = [
        "openssl",
        "rsa",
        "-aes128",
        "-passout",
        "pass:hidden",
        "-in",
        folder / "leaf.key",
        "-out",
        locked,
    ]
    subprocess.run(encrypt, check=True, capture_output=True)
    pair = {"certificate": folder / "client.pem", "key": folder / "leaf.key"}
    user: dict[str, Any] = {"tls": True, "mechanism": "PLAIN", "user": "gate"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca": tmp_path / "none"}, "stream.kafka.ca: cannot read"),
        ({"ca": empty}, "stream.kafka.ca: .* holds no certificate"),
        (pair | {"key": tmp_path / "none"}, "stream.kafka.key: cannot read"),
        (pair | {"key": other}, "stream.kafka.certificate: .* don't belong together"),
        (pair | {"key": locked}, "stream.kafka.certificate: .* without a password"),
        (user | {"password_file": tmp_path / "none"}, "stream.kafka.password_file: cannot read"),
        (user | {"password_file": empty}, "stream.kafka.password_file: the first line of"),
        (user | {"password_file": secret}, "stream.kafka.password_file: the first line of"),
    ]
    for values, reason in cases:
        with pytest.raises(SettingsError, match=reason) as caught:
            options(settings(**values), "relay")
        assert "; " in str(caught.value)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (kafka_errors.SaslAuthenticationFailedError("hidden"), "refuse user 'gate'; check stream.kafka.user"),
        (kafka_errors.TopicAuthorizationFailedError({"t"}), "forbid it; give this user READ, WRITE"),
        (kafka_errors.UnknownTopicOrPartitionError("t"), "missing; run `spanwatch topics`"),
        (kafka_errors.InvalidReplicationFactorError("t"), "fewer than 3 brokers; start more, or lower"),
        (kafka_errors.NotEnoughReplicasError("t"), "too few brokers have a copy; start"),
        (
            kafka_errors.MessageSizeTooLargeError("t"),
            "larger than the topic takes; raise stream.kafka.message",
        ),
        (kafka_errors.KafkaTimeoutError("hidden"), "no broker answers at 127.0.0.1:1; start them"),
        (kafka_errors.KafkaConnectionError("hidden"), "no broker answers at 127.0.0.1:1; start them"),
        (OSError(113, "No route to host"), "No route to host; check the network to 127.0.0.1:1"),
        (kafka_errors.KafkaError("hidden"), "KafkaError; look at the brokers' log"),
    ],
)
def test_errors_are_one_line_with_a_mend(error: Exception, words: str) -> None:
    """What failed, why, and what to do; the library's own text, which may say anything, stays out."""
    line = str(fault("cannot reach Kafka", error, settings(user="gate", mechanism="PLAIN", tls=True,
                                                           password_file="p")))  # fmt: skip
    assert line.startswith("cannot reach Kafka: ")
    assert words in line
    assert "hidden" not in line
    assert "\n" not in line


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of client give up in time, say where they looked, and leave no thread."""
    monkeypatch.setattr(module, "BOOTSTRAP_MS", 500)
    before = threading.active_count()
    with pytest.raises(OSError, match=r"no broker answers at 127\.0\.0\.1:1"), open_admin(settings()):
        pass
    with pytest.raises(OSError, match="no broker answers"), open_producer(settings(), "relay"):
        pass
    assert threading.active_count() == before


def talks(chosen: KafkaSettings) -> None:
    """Make topics, write a message and read it again."""
    topic = topic_of(chosen, "flows")
    with open_admin(chosen) as admin:
        make(admin, wanted(chosen))
    with open_producer(chosen, "relay") as producer:
        producer.send(topic, b"hello", partition=0).get(30)
    consumer = KafkaConsumer(topic, **options(chosen, "worker"), auto_offset_reset="earliest")
    found = [record.value for records in consumer.poll(15_000).values() for record in records]
    consumer.close()
    assert found == [b"hello"]


@pytest.fixture(params=[Security.TLS, Security.MTLS, Security.SCRAM])
def secured(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kafka]:
    with Kafka(tmp_path / "kafka", security=request.param) as kafka:
        yield kafka


@pytest.mark.service
@pytest.mark.slow
@needs_kafka
def test_security(secured: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is let in can work; whoever shows less, or trusts another authority, is told in one line."""
    one = {"replication": 1, "min_insync": 1}
    chosen = KafkaSettings.model_validate(secured.settings | one)
    talks(chosen)
    monkeypatch.setattr(module, "BOOTSTRAP_MS", 4_000)
    refused: list[dict[str, Any]] = [
        {"ca": str(Certificates(tmp_path / "other", "Another").folder / "ca.pem")},
    ]
    if secured.security == Security.MTLS:
        refused.append({"certificate": None, "key": None})
    if secured.security == Security.SCRAM:
        (tmp_path / "wrong").write_text("wrong-secret\n")
        refused += [{"password_file": str(tmp_path / "wrong")}, {"user": "nobody"}]
    for values in refused:
        lesser = KafkaSettings.model_validate(secured.settings | one | values)
        with pytest.raises(OSError, match="; ") as caught, open_admin(lesser) as admin:
            admin.describe_topics()
        line = str(caught.value)
        assert "\n" not in line
        assert PASSWORD not in line
        assert "wrong-secret" not in line
        if "ca" not in values and secured.security == Security.SCRAM:
            assert "the brokers refuse user" in line
        else:
            assert "TLS with localhost" in line
