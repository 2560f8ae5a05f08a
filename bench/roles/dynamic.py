"""The peer of an agent's speed: the official client's dynamic client, one apply after the other."""

from __future__ import annotations

import time
from typing import Any

from bench.roles import talk


async def main(*, port: int, objects: int) -> None:
    from kubernetes import client, dynamic

    connect: Any = dynamic.DynamicClient

    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{port}"
    maps = connect(client.ApiClient(configuration)).resources.get(api_version="v1", kind="ConfigMap")

    async def apply(_: dict[str, Any]) -> dict[str, Any]:
        from bench import b11_weight

        manifests = b11_weight.manifests(objects, "0", "peer")
        began = time.monotonic()
        for item in manifests:
            maps.server_side_apply(
                body=item,
                name=item["metadata"]["name"],
                namespace="peer",
                field_manager="peer",
                force_conflicts=True,
            )
        return {"rate": objects / (time.monotonic() - began)}

    await talk.answer({"apply": apply})
