"""Archives of lists made for tests."""

import io
import tarfile
import zipfile

TREE = {
    "blacklists/adult/domains": b"adult.example.org\n10.0.0.7\n",
    "blacklists/adult/urls": b"pages.example.org/a/b\nwhole.example.org/\n",
    "blacklists/adult/expressions": b"(^|/)bad\n",
    "blacklists/adult/usage": b"black\n",
    "blacklists/drogue/domains": b"drogue.example.org\n",
    "blacklists/bank/domains": b"bank.example.org\n",
    "blacklists/cooking/domains": b"cooking.example.org\nmore.example.org\n",
    "blacklists/sexual_education/domains": b"health.example.org\n",
    "blacklists/unheard_of/domains": b"unheard.example.org\n",
    "blacklists/README": b"about\n",
}
LINKS = {"blacklists/drugs": "drogue"}

V2FLY = {
    "data/category-porn": b"include:pornsite # x\nfull:alone.example.org\nkeyword:porn\nregexp:^x+\\.org$\n",
    "data/pornsite": b"domain:site.example.org @ads\nother.site.example.net @!cn\n",
    "data/facebook": b"facebook.example\n",
    "data/unknown-list": b"example.net\n",
    "LICENSE": b"text\n",
}


def tar(files, links=None, mode="w:gz", entries=()):
    """A tar archive's bytes; `entries` are TarInfo objects without content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        for info in entries:
            archive.addfile(info)
    return out.getvalue()


def zipped(files):
    """A zip archive's bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def folder(root, files, links=None):
    """The files below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name, target in (links or {}).items():
        (root / name).symlink_to(target)
    return root
