"""A real Git server over HTTP that fails on demand, and counts how often it did."""

from __future__ import annotations

import enum
import threading
from pathlib import Path
from typing import Any, BinaryIO

from hub.demo.gitserver import GitServer, commit, create

__all__ = ["Fault", "FaultyGitServer", "commit", "create"]


class Fault(enum.Enum):
    """What goes wrong with a request: no connection to speak of, an answer that is none, an answer that breaks off."""

    REFUSE = "the connection is closed at once"
    UNAUTHORIZED = "401"
    BROKEN = "500"
    NONSENSE = "a proxy's page with status 200"
    TRUNCATE = "the answer ends early, as if it were whole"
    CUT = "the connection breaks in the middle of the answer"
    HANG = "no answer until the server closes"


class FaultyGitServer(GitServer):
    """`fail(fault, times)` breaks the next requests of a service ("listing", "fetch" or ""); `injected` counts them."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.injected = 0
        self.struck = threading.Event()
        """Set at the first fault."""
        self.kept = 2 / 3
        """How much of an answer arrives before it ends early or breaks off."""
        self._fault: Fault | None = None
        self._service = ""
        self._times = 0
        self._after = 0
        self._let_go = threading.Event()
        super().__init__(root, **options)

    def fail(self, fault: Fault, *, service: str = "", times: int = 1_000_000, after: int = 0) -> None:
        """Lets `after` requests of the service pass first."""
        with self._lock:
            self._fault, self._service, self._times, self._after = fault, service, times, after

    def heal(self) -> None:
        self._fault = None
        self._let_go.set()
        self._let_go = threading.Event()

    def close(self) -> None:
        self.heal()
        super().close()

    def answer(self, handler: Any, service: str, body: BinaryIO) -> None:
        fault = self._take(service)
        if fault is None:
            super().answer(handler, service, body)
        elif fault is Fault.HANG:
            self._let_go.wait(60)
            raise ConnectionAbortedError
        elif fault is Fault.REFUSE:
            handler.close_connection = True
        elif fault in (Fault.UNAUTHORIZED, Fault.BROKEN):
            self._page(handler, int(fault.value), b"")
        elif fault is Fault.NONSENSE:
            self._page(handler, 200, b"<html>Please log in to the hotel's network</html>")
        else:
            handler.begin(body)
            whole = body.read()
            handler.chunk(whole[: int(len(whole) * self.kept)])
            if fault is Fault.TRUNCATE:
                handler.chunk(b"")
            handler.close_connection = True

    def _take(self, service: str) -> Fault | None:
        with self._lock:
            if self._fault is None or self._times <= 0 or self._service not in ("", service):
                return None
            if self._after > 0:
                self._after -= 1
                return None
            self._times -= 1
            self.injected += 1
            self.struck.set()
            return self._fault

    @staticmethod
    def _page(handler: Any, status: int, text: bytes) -> None:
        handler.close_connection = True
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)
