"""Evaluates Jsonnet files: a process of its own, started by `hub.render.jsonnet`, which says there what is asked.

Imports nothing of ours, and what the files import comes from the folder it works in and from nowhere else.
"""

from __future__ import annotations

import json
import os
import sys

import _gojsonnet


def main() -> int:
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    root = os.path.realpath("tree")

    missing: list[str] = []

    def read(base: str, name: str) -> tuple[str, bytes]:
        """As go-jsonnet looks for files: beside the one that imports, then in the libraries, the last one first. What is
        not there is noted: an error raised here would come out with other memory's bytes at its end (gojsonnet 0.22).
        """
        for folder in (base, *reversed(job["libraries"])):
            path = os.path.join(folder, name)
            real = os.path.realpath(os.path.join(root, path))
            if real.startswith(f"{root}{os.sep}") and os.path.isfile(real):
                with open(real, "rb") as content:
                    return os.path.normpath(path), content.read()
        missing.append(name)
        return name, b"error 'not found'"

    done = {}
    for path in job["files"]:
        _, content = read("", path)
        wrong = ""
        try:
            done[path] = _gojsonnet.evaluate_snippet(
                path, content.decode("utf-8"), import_callback=read, **job["variables"]
            )
        except (RuntimeError, UnicodeDecodeError) as error:
            wrong = str(error)
        if missing:
            wrong = f"{missing[0]!r} is not in the repository, or its import is written in an unusual way"
        if wrong:
            print(f"{path}: {wrong}", file=sys.stderr)
            return 1
    json.dump(done, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
