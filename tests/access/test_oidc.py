"""Users of an identity provider: whose tokens let in, whose do not, and what the provider's moods do to that."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from asyncio import gather, to_thread
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import hubs
import issuer as issuers
import pytest
from hubs import Clock
from issuer import Issuer, key, pem, token

from argosy.errors import ArgosyError, Forbidden, Invalid, Unavailable
from argosy.objects import Manifest
from hub.cli import kubeconfig
from hub.cli.client import Client
from hub.cli.resources import APPS
from hub.core.access import access, oidc
from hub.core.access.oidc import Provider
from hub.core.served import table
from hub.oidc import Identity


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    async with issuers.running(tmp_path) as issuer:
        yield issuer


@pytest.fixture
def identity(issuer: Issuer, clock: Clock) -> Identity:
    made = Identity(clock)
    made.use(oidc.of({"oidc.config": issuer.config()}, {}))
    return made


async def name(identity: Identity, text: str) -> str:
    return (await identity.user(text))[0].name


async def test_a_good_token_says_who_and_until_when(issuer: Issuer, identity: Identity) -> None:
    claims = issuer.claims(
        groups=["shop-team", "argosy:admins", "system:masters", 7], email="ann@example.com"
    )
    user, until = await identity.user(token(claims, key("one")))
    assert (user.name, until) == ("ann", claims["exp"])
    assert user.groups == {"shop-team", access.AUTHENTICATED}, "nobody outside makes administrators"


async def test_keys_of_elliptic_curves_do_too(issuer: Issuer, identity: Identity) -> None:
    issuer.keys["two"] = key("two", "EC")
    assert await name(identity, token(issuer.claims(), key("two", "EC"), kid="two")) == "ann"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "tomorrow"}, "no time"),
        ({"exp": True}, "no time"),
        ({"exp": float("nan")}, "no time"),
        ({"exp": float("inf")}, "no time"),
        ({"nbf": 4e9}, "not count yet"),
        ({"iat": 4e9}, "not count yet"),
        ({"aud": "another"}, "another audience"),
        ({"aud": ["another", "third"]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": {"argosy": 1}}, "another audience"),
        ({"iss": "https://evil.example.com"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"sub": ""}, "nobody"),
        ({"sub": None}, "nobody"),
        ({"sub": "role:admin"}, "nobody"),
        ({"sub": "proj:shop:deployer"}, "nobody"),
        ({"sub": "system:masters"}, "nobody"),
    ],
)
async def test_a_token_that_is_not_for_here_and_now(
    issuer: Issuer, identity: Identity, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(Forbidden, match=why):
        await identity.user(token(issuer.claims(**changes), key("one")))


async def test_a_token_may_be_for_several(issuer: Issuer, identity: Identity) -> None:
    assert await name(identity, token(issuer.claims(aud=["x", "argosy"]), key("one"))) == "ann"
    identity.use(Provider(issuer.url, ("kubectl", "pipeline"), ca=issuer.ca))
    assert await name(identity, token(issuer.claims(aud="pipeline"), key("one"))) == "ann"
    with pytest.raises(Forbidden, match="audience"):
        await identity.user(token(issuer.claims(), key("one")))


async def test_what_anybody_can_make_is_no_signature(issuer: Issuer, identity: Identity) -> None:
    claims, good = issuer.claims(), key("one")
    public = pem(good)
    forged = [
        token(claims, None),
        token(claims, None, alg="None"),
        token(claims, None, alg="RS256"),
        token(claims, public),
        token(claims, public.rstrip()),
        token(claims, public, alg="RS256"),
        token(claims, b"", alg="HS256"),
        token(claims, key("stranger")),
        token(claims, key("stranger"), kid="nobody's"),
        token(claims, key("stranger"), jwk=issuers.published("one", key("stranger"))),
        token(claims, key("stranger"), jku="https://evil.example.com/keys"),
        token(claims, good, crit=["exp"]),
        token(claims, good)[:-8] + "AAAAAAAA",
        token(claims, good).replace(".", ".e30", 1),
        "a.b.c",
        "..",
        token({**claims, "padding": "x" * 20_000}, good),
    ]
    for text in forged:
        with pytest.raises(Forbidden):
            await identity.user(text)
    assert await name(identity, token(claims, good)) == "ann"


async def test_a_secret_among_the_published_keys_signs_nothing(issuer: Issuer, identity: Identity) -> None:
    issuer.extra = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
        "nonsense",
        {"kty": "?"},
    ]
    issuer.extra.append({**issuers.published("enc", key("stranger")), "use": "enc"})
    assert await name(identity, token(issuer.claims(), key("one"))) == "ann"
    for text in (
        token(issuer.claims(), b"secret", kid="shared"),
        token(issuer.claims(), key("stranger"), kid="enc"),
    ):
        with pytest.raises(Forbidden):
            await identity.user(text)


async def test_exchanged_keys_are_asked_for_and_old_ones_forgotten(
    issuer: Issuer, identity: Identity, clock: Clock
) -> None:
    old, new = token(issuer.claims(), key("one")), token(issuer.claims(), key("new"), kid="new")
    assert await name(identity, old) == "ann"
    issuer.keys = {"new": key("new")}
    # It asked just now: not again at once, or a flood of nonsense would be a flood of questions.
    with pytest.raises(Forbidden):
        await identity.user(new)
    clock.ahead = 11
    assert await name(identity, new) == "ann"
    with pytest.raises(Forbidden):
        await identity.user(old)


async def test_a_flood_of_nonsense_asks_nothing_of_the_provider(issuer: Issuer, identity: Identity) -> None:
    good = token(issuer.claims(), key("one"))
    await gather(*(identity.user(good) for _ in range(20)))
    bad = token(issuer.claims(), key("stranger"), kid="nobody's")
    assert len(await gather(*(identity.user(bad) for _ in range(20)), return_exceptions=True)) == 20
    assert identity.fetches == 1
    assert len(issuer.asked) == 2


async def test_known_keys_count_for_a_day_while_the_provider_is_away(
    issuer: Issuer, identity: Identity, clock: Clock
) -> None:
    far = issuer.claims(exp=int(time.time()) + 10 * 86400)
    text = token(far, key("one"))
    assert await name(identity, text) == "ann"
    issuer.status = 500
    clock.ahead = 7200
    assert await name(identity, text) == "ann"
    clock.ahead = 90_000
    with pytest.raises(Unavailable, match="cannot be had"):
        await identity.user(text)
    issuer.status = 200
    clock.ahead += 11
    assert await name(identity, text) == "ann"


@pytest.mark.parametrize(
    "mood",
    [
        {"status": 500},
        {"status": 302},
        {"padding": 600_000},
        {"says": {"issuer": "https://evil.example.com"}},
        {"says": {"jwks_uri": "http://localhost/keys"}},
        {"says": {"jwks_uri": 7}},
        {"keys": {}},
    ],
)
async def test_a_provider_that_cannot_be_believed_vouches_for_nobody(
    issuer: Issuer, identity: Identity, clock: Clock, mood: dict[str, Any]
) -> None:
    text, usual = token(issuer.claims(), key("one")), {name: getattr(issuer, name) for name in mood}
    for attribute, value in mood.items():
        setattr(issuer, attribute, value)
    with pytest.raises(Unavailable):
        await identity.user(text)
    for attribute, value in usual.items():
        setattr(issuer, attribute, value)
    clock.ahead = 11
    assert await name(identity, text) == "ann"


async def test_a_provider_with_a_certificate_of_nobody_is_not_believed(issuer: Issuer, clock: Clock) -> None:
    identity = Identity(clock)
    identity.use(Provider(issuer.url, ("argosy",)))
    with pytest.raises(Unavailable):
        await identity.user(token(issuer.claims(), key("one")))


async def test_without_a_provider_nobody_comes_by_such_a_token(issuer: Issuer, identity: Identity) -> None:
    text = token(issuer.claims(), key("one"))
    identity.use(None)
    with pytest.raises(Forbidden, match="no identity provider"):
        await identity.user(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("issuer: http://sso.example.com\nclientID: a", "issuer"),
        ("issuer: sso.example.com\nclientID: a", "issuer"),
        ("issuer: https://sso.example.com", "expected clientID"),
        ("issuer: https://sso.example.com\nallowedAudiences: a", "allowedAudiences"),
        ("- a", "mapping"),
        ("{", "oidc.config"),
    ],
)
def test_a_provider_that_is_not_understood_is_none(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        oidc.of({"oidc.config": text}, {})


def test_the_claims_that_are_groups_are_said_by_the_policy() -> None:
    settings = {"oidc.config": "issuer: https://sso.example.com\nclientID: a"}
    assert oidc.of({}, {}) is None
    found = oidc.of(settings, {"scopes": "[groups, email]"})
    assert found is not None
    assert found.groups == ("groups", "email")
    claims = {
        "iss": found.issuer,
        "aud": "a",
        "sub": "x",
        "exp": 2e9,
        "groups": "one",
        "email": "x@example.com",
    }
    assert oidc.user_of(claims, found, 1e9).groups == {"one", "x@example.com", access.AUTHENTICATED}
    with pytest.raises(Invalid, match="scopes"):
        oidc.of(settings, {"scopes": "groups"})


POLICY = """
p, role:shop, applications, get, shop/*, allow
g, shop-team, role:shop
g, boss@example.com, role:admin
"""


def config(called: str, data: dict[str, str]) -> Manifest:
    metadata = {"name": called, "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def app(called: str, project: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": called, "namespace": "argocd"},
        "spec": {
            "project": project,
            "source": {"repoURL": "https://git.test/x", "path": "a"},
            "destination": {"name": "nowhere", "namespace": "default"},
        },
    }


async def test_users_of_a_provider_may_what_their_groups_may(issuer: Issuer, tmp_path: Path) -> None:
    async with hubs.running(tmp_path / "hub") as hub:

        async def ask(text: str, question: Callable[[Client], Any]) -> Any:
            choice = kubeconfig.Choice(kubeconfig=str(hub.settings.kubeconfig))
            access = kubeconfig.resolve(choice, {}, Path("/"))
            theirs = dataclasses.replace(access, token=text, certificate=b"", key=b"")

            def call() -> Any:
                with contextlib.closing(Client(theirs)) as client:
                    return question(client)

            return await to_thread(call)

        async def sees(claims: dict[str, Any], expected: list[str] | str) -> None:
            text = token(claims, key("one"))

            async def so() -> bool:
                try:
                    found = await ask(text, lambda client: client.items(APPS.path("argocd")))
                except ArgosyError as error:
                    return isinstance(expected, str) and expected in error.message
                return [item["metadata"]["name"] for item in found] == expected

            await hubs.until(so, f"{claims} sees {expected}")

        for called, project in (("web", "shop"), ("other", "default")):
            await hubs.add(hub, table.APPLICATION, app(called, project))
        rules = {"policy.csv": POLICY, "scopes": "[groups, email]"}
        await hubs.add(hub, table.CONFIG_MAP, config("argocd-rbac-cm", rules))
        hour = {"exp": int(time.time()) + 3600}
        await sees(issuer.claims(groups=["shop-team"], **hour), "token is not accepted")
        await hubs.add(hub, table.CONFIG_MAP, config("argocd-cm", {"oidc.config": issuer.config()}))
        await sees(issuer.claims(groups=["shop-team"], **hour), ["web"])
        await sees(issuer.claims(email="boss@example.com", **hour), ["other", "web"])
        await sees(issuer.claims(groups=["strangers"], **hour), "cannot list resource")
        await sees(issuer.claims(groups=["argosy:admins"], **hour), "cannot list resource")
        issuer.status, issuer.keys = 500, {"later": key("later")}
        await hubs.patch(hub, table.CONFIG_MAP, "argocd-cm", {"data": {"oidc.config": None}})
        await sees(issuer.claims(groups=["shop-team"], sub="x", **hour), "token is not accepted")
        # With a provider that does not answer, the administrator's certificate does.
        await hubs.patch(hub, table.CONFIG_MAP, "argocd-cm", {"data": {"oidc.config": issuer.config()}})
        await sees(
            issuer.claims(groups=["shop-team"], sub="y", **hour), "the identity provider does not answer"
        )
        assert len(await hubs.apps(hub)) == 2
