"""ApiToken (argosy.dev/v1alpha1): one bearer token of the API, shown once; deleting it ends it."""

from __future__ import annotations

from argosy.machinery import failure, kinds
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest
from hub.core.served import cells, shapes
from hub.core.served.base import Column, Served
from hub.core.served.fleet import AGE, GROUP, NAME, VERSION
from hub.core.served.shapes import TEXT, TIME, WHOLE, root, struct

SHORTEST, LONGEST, USUAL = 60, 365 * 86400, 30 * 86400
"""Seconds that a token may live, and does where nothing is said."""


def _admit(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is not None and live.get("spec") != new.get("spec"):
        return [failure.not_allowed("spec", "a token cannot be changed, make another one and delete this")]
    return []


API_TOKEN = Served(
    kinds.custom(
        GROUP,
        VERSION,
        "ApiToken",
        "apitokens",
        root(
            {
                "spec": struct(
                    {
                        "account": shapes.described(
                            {**TEXT, "minLength": 1},
                            "Whom it stands for: an account of argocd-cm, or proj:PROJECT:ROLE.",
                        ),
                        "ttlSeconds": shapes.described(
                            {**WHOLE, "minimum": SHORTEST, "maximum": LONGEST, "default": USUAL},
                            "How long it counts.",
                        ),
                        "reason": shapes.described(TEXT, "What it is for."),
                    },
                    required=("account",),
                ),
                "status": struct(
                    {
                        "token": shapes.described(
                            TEXT, "The token; only the answer to its creation shows it."
                        ),
                        "expires": TIME,
                    }
                ),
            },
            required=("spec",),
            description="A bearer token of the API. Deleting it ends it.",
        ),
        namespaced=False,
        status=True,
        categories=("argosy",),
    ),
    "apitoken",
    (
        NAME,
        Column("Account", cells.at("spec", "account"), description="Whom it stands for."),
        Column("Expires", cells.at("status", "expires"), description="Until when."),
        Column("Reason", cells.at("spec", "reason"), description="What it is for.", priority=1),
        AGE,
    ),
    admit=_admit,
)
