"""`spanwatch warm`: compile every kernel into the cache, by sending captures through all of them."""

import os
import tempfile
import time
from pathlib import Path

from pipeline.kernels import ASKED, CACHE, source_digest
from pipeline.settings import SensorSettings
from spanwatch.demo import CAPTURE
from spanwatch.progress import waiting_for

#: Written when everything is compiled that these sources hold.
STAMP = CACHE / f"warm-{source_digest()}"
#: Seconds that compiled code of other versions stays, since one may still run from it; our default.
KEEP_S = 14 * 86_400


def is_warm() -> bool:
    """Whether this source's kernels have all been compiled into the cache."""
    return STAMP.exists()


def _everything() -> None:
    from blocklists.lists import load_matcher
    from blocklists.matcher import Matcher
    from capture.sensor import Sensor, warm_kernels
    from capture.sources.pcap import open_capture
    from classifiers.classify import Classifier
    from classifiers.policy import load_policy

    warm_kernels()
    sensor = Sensor(SensorSettings(flows=4_096, heads=64), "warm")
    with open_capture(str(CAPTURE)) as capture:
        batches = [batch for frames in capture for batch in sensor.feed(frames)]
    batches += sensor.finish()
    with tempfile.TemporaryDirectory(prefix="spanwatch-") as folder:
        # A compiled list that is mapped from its file is another type than one that was just built.
        built, path = load_matcher(), Path(folder) / "warm"
        built.save(path)
        for matcher in (built, Matcher.open(path)):
            classifier = Classifier(load_policy(), matcher)
            for records, batch in batches:
                classifier.classify(records, batch, "warm")


def drop_old(folder: Path, asked: set[str], now: float) -> None:
    """Remove compiled code that nothing asked for and that is older than `KEEP_S`.

    `asked` are the beginnings of file names, `now` is in seconds since 1970.
    """
    for path in folder.iterdir():
        name = path.name.rsplit(".", 2 if path.suffix == ".nbc" else 1)[0]
        if path.is_file() and name not in asked and now - path.stat().st_mtime > KEEP_S:
            path.unlink(missing_ok=True)


def run_warm() -> None:
    """Compile what isn't compiled yet; immediate where everything is. Raises OSError."""
    if is_warm():
        print(f"compiled code is ready in {CACHE}")
        return
    started = time.monotonic()
    print("compiling the kernels, once for this version: a few minutes", flush=True)
    from pipeline.compiling import Compilations

    with waiting_for("compiling the kernels") as say, Compilations(say) as compilations:
        _everything()
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = STAMP.with_suffix(f".{os.getpid()}")
    stamp.write_text("")
    stamp.replace(STAMP)
    drop_old(CACHE, ASKED, time.time())
    print(f"compiled {compilations.count} kernels in {time.monotonic() - started:.0f} s into {CACHE}")
