"""Password guessing by real programs at real servers, and what people do who forgot theirs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.certificates import Certificates
from tests.lab.detectors.scenario import Expectation, Scenario, Truth, nothing
from tests.lab.network import Lab
from tests.lab.servers import start_nginx

GUESSER = "10.20.0.66"
SERVER = "10.10.0.22"
REALM = "SCHOOL.EXAMPLE"
RIGHT = "correct-horse"
DESKTOP = Path(__file__).with_name("desktop.py")

GUESSING = [Expectation("password_guessing", GUESSER)]
SUSPECTED = [Expectation("suspected_guessing", GUESSER)]
SUCCESS = [*GUESSING, Expectation("guessing_success", GUESSER)]


def _hosts(lab: Lab, guessers: int = 1) -> list[str]:
    """The server and the guessers' hosts."""
    lab.host("server", "infrastructure", address=SERVER)
    names = [f"guesser{number}" for number in range(guessers)]
    for number, name in enumerate(names):
        lab.host(name, "students", address=f"10.20.0.{66 + number}")
    return names


def _up(lab: Lab, port: int) -> None:
    check = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    lab.wait_for("server", ["python3", "-c", check])


def _words(lab: Lab, count: int) -> Path:
    file = lab.path / "words"
    file.write_text("".join(f"guess-{number}\n" for number in range(count)))
    return file


def _hydra(lab: Lab, target: str, count: int, *options: str) -> str:
    command = ["hydra", "-I", "-l", "pupil", "-P", str(_words(lab, count)), *options, target]
    done = lab.run("guesser0", command, check=False, timeout=120)
    if "completed" not in done.stdout or "0 valid password found" not in done.stdout:
        raise RuntimeError(f"hydra {target}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout.strip().splitlines()[-2]


def start_ssh(lab: Lab) -> None:
    """sshd for keys and passwords, as many connections as anybody wants; the guesser's key opens it."""
    folder = lab.path / "ssh"
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "config").write_text(
        f"Port 22\nHostKey {folder}/host\nPidFile {folder}/pid\nAuthorizedKeysFile {folder}/user.pub\n"
        "UsePAM no\nPermitRootLogin yes\nPasswordAuthentication yes\nStrictModes no\nMaxStartups 100\n"
    )
    os.makedirs("/run/sshd", exist_ok=True)
    lab.start("server", ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")])
    _up(lab, 22)


def ssh_logs_in(lab: Lab, host: str = "guesser0") -> None:
    """One log-in with a key."""
    lab.run(host, ["ssh", "-i", str(lab.path / "ssh" / "user"), "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", f"root@{SERVER}", "true"])  # fmt: skip


def ssh_guessed(lab: Lab) -> Truth:
    """hydra at sshd."""
    _hosts(lab)
    start_ssh(lab)
    return Truth(said=_hydra(lab, f"ssh://{SERVER}", 36, "-t", "12"))


def ssh_guessed_then_entered(lab: Lab) -> Truth:
    """hydra at sshd, then a log-in of the same host."""
    _hosts(lab)
    start_ssh(lab)
    said = _hydra(lab, f"ssh://{SERVER}", 36, "-t", "12")
    ssh_logs_in(lab)
    return Truth(said=said)


def ssh_used(lab: Lab) -> Truth:
    """A script that logs in to sshd with its key, twelve times."""
    _hosts(lab)
    start_ssh(lab)
    for _ in range(12):
        ssh_logs_in(lab)
    return Truth(said="12 log-ins")


def start_ftp(lab: Lab) -> None:
    """vsftpd that lets everybody in who calls himself ftp, and nobody else."""
    folder = lab.path / "ftp"
    folder.mkdir()
    (folder / "empty").mkdir()
    folder.chmod(0o755)
    (folder / "config").write_text(
        "listen=YES\nbackground=NO\nanonymous_enable=YES\nlocal_enable=YES\nmax_login_fails=3\n"
        f"secure_chroot_dir={folder}/empty\nanon_root={folder}/empty\nseccomp_sandbox=NO\n"
        "delay_failed_login=0\n"
    )
    lab.path.chmod(0o755)
    lab.start("server", ["vsftpd", str(folder / "config")])
    _up(lab, 21)


def ftp_guessed(lab: Lab) -> Truth:
    """hydra at vsftpd."""
    _hosts(lab)
    start_ftp(lab)
    return Truth(said=_hydra(lab, f"ftp://{SERVER}", 30, "-t", "4"))


def ftp_guessed_then_entered(lab: Lab) -> Truth:
    """hydra at vsftpd, then a user that it knows."""
    _hosts(lab)
    start_ftp(lab)
    said = _hydra(lab, f"ftp://{SERVER}", 30, "-t", "4")
    lab.run("guesser0", ["curl", "-sS", "--user", "ftp:any", f"ftp://{SERVER}/"])
    return Truth(said=said)


def start_smb(lab: Lab, host: str = "server") -> None:
    """smbd with one share and one user."""
    folder = lab.path / f"smb-{host}"
    folder.mkdir()
    for name in ("private", "lock", "state", "cache", "pid", "share"):
        (folder / name).mkdir()
    lab.path.chmod(0o755)
    (folder / "share").chmod(0o777)
    config = folder / "smb.conf"
    config.write_text(
        f"[global]\nprivate dir = {folder}/private\nlock directory = {folder}/lock\n"
        f"state directory = {folder}/state\ncache directory = {folder}/cache\npid directory = {folder}/pid\n"
        f"ncalrpc dir = {folder}/pid\nlog file = {folder}/log\nmap to guest = never\nsmb ports = 445\n"
        "server role = standalone\nload printers = no\nprintcap name = /dev/null\n"
        f"[work]\npath = {folder}/share\n"
    )
    subprocess.run(
        ["smbpasswd", "-c", config, "-s", "-a", "nobody"],
        input=f"{RIGHT}\n{RIGHT}\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    lab.start(host, ["smbd", "--foreground", "--no-process-group", "-s", str(config)], f"smbd-{host}.log")
    check = "import socket; socket.create_connection(('127.0.0.1', 445), 1)"
    lab.wait_for(host, ["python3", "-c", check])


def _smbclient(lab: Lab, host: str, server: str, password: str) -> bool:
    command = ["smbclient", f"//{server}/work", "-U", f"nobody%{password}", "-c", "ls"]
    return lab.run(host, command, check=False, timeout=20).returncode == 0


def smb_guessed(lab: Lab) -> Truth:
    """smbclient in a loop at smbd, the right password last."""
    _hosts(lab)
    start_smb(lab)
    for number in range(24):
        if _smbclient(lab, "guesser0", SERVER, f"guess-{number}"):
            raise RuntimeError("smbd let a wrong password in")
    if not _smbclient(lab, "guesser0", SERVER, RIGHT):
        raise RuntimeError("smbd refused the right password")
    return Truth(said="24 wrong passwords and the right one")


def smb_sprayed(lab: Lab) -> Truth:
    """smbclient with four passwords at each of six servers."""
    _hosts(lab)
    servers = []
    for number in range(6):
        address = f"10.10.0.{100 + number}"
        lab.host(f"files{number}", "infrastructure", address=address)
        start_smb(lab, f"files{number}")
        servers.append(address)
    for number in range(4):
        for address in servers:
            _smbclient(lab, "guesser0", address, f"guess-{number}")
    return Truth(said="24 wrong passwords at six servers")


def _certificate(lab: Lab, name: str) -> tuple[Path, Path]:
    """Key and chain of a server of the school."""
    return Certificates(lab.path / "certificates", "School CA").leaf(name, (f"{name}.school.example",))


def start_web(lab: Lab) -> None:
    """nginx: a page that wants a password (RFC 7617), and a form over TLS that says no to everybody."""
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", RIGHT], check=True, capture_output=True, text=True
    ).stdout
    (lab.path / "users").write_text(f"pupil:{hashed}")
    (lab.path / "users").chmod(0o644)
    lab.path.chmod(0o755)
    key, certificate = _certificate(lab, "portal")
    (lab.path / "pages").mkdir()
    (lab.path / "pages" / "index.html").write_text("x" * 700)
    start_nginx(
        lab, "server", "web",
        f'server {{ listen 80; root {lab.path}/pages; auth_basic "school"; '
        f"auth_basic_user_file {lab.path}/users; }}\n"
        f"server {{ listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; "
        f'location / {{ return 401 "{700 * "x"}"; }} }}\n',
    )  # fmt: skip
    _up(lab, 80)


def _curl(lab: Lab, *options: str, host: str = "guesser0") -> str:
    return lab.run(host, ["curl", "-sSk", "-o", "/dev/null", "-w", "%{http_code}", *options]).stdout


def basic_guessed(lab: Lab) -> Truth:
    """hydra at a page that wants a password."""
    _hosts(lab)
    start_web(lab)
    return Truth(said=_hydra(lab, f"http-get://{SERVER}/", 30, "-t", "4"))


def basic_guessed_by_medusa(lab: Lab) -> Truth:
    """medusa at a page that wants a password, which answers 401 each time."""
    _hosts(lab)
    start_web(lab)
    command = ["medusa", "-h", SERVER, "-u", "pupil", "-P", str(_words(lab, 30)), "-t", "4", "-M", "http"]
    done = lab.run("guesser0", [*command, "-m", "DIR:/"], check=False, timeout=120)
    tried = done.stdout.count("ACCOUNT CHECK")
    if tried < 30 or "ACCOUNT FOUND" in done.stdout:
        raise RuntimeError(f"medusa: {(done.stderr or done.stdout).strip()[-300:]}")
    return Truth(said=f"{tried} wrong passwords")


def form_guessed(lab: Lab) -> Truth:
    """curl in a loop at a form over TLS."""
    _hosts(lab)
    start_web(lab)
    for number in range(26):
        word = f"user=pupil&password=guess-{number:04}"
        if _curl(lab, "--data", word, f"https://{SERVER}/login") != "401":
            raise RuntimeError("the form let a wrong password in")
    return Truth(said="26 wrong passwords")


def password_mistyped(lab: Lab) -> Truth:
    """A person who types a password wrong five times, then right, and reads on."""
    _hosts(lab)
    start_web(lab)
    for number in range(5):
        _curl(lab, "--user", f"pupil:guess-{number}", f"http://{SERVER}/")
    if _curl(lab, "--user", f"pupil:{RIGHT}", f"http://{SERVER}/") != "200":
        raise RuntimeError("nginx refused the right password")
    for _ in range(30):
        _curl(lab, "--user", f"pupil:{RIGHT}", f"http://{SERVER}/")
    return Truth(said="five wrong passwords, then the right one")


def start_kerberos(lab: Lab) -> dict[str, str]:
    """krb5kdc with one user; the environment that its clients need."""
    folder = lab.path / "kdc"
    folder.mkdir()
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
        f"[realms]\n{REALM} = {{\n kdc = {SERVER}\n}}\n[logging]\n kdc = FILE:{folder}/log\n"
    )
    (folder / "kdc.conf").write_text(
        f"[kdcdefaults]\nkdc_ports = 88\nkdc_tcp_ports = 88\n[realms]\n{REALM} = {{\n"
        f" database_name = {folder}/principal\n key_stash_file = {folder}/stash\n"
        f" acl_file = {folder}/acl\n}}\n"
    )
    environment = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5CCNAME": f"FILE:{folder}/cache",
    }
    for command in (
        ["kdb5_util", "create", "-s", "-P", "master", "-r", REALM],
        ["kadmin.local", "-q", f"addprinc +requires_preauth -pw {RIGHT} pupil"],
    ):
        subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
    settings = [f"{name}={value}" for name, value in environment.items()]
    lab.start("server", ["env", *settings, "krb5kdc", "-n"])
    _up(lab, 88)
    return environment


def _kinit(lab: Lab, host: str, environment: dict[str, str], password: str) -> bool:
    settings = [f"{name}={value}" for name, value in environment.items()]
    script = f"echo {password} | env {' '.join(settings)} kinit pupil"
    return lab.run(host, ["sh", "-c", script], check=False, timeout=20).returncode == 0


def kerberos_guessed(lab: Lab) -> Truth:
    """kinit in a loop at krb5kdc, the right password last."""
    _hosts(lab)
    environment = start_kerberos(lab)
    for number in range(24):
        if _kinit(lab, "guesser0", environment, f"guess-{number}"):
            raise RuntimeError("the KDC let a wrong password in")
    if not _kinit(lab, "guesser0", environment, RIGHT):
        raise RuntimeError("the KDC refused the right password")
    return Truth(said="24 wrong passwords and the right one")


def kerberos_guessed_by_many(lab: Lab) -> Truth:
    """Twelve hosts with four wrong passwords each at one KDC."""
    names = _hosts(lab, 12)
    environment = start_kerberos(lab)

    def guess(name: str) -> None:
        for number in range(4):
            _kinit(lab, name, {**environment, "KRB5CCNAME": f"FILE:{lab.path}/{name}"}, f"guess-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(guess, names))
    return Truth(said="48 wrong passwords of twelve hosts")


def desktop_guessed(lab: Lab) -> Truth:
    """A client of remote desktops whose credentials are refused inside TLS, thirty times."""
    _hosts(lab)
    key, certificate = _certificate(lab, "desktop")
    lab.start("server", ["python3", str(DESKTOP), "serve", str(certificate), str(key)])
    _up(lab, 3389)
    lab.run("guesser0", ["python3", str(DESKTOP), "guess", SERVER, "30"])
    return Truth(said="30 refused connections")


def _guess(
    key: str,
    title: str,
    play: Callable[[Lab], Truth],
    expects: Sequence[Expectation] = (),
    beside: Sequence[Expectation] = (),
    needs: Sequence[str] = (),
) -> Scenario:
    return Scenario(key, title, play, expects, beside=beside, prepare=nothing, needs=needs)


SCENARIOS = (
    _guess("guess_ssh", "hydra at sshd, 36 passwords", ssh_guessed, GUESSING,
           needs=["hydra", "sshd"]),
    _guess("guess_ssh_success", "hydra at sshd, then a log-in", ssh_guessed_then_entered, SUCCESS,
           needs=["hydra", "sshd", "ssh"]),
    _guess("guess_ftp", "hydra at vsftpd, 30 passwords", ftp_guessed, GUESSING, needs=["hydra", "vsftpd"]),
    _guess("guess_ftp_success", "hydra at vsftpd, then a log-in", ftp_guessed_then_entered, SUCCESS,
           needs=["hydra", "vsftpd"]),
    _guess("guess_smb", "smbclient at smbd, 24 wrong passwords and the right one", smb_guessed, SUCCESS,
           needs=["smbclient", "smbd"]),
    _guess("guess_smb_spray", "smbclient at six smbd, four passwords each", smb_sprayed, GUESSING,
           needs=["smbclient", "smbd"]),
    _guess("guess_basic", "hydra at nginx, HTTP basic, 30 passwords", basic_guessed, GUESSING,
           needs=["hydra"]),
    _guess("guess_basic_medusa", "medusa at nginx, HTTP basic, 30 passwords", basic_guessed_by_medusa,
           GUESSING, needs=["medusa"]),
    _guess("guess_form", "curl at a form over TLS, 26 passwords", form_guessed, SUSPECTED),
    _guess("guess_kerberos", "kinit at krb5kdc, 24 wrong passwords and the right one", kerberos_guessed,
           SUCCESS, needs=["kinit", "krb5kdc"]),
    _guess("guess_kerberos_many", "kinit of twelve hosts at krb5kdc, four wrong passwords each",
           kerberos_guessed_by_many, [Expectation("distributed_guessing", SERVER)],
           needs=["kinit", "krb5kdc"]),
    _guess("guess_desktop", "30 refused connections to a remote desktop", desktop_guessed, SUSPECTED),
    _guess("guess_nothing_keys", "ssh with a key, twelve times: no guessing", ssh_used,
           needs=["sshd", "ssh"]),
    _guess("guess_nothing_typo", "five typing errors, then the right password: no guessing",
           password_mistyped),
)  # fmt: skip
