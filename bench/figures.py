"""What a benchmark answers: figures over rounds, ratios to a peer of the same run, and targets.

Pure. Absolute rates move by half from one machine, or one minute, to the next; so every rate stands beside
what the bare library does in the same run, and the ratio is what is judged.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds of all processes."""

    median: float
    min: float
    max: float
    unit: str


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a figure or a ratio (by name): at most, or at least, `bound`."""

    name: str
    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's answer. `notes` say at what size it ran and what a reader must know to judge it."""

    id: str
    name: str
    figures: Mapping[str, Figure]
    peer: Mapping[str, Figure] = field(default_factory=dict)
    ratios: Mapping[str, float] = field(default_factory=dict)
    targets: Sequence[Target] = ()
    notes: Sequence[str] = ()

    def value(self, name: str) -> float:
        """A ratio, or a figure's median. Raises KeyError for a name that is neither."""
        return self.ratios[name] if name in self.ratios else self.figures[name].median

    @property
    def meets(self) -> bool:
        return all(target.met(self.value(target.name)) for target in self.targets)

    def document(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "id": self.id,
            "name": self.name,
            "machine": dict(machine),
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "peer": {name: asdict(figure) for name, figure in self.peer.items()},
            "ratios": {name: round(value, 4) for name, value in self.ratios.items()},
            "targets": {target.name: self._judged(target) for target in self.targets},
            "meets": self.meets,
            "notes": list(self.notes),
        }

    def _judged(self, target: Target) -> dict[str, Any]:
        bound = "at_least" if target.at_least else "at_most"
        return {bound: target.bound, "met": target.met(self.value(target.name))}


def figure(values: Iterable[float], unit: str) -> Figure:
    """Median, least and greatest of the rounds' values; at least one."""
    kept = sorted(values)
    return Figure(_short(statistics.median(kept)), _short(kept[0]), _short(kept[-1]), unit)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed (nearest rank)."""
    kept = sorted(values)
    rank = math.ceil(round(share * len(kept), 9))
    return kept[max(rank, 1) - 1]


def ratio(ours: Mapping[str, Figure], peer: Mapping[str, Figure], name: str) -> float:
    """Our median over the peer's, 0 where the peer's is 0."""
    base = peer[name].median
    return ours[name].median / base if base else 0.0


def orders(variants: Sequence[str], rounds: int) -> list[list[str]]:
    """The variants in an order that changes with every round, so that none always goes first or last."""
    turned = [[*variants[i:], *variants[:i]] for i in range(len(variants))]
    return [turned[i % len(turned)] for i in range(rounds)]


def table(results: Iterable[Result]) -> str:
    """The results for people."""
    lines: list[str] = []
    for result in results:
        lines.append(
            f"{result.id} {result.name}: {'meets its targets' if result.meets else 'MISSES a target'}"
        )
        peers = result.peer
        for name, one in result.figures.items():
            beside = f"   bare {_shown(peers[name])}" if name in peers else ""
            lines.append(f"  {name:<34} {_shown(one)}{beside}")
        lines += [
            f"  {name:<34} {_shown(one)} (peer)" for name, one in peers.items() if name not in result.figures
        ]
        lines += [f"  {name:<34} {value:.2f}" for name, value in result.ratios.items()]
        for target in result.targets:
            word = "at least" if target.at_least else "at most"
            verdict = "met" if target.met(result.value(target.name)) else "MISSED"
            lines.append(f"  target: {target.name} {word} {target.bound:g}: {verdict}")
        lines += [f"  note: {note}" for note in result.notes]
        lines.append("")
    return "\n".join(lines)


def _shown(one: Figure) -> str:
    return f"{one.median:>10,.4g} {one.unit} ({one.min:,.4g} - {one.max:,.4g})"


def _short(value: float) -> float:
    return float(f"{value:.5g}")
