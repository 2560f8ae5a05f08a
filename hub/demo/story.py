"""The demo's story: a fleet gets its first release, then a change while one cluster is away, and what came of
it.

Everything goes the way it goes for users: the programs are started by their commands, the hub is spoken to
through its API, commits arrive over Git's own protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from argosy.errors import ArgosyError, Unavailable
from argosy.objects import Manifest
from hub.cli import follow, join, kubeconfig
from hub.cli.client import Client
from hub.cli.errors import Late
from hub.cli.follow import Selection
from hub.cli.kubeconfig import Access
from hub.cli.resources import APPS, APPSETS, CLUSTERS, POLICIES, ROLLOUTS
from hub.demo import check, content, gitserver, holdings
from hub.demo.content import Objects
from hub.demo.display import Display
from hub.demo.programs import Program

START_SECONDS = 45.0
STEP_SECONDS = 40.0
"""How long one step of the story may take before the demo says that it failed."""
WEBHOOK = "/api/webhook"
JOURNAL = "memory-cluster.journal"
"""The file below its state in which an agent with `--memory` keeps its cluster."""

Missing = Callable[[list[Manifest], list[Manifest]], list[str]]
"""(clusters, applications) -> what is not yet as it must be."""


class Failed(Exception):
    """The fleet is not as it must be; the lines say why."""


class Demo:
    """Owns the demo's folder and processes."""

    def __init__(self, folder: Path, display: Display) -> None:
        self.folder = folder
        self._display = display
        self._programs: dict[str, Program] = {}
        self._git = gitserver.GitServer(folder, writable=True)
        self._repo = gitserver.create(folder, "fleet")
        self._access = Access("")

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "hub" / "admin.kubeconfig"

    @property
    def url(self) -> str:
        """Where the fleet's repository is served."""
        return self._git.url("fleet")

    def close(self) -> None:
        """Ends every program that this demo started: agents first, so that they can say goodbye."""
        for program in reversed(self._programs.values()):
            program.end()
        self._git.close()

    def play(self) -> None:
        """The whole story. Raises `Failed` or `ArgosyError` where it does not come out as it must."""
        self._start_hub()
        self._join_clusters()
        first = self._first_release()
        self._stage()
        self._lose(content.OFFLINE)
        second = self._second_commit()
        self._bring_back(content.OFFLINE, second)
        self._display.say(
            f"every cluster runs {second[:7]}; nothing of {first[:7]} is left that should be gone"
        )

    def watch(self) -> None:
        """Shows the fleet until somebody interrupts."""
        while True:
            try:
                self._until(lambda clusters, apps: ["until Ctrl-C"], 3600)
            except Failed:
                continue

    def invitation(self) -> list[str]:
        """How to go on by hand."""
        return [
            "the fleet keeps running; Ctrl-C ends it. In another terminal:",
            f"  export KUBECONFIG={self.kubeconfig}",
            "  kubectl get appsets,apps -o wide      # or: .venv/bin/argosy status",
            f"  git clone {self.url}      # a push arrives on the clusters",
        ]

    def _start_hub(self) -> None:
        self._display.say("starting the hub: argosy-hub serve (SQLite, a CA and keys of its own)")
        data = self.folder / "hub"
        anywhere = "127.0.0.1:0"
        ports = ("--api", anywhere, "--link", anywhere, "--enroll", anywhere)
        self._run("hub", "argosy-hub", "serve", "--data", str(data), "--grace", "1", *ports)
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._programs["hub"].check()
            try:
                choice = kubeconfig.Choice(kubeconfig=str(self.kubeconfig))
                self._access = kubeconfig.resolve(choice, {}, self.folder)
                Client(self._access, timeout=5).text("/readyz")
                break
            except ArgosyError as error:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"the hub is not ready: {error}\n{self._programs['hub'].tail()}"
                    ) from None
                time.sleep(0.1)
        self._display.say(f"the hub is ready at {self._access.server}")

    def _join_clusters(self) -> None:
        hub = Client(self._access)
        for name, labels in content.CLUSTERS.items():
            join.register(hub, name, dict(labels))
            self._start_agent(name, join.mint(hub, name, 600))
        hub.close()
        self._display.say(f"three in-memory clusters join, an agent in each: {', '.join(content.CLUSTERS)}")
        self._until(lambda clusters, apps: check.not_ready(clusters), START_SECONDS)

    def _first_release(self) -> str:
        commit = gitserver.commit(
            self._repo, content.first_commit(), "Start the fleet", time=int(time.time())
        )
        self._display.say(f"commit {commit[:7]}: web, queue and banner; kubectl apply -f appset.yaml")
        hub = Client(self._access)
        hub.apply(APPSETS.path(self._access.namespace, content.SET), content.appset(self.url))
        hub.close()
        self._until(lambda clusters, apps: check.applications(apps, content.APPS_BEFORE), STEP_SECONDS)
        self._verify(dict.fromkeys(content.CLUSTERS, content.BEFORE))
        self._display.say("first release: 9 applications on 3 clusters are Synced and Healthy")
        return commit

    def _stage(self) -> None:
        hub = Client(self._access)
        namespace = self._access.namespace
        policy = content.policy()
        hub.apply(POLICIES.path(namespace, policy["metadata"]["name"]), policy)
        hub.merge(APPSETS.path(namespace, content.SET), content.STRATEGY)
        hub.close()
        self._display.say(
            "from now on changes go in stages: staging first, the rest two seconds after it is well"
        )

    def _lose(self, name: str) -> None:
        self._programs.pop(name).kill()
        self._display.say(f"{name} goes away: its agent is killed")
        self._until(
            lambda clusters, apps: [] if name in check.offline(clusters) else [f"{name} is still Ready"],
            STEP_SECONDS,
        )

    def _second_commit(self) -> str:
        commit = gitserver.commit(
            self._repo, content.second_commit(), "Greet the fleet, remove the banner", time=int(time.time())
        )
        self._display.say(f"commit {commit[:7]}: changes web, drops one of its Services, removes banner")
        self._notify(commit)
        online = [name for name in content.CLUSTERS if name != content.OFFLINE]

        def missing(clusters: list[Manifest], apps: list[Manifest]) -> list[str]:
            here = [app for app in apps if not app["metadata"]["name"].endswith(f"-{content.OFFLINE}")]
            wanted = {name for name in content.APPS_AFTER if not name.endswith(f"-{content.OFFLINE}")}
            return [*check.applications(here, wanted), *check.behind(here, commit)]

        self._until(missing, STEP_SECONDS)
        self._check_order()
        self._verify({**dict.fromkeys(online, content.AFTER), content.OFFLINE: content.BEFORE})
        self._display.say(
            f"{' and '.join(online)} run it, one stage after the other; {content.OFFLINE} is as it was: deferred"
        )
        return commit

    def _check_order(self) -> None:
        """That the web application was in staging before it was anywhere else."""
        hub = Client(self._access)
        rollout = max(hub.items(ROLLOUTS.path(self._access.namespace)), key=check.number)
        hub.close()
        if wrong := check.order(rollout, "staging", "rest"):
            raise Failed("\n".join(wrong))

    def _bring_back(self, name: str, commit: str) -> None:
        self._display.say(f"{name} comes back: the same agent, no new token")
        self._start_agent(name)
        self._until(
            lambda clusters, apps: [
                *check.not_ready(clusters),
                *check.applications(apps, content.APPS_AFTER),
                *check.behind(apps, commit),
            ],
            STEP_SECONDS,
        )
        self._verify(dict.fromkeys(content.CLUSTERS, content.AFTER))
        self._display.say(f"{name} caught up; objects on all clusters counted: exactly what Git says")

    def _start_agent(self, name: str, token: str = "") -> None:
        state = self.folder / "agents" / name
        state.mkdir(parents=True, exist_ok=True)
        joined = ["--join", token] if token else []
        self._run(name, "argosy-agent", "run", "--memory", "--state", str(state), *joined)

    def _run(self, name: str, *arguments: str) -> None:
        self._programs[name] = Program(name, arguments, self.folder / f"{name}.log")

    def _notify(self, commit: str) -> None:
        """What a Git host's webhook says after a push, in GitHub's form."""
        repository = {
            "clone_url": self.url,
            "html_url": self.url.removesuffix(".git"),
            "default_branch": "main",
        }
        body = {"ref": "refs/heads/main", "after": commit, "repository": repository}
        hub = Client(self._access)
        hub.notify(WEBHOOK, body, {"X-GitHub-Event": "push"})
        hub.close()

    def _objects(self, name: str) -> list[Manifest]:
        return holdings.read(self.folder / "agents" / name / JOURNAL)

    def _until(self, missing: Missing, seconds: float) -> None:
        namespace = self._access.namespace
        paths = (CLUSTERS.path(), APPS.path(namespace), ROLLOUTS.path(namespace))
        selections = [Selection(path) for path in paths]
        left = ["nothing was answered"]
        try:
            for clusters, apps, rollouts in follow.states(
                self._access, selections, seconds=seconds, again=1.0
            ):
                for program in self._programs.values():
                    program.check()
                self._display.show(check.fleet(clusters, apps), max(rollouts, key=check.number, default=None))
                left = missing(clusters, apps)
                if not left:
                    return
        except Late:
            logs = "\n".join(program.tail() for program in self._programs.values())
            raise Failed("\n".join([f"not done within {seconds:g} s:", *left, logs])) from None

    def _verify(self, expected: Mapping[str, Objects]) -> None:
        namespaces = {key.namespace for key in content.BEFORE.keys}
        wrong: list[str] = []
        for name, objects in expected.items():
            wrong += check.cluster(name, self._objects(name), objects, namespaces)
        if wrong:
            raise Failed("\n".join(["the clusters do not hold what they must:", *wrong]))
