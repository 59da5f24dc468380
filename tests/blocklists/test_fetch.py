"""Downloads from a real server on loopback, with everything that goes wrong on the way."""

import contextlib
import datetime
import email.utils
import getpass
import gzip
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from blocklists import fetch
from blocklists.fetch import Client, FetchError, Validators
from blocklists.sources import UpdateSettings, shown
from tests.blocklists.web import Page, served

BODY = random.Random(1).randbytes(300_000)


@pytest.fixture
def client():
    client = Client(UpdateSettings(silence_s=5, connect_s=5))
    yield client
    client.close()


@pytest.fixture
def part(tmp_path):
    return tmp_path / "list.part"


def test_a_file_is_fetched_whole(web, client, part):
    """The bytes arrive as they are, with what the server knows the version by; progress ends at the size."""
    web.pages["/a"] = Page(BODY, last_modified="Sat, 21 Nov 2026 10:00:00 GMT")
    seen = []
    found = client.fetch(web.url("/a"), part, progress=lambda *done: seen.append(done))
    assert found == Validators(web.pages["/a"].etag, "Sat, 21 Nov 2026 10:00:00 GMT")
    assert part.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert os.listdir(part.parent) == ["list.part"]


@pytest.mark.parametrize("how", [{}, {"etag": "", "last_modified": "Sat, 21 Nov 2026 10:00:00 GMT"}])
def test_what_is_known_is_not_fetched_again(web, client, part, how):
    """A second question names the version that is here, by ETag or by time, and gets no bytes."""
    web.pages["/a"] = Page(BODY, **how)
    known = client.fetch(web.url("/a"), part)
    part.unlink()
    assert client.fetch(web.url("/a"), part, known) is None
    assert not part.exists()
    web.pages["/a"] = Page(b"another", etag='"2"')
    assert client.fetch(web.url("/a"), part, known) is not None
    assert part.read_bytes() == b"another"


@pytest.mark.parametrize("how", [{}, {"etag": "", "last_modified": "Sat, 21 Nov 2026 10:00:00 GMT"}])
def test_a_broken_download_is_continued(web, client, part, how):
    """After a connection broke, only what is missing is asked for."""
    web.pages["/a"] = Page(BODY, cuts=[100_000, 50_000], **how)
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY
    ranges = [headers.get("range") for _, headers in web.asked]
    assert ranges[0] is None
    assert [int(one.removeprefix("bytes=").removesuffix("-")) for one in ranges[1:]] == [100_000, 150_000]


def test_a_download_is_continued_by_the_next_run(web, part):
    """What one run could not finish the next one continues; a finished part leaves nothing beside it."""
    web.pages["/a"] = Page(BODY, cuts=[100_000])
    with pytest.raises(FetchError, match="the connection broke"):
        Client(UpdateSettings(attempts=1)).fetch(web.url("/a"), part)
    assert part.stat().st_size == 100_000
    Client(UpdateSettings(attempts=1)).fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY
    assert web.asked[-1][1]["range"] == "bytes=100000-"
    assert os.listdir(part.parent) == ["list.part"]


def test_a_version_that_changed_meanwhile_is_fetched_anew(web, client, part):
    """Where the server has another version than the one begun, no byte of that stays."""
    web.pages["/a"] = Page(BODY, cuts=[100_000])
    with pytest.raises(FetchError):
        Client(UpdateSettings(attempts=1)).fetch(web.url("/a"), part)
    web.pages["/a"] = Page(BODY[::-1])
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY[::-1]


@pytest.mark.parametrize("how", [{"etag": ""}, {"etag": 'W/"1"'}, {"ranges": False}])
def test_without_a_way_to_continue_it_begins_again(web, client, part, how):
    """No ETag, a weak one, or a server without ranges: the whole file is fetched again."""
    web.pages["/a"] = Page(BODY, cuts=[100_000], **how)
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY


def test_a_part_that_is_longer_than_the_file(web, client, part):
    """A part that the server can't continue (416) is thrown away and the file fetched."""
    web.pages["/a"] = Page(BODY)
    part.write_bytes(BODY + b"more")
    notes = {"url": web.url("/a"), "etag": web.pages["/a"].etag, "last_modified": ""}
    part.with_name("list.part.json").write_text(json.dumps(notes))
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY


@pytest.mark.parametrize(
    "notes", ["", "[]", "{", '{"url": 1}', '{"url": "http://other.example/", "etag": "1"}']
)
def test_notes_of_a_part_that_make_no_sense(web, client, part, notes):
    """A part with broken notes, or of another address, is begun again."""
    web.pages["/a"] = Page(BODY)
    part.write_bytes(b"something else")
    part.with_name("list.part.json").write_text(notes)
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY


def test_a_server_that_is_busy_is_asked_again(web, client, part):
    """500, 503 and 429 are tried again after a wait, and then it works."""
    web.pages["/a"] = Page(BODY, statuses=[500, 503, 429])
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY
    assert len(web.asked) == 4


def test_a_server_that_stays_broken(web, client, part):
    """After the attempts allowed it has failed, in one line with what and mend."""
    web.pages["/a"] = Page(BODY, statuses=[500] * 10)
    with pytest.raises(FetchError, match=r"/a: the server says 500 .*; try again later"):
        client.fetch(web.url("/a"), part)
    assert len(web.asked) == 4


def test_a_server_that_wants_a_long_wait(web, client, part):
    """A Retry-After beyond our patience fails at once and is told."""
    web.pages["/a"] = Page(BODY, statuses=[503] * 10, headers={"Retry-After": "3600"})
    with pytest.raises(FetchError, match=r"3,600 s of patience"):
        client.fetch(web.url("/a"), part)
    assert len(web.asked) == 1


def test_a_list_that_is_gone(web, client, part):
    """404 is not tried again."""
    with pytest.raises(FetchError, match=r"/none: the server says 404 Not Found; mend the address"):
        client.fetch(web.url("/none"), part)
    assert len(web.asked) == 1
    assert not part.exists()


def test_a_version_that_is_refused_leaves_nothing_of_the_one_before(web, client, part):
    """What was begun of one version never becomes the beginning of the next, which was too large at first."""
    web.pages["/a"] = Page(BODY, cuts=[100_000])
    with pytest.raises(FetchError):
        Client(UpdateSettings(attempts=1)).fetch(web.url("/a"), part)
    web.pages["/a"] = Page(BODY[::-1])
    with pytest.raises(FetchError, match="more than the 200,000 allowed"):
        Client(UpdateSettings(list_bytes=200_000)).fetch(web.url("/a"), part)
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY[::-1]


@pytest.mark.parametrize("length", [True, False])
def test_a_download_beyond_the_bound(web, part, length):
    """More bytes than allowed are refused, announced or not, and nothing of them stays."""
    web.pages["/a"] = Page(BODY, length=length)
    client = Client(UpdateSettings(list_bytes=100_000))
    with pytest.raises(FetchError, match=r"more than the 100,000 allowed; raise list_bytes"):
        client.fetch(web.url("/a"), part)
    assert os.listdir(part.parent) == []


def test_a_compressed_bomb(web, part):
    """An answer that unpacks to far more than allowed is refused at the bound."""
    packed = gzip.compress(b"0" * 50_000_000)
    web.pages["/a"] = Page(packed, headers={"Content-Encoding": "gzip"})
    client = Client(UpdateSettings(list_bytes=1_000_000))
    with pytest.raises(FetchError, match=r"more than the 1,000,000 allowed"):
        client.fetch(web.url("/a"), part)
    assert os.listdir(part.parent) == []


def test_a_compressed_answer_is_unpacked(web, client, part):
    """A server that compresses although asked not to is understood, from the start after a break."""
    packed = gzip.compress(BODY)
    web.pages["/a"] = Page(packed, headers={"Content-Encoding": "gzip"}, cuts=[100_000])
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY


def test_a_silent_server(web, part):
    """A server that says nothing for the time allowed is given up."""
    web.pages["/a"] = Page(b"12345", pause=5)
    with pytest.raises(FetchError, match="the connection broke"):
        Client(UpdateSettings(silence_s=0.2, attempts=1)).fetch(web.url("/a"), part)


def test_a_server_that_drips(web, part, monkeypatch):
    """A server that sends a byte now and then, never silent for long, is given up too."""
    monkeypatch.setattr(fetch, "SLOW_S", 0.3)
    web.pages["/a"] = Page(b"x" * 1_000, pause=0.05)
    with pytest.raises(FetchError, match="bytes a second"):
        Client(UpdateSettings(attempts=1)).fetch(web.url("/a"), part)


def test_redirects_are_followed_to_a_bound(web, client, part):
    """A redirect is followed, relative or not; a circle is told as one."""
    web.pages["/a"] = Page(location="/b")
    web.pages["/b"] = Page(location=web.url("/c"))
    web.pages["/c"] = Page(BODY)
    client.fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY
    web.pages["/c"] = Page(location="/a")
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        client.fetch(web.url("/a"), part)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://[", "data:,x"])
def test_redirects_lead_to_the_web_alone(web, client, part, target):
    """A redirect to a file or to another protocol is refused."""
    web.pages["/a"] = Page(location=target)
    with pytest.raises(FetchError, match="no web address"):
        client.fetch(web.url("/a"), part)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lists.example")])
    now = datetime.datetime.now(datetime.UTC)
    import ipaddress

    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def test_a_certificate_nobody_vouches_for(certificate, part):
    """An unknown authority is refused at once, and the line says how to add the filter's."""
    with (
        served(certificate) as secure,
        pytest.raises(FetchError, match=r"certificate does not hold.*SSL_CERT_FILE"),
    ):
        Client(UpdateSettings()).fetch(secure.url("/a"), part)


def test_encryption_is_never_given_up(web, certificate, part, monkeypatch):
    """An https address works with its authority known, and is not followed to http."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with served(certificate) as secure:
        secure.pages["/a"] = Page(BODY)
        secure.pages["/b"] = Page(location=web.url("/b"))
        web.pages["/b"] = Page(BODY)
        client = Client(UpdateSettings())
        client.fetch(secure.url("/a"), part)
        assert part.read_bytes() == BODY
        with pytest.raises(FetchError, match="which is not encrypted"):
            client.fetch(secure.url("/b"), part)
    assert web.asked == []


def test_a_name_and_password_go_to_their_server_alone(web, client, part):
    """What an address carries before @ is sent to that host and port, not shown, and not sent on."""
    with served() as other:
        web.pages["/a"] = Page(location=other.url("/b").replace("127.0.0.1", "localhost"))
        other.pages["/b"] = Page(BODY)
        address = web.url("/a").replace("://", "://school:se%20cret@")
        client.fetch(address, part)
        assert web.asked[0][1]["authorization"].startswith("Basic ")
        assert "authorization" not in other.asked[0][1]
        web.pages["/a"] = Page(location=other.url("/b"))
        client.fetch(address, part)
        assert "authorization" not in other.asked[1][1]
    assert "cret" not in shown(address)
    web.pages["/a"] = Page(statuses=[403])
    with pytest.raises(FetchError) as caught:
        client.fetch(address, part)
    assert "cret" not in str(caught.value)


def test_the_environment_names_the_proxy(web, client, part, monkeypatch):
    """http_proxy is used with its password, and not for hosts that no_proxy names."""
    web.pages["/a"] = Page(BODY)
    monkeypatch.setenv("http_proxy", web.address.replace("://", "://me:pass@"))
    client.fetch("http://lists.example/a", part)
    assert part.read_bytes() == BODY
    assert web.asked[0][0] == "http://lists.example/a"
    assert web.asked[0][1]["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    client.fetch(web.url("/a"), part)
    assert web.asked[1][0] == "/a"


def test_encrypted_servers_through_a_proxy(web, certificate, part, monkeypatch):
    """The proxy opens the way and sees neither address nor bytes; the certificate is checked behind it."""
    monkeypatch.setenv("https_proxy", web.address)
    with served(certificate) as secure:
        secure.pages["/a"] = Page(BODY)
        with pytest.raises(FetchError, match="certificate does not hold"):
            Client(UpdateSettings(attempts=1)).fetch(secure.url("/a"), part)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = Client(UpdateSettings())
        client.fetch(secure.url("/a"), part)
        client.close()
    assert part.read_bytes() == BODY
    assert {path for path, _ in web.asked} == {secure.address.removeprefix("https://")}


def test_a_proxy_of_another_kind(client, part, monkeypatch):
    """A SOCKS proxy is refused with the variable that named it, without its password."""
    monkeypatch.setenv("http_proxy", "socks5://me:pass@127.0.0.1:1")
    with pytest.raises(FetchError, match=r"socks5://127\.0\.0\.1:1: only http.*set http_proxy"):
        client.fetch("http://lists.example/a", part)


def _closed_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


def test_a_server_that_is_not_there(web, part):
    """A refused connection is tried again; the server's next list is asked for once only."""
    client = Client(UpdateSettings(attempts=3))
    port = _closed_port()
    waits = []
    client._stop.wait = lambda seconds: waits.append(seconds)
    for path, more in (("/a", 2), ("/b", 0)):
        waits.clear()
        with pytest.raises(FetchError, match=rf"http://127\.0\.0\.1:{port}{path}: cannot connect: .*refused"):
            client.fetch(f"http://127.0.0.1:{port}{path}", part)
        assert len(waits) == more


def test_a_disk_that_takes_no_more(web, client, part):
    """Where the system refuses to write, its error is raised and nothing is left."""
    web.pages["/a"] = Page(BODY)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            client.fetch(web.url("/a"), part)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(part.parent) == []


def test_an_interrupted_download(web, part):
    """Once stopped, a download ends soon and keeps what it has for the next run."""
    stop = threading.Event()
    web.pages["/a"] = Page(BODY)
    client = Client(UpdateSettings(), stop)
    with pytest.raises(FetchError, match="interrupted; the next update continues it"):
        client.fetch(web.url("/a"), part, progress=lambda *_: stop.set())
    assert 0 < part.stat().st_size < len(BODY)
    Client(UpdateSettings()).fetch(web.url("/a"), part)
    assert part.read_bytes() == BODY
    assert web.asked[-1][1]["range"].startswith("bytes=")


def test_a_small_document(web, client, part):
    """Text is returned, and nothing stays on disk."""
    web.pages["/a"] = Page("some text\n")
    assert client.text(web.url("/a"), part) == "some text\n"
    assert os.listdir(part.parent) == []


NGINX = """
user {user}; pid {folder}/pid; error_log {folder}/errors; daemon off; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    log_format asked "$status $request_uri $http_range $http_if_range";
    access_log {folder}/log asked;
    client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
    uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        location /slow {{ limit_rate 200k; alias {folder}/www/list; }}
        location /busy {{ return 503; }}
        location /moved {{ return 301 /list; }}
        location /packed {{ gzip on; gzip_types *; gzip_min_length 1; alias {folder}/www/list; }}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path):
    """nginx on a free port of loopback: its address, and its folder with the file `www/list`."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("no nginx; install it: apt-get install nginx-light")
    port, folder = _closed_port(), tmp_path / "nginx"
    (folder / "www").mkdir(parents=True)
    (folder / "www" / "list").write_bytes(BODY)
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port, user=getpass.getuser()))
    with subprocess.Popen([program, "-c", str(folder / "conf")], stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", folder
        finally:
            server.terminate()


@pytest.mark.service
def test_what_nginx_says_is_understood(nginx, client, part, monkeypatch):
    """A common server: whole, unchanged, redirected, changed, busy, gone."""
    monkeypatch.setattr(fetch, "WAIT_S", 0.01)
    address, folder = nginx
    known = client.fetch(f"{address}/moved", part)
    assert part.read_bytes() == BODY
    assert known.etag
    assert known.last_modified
    assert client.fetch(f"{address}/list", part, known) is None
    (folder / "www" / "list").write_bytes(b"one.example\n")
    assert client.fetch(f"{address}/list", part, known) != known
    assert part.read_bytes() == b"one.example\n"
    client.fetch(f"{address}/packed", part)
    assert part.read_bytes() == b"one.example\n"
    for path, said in (("/busy", "503 Service"), ("/none", "404 Not Found")):
        with pytest.raises(FetchError, match=said):
            client.fetch(address + path, part)


@pytest.mark.service
@pytest.mark.parametrize("changed", [False, True])
def test_a_download_from_nginx_is_continued(nginx, part, changed):
    """What was interrupted goes on where it broke off (206), or begins anew where the file changed (200)."""
    address, folder = nginx
    stop = threading.Event()
    with pytest.raises(FetchError, match="interrupted"):
        Client(UpdateSettings(), stop).fetch(f"{address}/slow", part, progress=lambda *_: stop.set())
    begun = part.stat().st_size
    assert 0 < begun < len(BODY)
    body = BODY[::-1] + b"!" if changed else BODY
    (folder / "www" / "list").write_bytes(body)
    if not changed:
        # The file's time is part of nginx's ETag.
        times = json.loads(part.with_name("list.part.json").read_text())["last_modified"]
        at = email.utils.parsedate_to_datetime(times).timestamp()
        os.utime(folder / "www" / "list", (at, at))
    Client(UpdateSettings()).fetch(f"{address}/slow", part)
    assert part.read_bytes() == body
    last = (folder / "log").read_text().splitlines()[-1]
    assert last.startswith(f"{200 if changed else 206} /slow bytes={begun}- ")
