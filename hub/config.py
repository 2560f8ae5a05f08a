"""The hub's settings: one record, made from the command line, that `main` takes apart for the packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

API = "127.0.0.1:8443"
LINK = "0.0.0.0:8444"


@dataclass(frozen=True, slots=True)
class HubConfig:
    """`api`, `link` and `enroll` are HOST:PORT to listen at, port 0 for any; `enroll` "" is the port after the link's.

    `names` are further host names or addresses by which clients and agents reach this hub; the first is what join
    tokens carry. Times are seconds: `poll` between two looks at a repository, `lifetime` of agents' certificates,
    `beat` between two signs of life of an agent, `grace` until a lost cluster counts as not Ready, `git_list` and
    `git_fetch` until a listing or fetch is given up.
    """

    data: Path
    api: str = API
    link: str = LINK
    enroll: str = ""
    names: tuple[str, ...] = ()
    trust_domain: str = "argosy"
    poll: float = 180.0
    lifetime: float = 86400.0
    beat: int = 20
    grace: float = 20.0
    git_list: float = 30.0
    git_fetch: float = 600.0
    groups: tuple[str, ...] = ()
    """Labels of clusters by which `/metrics` groups delivery figures."""
    in_cluster: bool = False
    """Whether the hub runs an agent for its own API, the cluster `in-cluster`."""

    @property
    def database(self) -> Path:
        return self.data / "hub.db"

    @property
    def mirrors(self) -> Path:
        return self.data / "mirrors"

    @property
    def authority(self) -> Path:
        return self.data / "ca"

    @property
    def own_agent(self) -> Path:
        return self.data / "in-cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.data / "admin.kubeconfig"
