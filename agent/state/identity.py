"""Who this agent is: its key, its certificate, the CAs it trusts, and where its hub is.

Kept in the state folder.

The key is made here and never leaves. Certificate and CAs are replaced together in one file, so that no
crash leaves one without the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from argosy import tls
from argosy.errors import Invalid, Unavailable

KEY, IDENTITY = "key.pem", "identity.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """`enroll` and `link` are HOST:PORT, `certificate` and `ca` PEM.

    `received` is when the certificate came, Unix seconds of this agent's clock; it lives `lifetime` seconds
    from then on, whatever the hub's clock says. `joined` is the hash of the token's secret that it came by, `cluster_uid`
    the kube-system namespace it was made for, "" where an older agent did not write it down.
    """

    cluster: str
    name: str
    enroll: str
    link: str
    certificate: str
    ca: str
    received: float
    lifetime: float
    joined: str = ""
    cluster_uid: str = ""

    def elsewhere(self, cluster_uid: str) -> str:
        """Why this identity is not for the cluster with that uid, "" where it is."""
        if self.cluster_uid in ("", cluster_uid):
            return ""
        return (
            f"this agent's state is of the Kubernetes cluster with kube-system uid {self.cluster_uid}, and it runs in "
            f"another one, with {cluster_uid}: was the state copied? Start it with an empty state folder and a join token"
        )

    def ended(self, now: float) -> bool:
        """True where the certificate is over, by this agent's clock."""
        return now - self.received >= self.lifetime

    def renewal(self, roll: float) -> float:
        """When to renew, Unix seconds: at two thirds of the life, up to a tenth of it earlier by `roll` in
        [0, 1).
        """
        return self.received + self.lifetime * (2 / 3 - 0.1 * roll)


def load(folder: Path) -> Identity | None:
    """None where the agent has not joined. Raises `Invalid` for a damaged file."""
    try:
        return Identity(**orjson.loads((folder / IDENTITY).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Invalid(f"{folder / IDENTITY}: not readable as an agent's identity: {error}") from None
    except OSError as error:
        raise Unavailable(f"{folder / IDENTITY}: {error}") from None


def save(folder: Path, identity: Identity) -> None:
    """Durable when this returns. Raises `Unavailable`."""
    try:
        tls.write_private(folder / IDENTITY, orjson.dumps(asdict(identity), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise Unavailable(f"{folder / IDENTITY}: {error}") from None


def key_in(folder: Path) -> bytes:
    """The private key in the state folder, made at first use.

    Raises `Unavailable` where the folder is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / KEY
        if not path.exists():
            tls.write_private(path, tls.new_key())
        return path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"the state folder {folder} cannot be used, and the agent's key lives there: {error}"
        ) from None
