"""A hub with obedient agents in a process of its own, which kills itself (-9) right before or after its n-th commit.

`python dying_hub.py FOLDER ROLLOUT N before|after` ends with 0 once the rollout is completed; N 0 never dies. Every
version that an agent is given is appended to FOLDER/given as `cluster release`. The last line of output says how
many commits there were.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import hubs
import obedient
import rolling
from obedient import Obedient

from argosy.bundle import Assignment
from argosy.status import AppStatus
from hub.core.served import table
from hub.store.base import Params
from hub.store.sqlite import SqliteTx

LONGEST = 300.0


class Death:
    """Counts commits, and dies at one of them."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.commits = 0
        run = SqliteTx.run

        def counted(tx: SqliteTx, sql: str, params: Params = ()) -> int:
            if sql != "COMMIT":
                return run(tx, sql, params)
            self.commits += 1
            if self.commits == at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = run(tx, sql, params)
            if self.commits == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        SqliteTx.run = counted  # type: ignore[method-assign]


async def main(folder: Path, name: str, death: Death) -> None:
    journal = folder / "given"
    last = dict(line.split() for line in journal.read_text().splitlines()) if journal.exists() else {}

    def behave(cluster: str, given: Assignment) -> AppStatus:
        if last.get(cluster) != given.release:
            last[cluster] = given.release
            with journal.open("a") as file:
                file.write(f"{cluster} {given.release}\n")
        return obedient.well(cluster, given)

    async with hubs.running(folder / "hub") as hub:
        fleet = Obedient(hub, behave)
        for cluster, found in (await hubs.listed(hub, table.CLUSTER)).items():
            fleet.adopt(cluster, found["metadata"]["uid"])
            await fleet.come_back(cluster)
        fleet.start()
        hub.poller.ask(lambda url: True)
        await rolling.reaches(hub, name, seconds=LONGEST, phase="Completed")
        await fleet.stop()
    print(death.commits)


if __name__ == "__main__":
    where, wanted, number, moment = sys.argv[1:]
    asyncio.run(main(Path(where), wanted, Death(int(number), after=moment == "after")))
