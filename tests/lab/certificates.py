"""Certificate authorities of the lab, made anew for each run."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path


class Certificates:
    """A certificate authority made for this run, and the leaves it signs (RSA 2048, one key for all)."""

    def __init__(self, folder: Path, name: str) -> None:
        """In `folder`: one that was made there before, or a new one."""
        self.folder = folder
        if (folder / "ca.key").exists():
            return
        folder.mkdir()
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "30",
            "-subj",
            f"/O={name}/CN={name}",
        )
        self._openssl("genrsa", "-out", "leaf.key", "2048")
        self._openssl("pkey", "-in", "leaf.key", "-pubout", "-outform", "der", "-out", "leaf.spki")

    @staticmethod
    def pin(folder: Path) -> str:
        """The leaves' key as a browser's pin: base64 of the SHA-256 of its SubjectPublicKeyInfo."""
        return base64.b64encode(hashlib.sha256((folder / "leaf.spki").read_bytes()).digest()).decode()

    def leaf(self, name: str, domains: tuple[str, ...], days: int = 30) -> tuple[Path, Path]:
        """Key file and chain file for these domains and all names below them; expired with `days` below 0."""
        names = ",".join(f"DNS:{domain},DNS:*.{domain}" for domain in domains)
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        self._openssl("req", "-new", "-key", "leaf.key", "-subj", f"/CN={domains[0]}", "-out", f"{name}.csr")
        self._openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            str(days),
            "-extfile",
            f"{name}.ext",
            "-out",
            f"{name}.crt",
        )
        chain = self.folder / f"{name}.pem"
        chain.write_text((self.folder / f"{name}.crt").read_text() + (self.folder / "ca.pem").read_text())
        return self.folder / "leaf.key", chain

    def _openssl(self, *arguments: str) -> None:
        result = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise OSError(f"openssl {arguments[0]} failed: {result.stderr.strip()}")
