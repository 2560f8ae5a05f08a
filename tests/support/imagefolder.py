"""What a Dockerfile makes, made in a folder: its stages' files and commands, without a container runtime.

`/opt` and what lies below becomes a folder of the test; packages are not fetched but taken from the environment that
runs the tests, and only those that the image's own requirements name: what they lack, the image lacks.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, the rest with continued lines joined, the number of its stage."""

    word: str
    rest: str
    stage: int


def instructions(program: str) -> list[Instruction]:
    text = (ROOT / "deploy" / program / "Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Instruction] = []
    stage = -1
    for line in filter(None, (line.strip() for line in text.splitlines())):
        word, _, rest = line.partition(" ")
        stage += word.upper() == "FROM"
        found.append(Instruction(word.upper(), rest.strip(), stage))
    return found


def pins(requirements: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """name -> (version, hashes) of what a lock file installs here."""
    found = {}
    for entry in re.split(r"\n(?=\S)", requirements.read_text().replace("\\\n", " ")):
        line, *options = re.split(r"\s+(?=--)", entry.strip())
        if not line or line.startswith(("#", "-")):
            continue
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate():
            (exact,) = wanted.specifier
            hashes = (option.partition("=")[2] for option in options if option.startswith("--hash="))
            found[wanted.name.lower()] = exact.version, frozenset(hashes)
    return found


class ImageFolder:
    """The image of a program below `folder`, its last stage's environment included."""

    def __init__(self, program: str, folder: Path, helm: Path | None = None) -> None:
        self.folder = folder
        self._helm = helm
        self._every = instructions(program)
        last = self._every[-1].stage
        names = [one.rest.partition(" AS ")[2] for one in self._every if one.word == "FROM"]
        for one in self._every:
            if one.stage == last:
                continue
            if one.word == "COPY":
                self._copy(*one.rest.split())
            elif one.word == "RUN" and names[one.stage] != "helm":
                self._run(one.rest)
        for one in self._every:
            if one.stage == last and one.word == "COPY":
                self._from_stage(*one.rest.split())

    def environment(self) -> dict[str, str]:
        """That of the image, with nothing of ours beside it."""
        words = " ".join(
            one.rest for one in self._every if one.word == "ENV" and one.stage == self._every[-1].stage
        )
        found = dict(word.split("=", 1) for word in shlex.split(words))
        home = self.folder / "tmp"
        home.mkdir(exist_ok=True)
        return {name: self._here(value) for name, value in found.items()} | {"HOME": str(home)}

    @property
    def command(self) -> list[str]:
        """What a container of the image runs."""
        found = {one.word: one.rest for one in self._every if one.word in ("ENTRYPOINT", "CMD")}
        return [*json.loads(found["ENTRYPOINT"]), *json.loads(found["CMD"])]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment()
        program = shutil.which(command[0], path=environment["PATH"])
        assert program is not None, f"{command[0]} is not in the image"
        return subprocess.run(
            [program, *command[1:]],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _here(self, text: str) -> str:
        running = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return text.replace("python3.11", running).replace("/opt/", f"{self.folder}/opt/")

    def _copy(self, source: str, target: str) -> None:
        if target.startswith("/opt/"):
            shutil.copytree(ROOT / source, self._here(target), ignore=shutil.ignore_patterns("__pycache__"))
        elif target == "/tmp/requirements.txt":
            self._requirements = ROOT / source

    def _from_stage(self, stage: str, source: str, target: str) -> None:
        if stage == "--from=helm":
            if self._helm is not None:
                Path(self._here(target)).symlink_to(self._helm)
        else:
            assert source == target, "a virtual environment cannot be moved"
            assert Path(self._here(target)).is_dir()

    def _run(self, text: str) -> None:
        for step in text.split(" && "):
            if "compileall" in step:
                continue  # what is linked is compiled
            if step.lstrip().startswith("pip "):
                python = re.search(r"--python (\S+)/bin/python", step)
                assert python is not None
                self._install(Path(self._here(python[1])))
                continue
            subprocess.run(
                ["sh", "-euc", self._here(step)],
                env={"PATH": f"{self._base()}:/usr/bin:/bin"},
                check=True,
                timeout=120,
                capture_output=True,
            )

    def _base(self) -> Path:
        """Where `python` is, as in the image it is on the path."""
        place = self.folder / "base"
        place.mkdir(exist_ok=True)
        link = place / "python"
        if not link.exists():
            link.symlink_to(os.path.realpath(sys.executable))
        return place

    def _install(self, target: Path) -> None:
        (site,) = target.glob("lib/python*/site-packages")
        for name, (version, _) in pins(self._requirements).items():
            found = importlib.metadata.distribution(name)
            assert found.version == version, f"{name} {found.version} is installed here, {version} is locked"
            for path in _files(found):
                place = Path(os.path.normpath(site / path))
                if place.is_relative_to(target):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.symlink_to(found.locate_file(path))


def _files(found: importlib.metadata.Distribution) -> set[str]:
    """The paths of a distribution; a folder that is its own alone stands for all below it."""
    whole = set()
    for path in map(str, found.files or ()):
        top, inside, _ = path.partition("/")
        own = inside and (top.endswith(".dist-info") or len(set(_owners().get(top, ()))) == 1)
        if not path.endswith(".pyc"):
            whole.add(top if own else path)
    return whole


@functools.cache
def _owners() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()
