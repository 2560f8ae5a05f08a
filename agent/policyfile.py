"""The local policy as a file of the cluster's owner: a ConfigMap that is mounted, or a file on the host.

It is read again when it changes, so that its owner need not restart anything. A change that cannot be read leaves the
last good policy in force and is told: a mistake must neither open the cluster nor stop what is in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from agent.core import localpolicy
from agent.core.localpolicy import LocalPolicy
from argosy import yamlio
from argosy.errors import Invalid

log = structlog.get_logger("policy")

MAX_BYTES = 1024 * 1024


class PolicyFile:
    """`own` are the agent's own namespaces. Raises `Invalid` where the file cannot be used at the start; `problem` says
    what is wrong with it since.
    """

    def __init__(self, path: Path, own: Iterable[str] = ()) -> None:
        self._path = path
        self._own = frozenset(own)
        self._stamp = self._stat()
        self._policy = self._read()
        self.problem = ""

    def current(self) -> LocalPolicy:
        """The policy in force. Costs one look at the file's times."""
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                self._stamp = stamp
                self._policy, self.problem = self._read(), ""
                log.info("the local policy is in force", file=str(self._path), mode=self._policy.mode)
        except Invalid as error:
            if error.message != self.problem:
                log.error(
                    "the local policy is not usable; the one before stays in force", error=error.message
                )
                self.problem = error.message
        return self._policy

    def _stat(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise Invalid(f"{self._path}: {error.strerror}") from None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> LocalPolicy:
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Invalid(f"{self._path}: {error.strerror}") from None
        if len(data) > MAX_BYTES:
            raise Invalid(f"{self._path}: larger than {MAX_BYTES} bytes")
        documents = yamlio.load_all(data, source=str(self._path))
        return localpolicy.parse(documents, str(self._path), self._own)
