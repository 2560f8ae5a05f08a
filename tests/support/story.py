"""What happens in a repository over time, by chance and the same again for the same seed."""

from __future__ import annotations

from random import Random

from spokes import merged


class Story:
    """A seeded history of a repository: ConfigMaps of some apps come, change and go, and no name ever comes twice.

    `keep-APP` stays for ever, so that every app has content; whatever is deleted must be in `gone`.
    """

    def __init__(self, seed: int, *apps: str) -> None:
        self.roll = Random(seed)
        self.apps: dict[str, dict[str, str]] = {app: {f"keep-{app}": "0"} for app in apps}
        self.gone: set[str] = set()
        self.steps = 0

    @property
    def wanted(self) -> dict[str, str]:
        return merged(self.apps)

    def step(self, changes: int = 3) -> None:
        """Some changes, to be committed as one."""
        self.steps += 1
        for number in range(changes):
            maps = self.apps[self.roll.choice(sorted(self.apps))]
            loose = sorted(name for name in maps if not name.startswith("keep-"))
            what = self.roll.choice(("add", "add", "change", "go"))
            if what == "add" or not loose:
                maps[f"m{self.steps}-{number}"] = str(self.steps)
            elif what == "change":
                maps[self.roll.choice([*maps])] = str(self.steps)
            else:
                name = self.roll.choice(loose)
                del maps[name]
                self.gone.add(name)
