"""One filled store and one running service for all tests of the interface, closed when they are over."""

import shutil
import socket
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.access import Access
from api.app import create_app
from api.roles import ROLES
from blocklists.lists import load_matcher
from classifiers.judge import Judge, in_force
from classifiers.policy import STARTER, load_policy
from classifiers.policy_versions import Versions
from pipeline.settings import Settings
from pipeline.store.client import Store
from tests.api.school import fill
from tests.pipeline.stores import store_at


class Running:
    """An application behind a real socket."""

    def __init__(self, store: Store, folder: Path, classifier: Judge) -> None:
        self.store = store
        self.settings = Settings(state=folder)
        self.access = Access(self.settings.access_file)
        self.app = create_app(self.settings, store, self.access, classifier, self.status)
        self.ready = True
        self._tokens: dict[tuple[str, ...], str] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_level="error", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()

    def status(self) -> dict[str, object]:
        return {"ready": self.ready, "waiting_messages": 3}

    def token(self, *roles: str) -> str:
        if roles not in self._tokens:
            self._tokens[roles] = self.access.create("+".join(roles), roles)
        return self._tokens[roles]

    def get(self, path: str, *roles: str, params: object = None, **headers: str) -> httpx.Response:
        """The answer to a token with these roles; to none where no role is given."""
        if roles:
            headers["authorization"] = f"Bearer {self.token(*roles)}"
        return httpx.get(f"{self.base}{path}", params=params, headers=headers, timeout=30)  # type: ignore[arg-type]

    def logged(self) -> int:
        return self.store.rows("SELECT count() AS n FROM access_log")[0]["n"]

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
        self.access.close()
        self.store.close()


class _Kept:
    def __init__(self) -> None:
        self.running: dict[str, Running] = {}
        self.folder: Path | None = None
        self.classifier: Judge | None = None

    def get(self, name: str) -> Running:
        if self.classifier is None:
            self.folder = Path(tempfile.mkdtemp(prefix="spanwatch-api-"))
            self.classifier = Judge(in_force(load_policy(None), load_matcher(None)))
        if name not in self.running:
            store = store_at(f"chdb://:memory:/{name}")
            if name == "school":
                fill(store)
                Versions(store).record(load_policy(None), STARTER)
            assert self.folder is not None
            self.running[name] = Running(store, self.folder / name, self.classifier)
        return self.running[name]

    def close(self) -> None:
        for running in self.running.values():
            running.close()
        self.running.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = self.classifier = None


_KEPT = _Kept()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A process may hold one embedded store: the next room's tests open theirs."""
    here = Path(__file__).parent
    if nextitem is None or here not in Path(nextitem.path).parents:
        _KEPT.close()


@pytest.fixture
def school() -> Running:
    """The service over the morning of tests/api/school.py. Tests leave its records as they are."""
    return _KEPT.get("school")


@pytest.fixture
def empty() -> Running:
    """The service over a store without a record."""
    return _KEPT.get("empty")


@pytest.fixture
def scratch() -> Running:
    """The service over a store that tests may add to."""
    return _KEPT.get("scratch")


@pytest.fixture
def everyone() -> tuple[str, ...]:
    return tuple(ROLES)
