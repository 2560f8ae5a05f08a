"""Files of SOPS that stand whole in a Secret, as kustomize generators put them there: opened in each format, or refused."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sopsfile
import yaml
from sopsfile import Keys, Tree

from agent.core.marks import Wanted
from agent.sops.keys import KeyRing
from agent.sops.opening import Opener
from argosy import sealed
from argosy.errors import Invalid
from argosy.kinds import gvk_of
from argosy.objects import Manifest, key_of

CANARY = "correct horse battery"
LINES = "line one\nline two"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


def encrypted(keys: Keys, document: Tree, **options: Any) -> Tree:
    (written,) = sopsfile.sealed([document], lambda key: {"age": [keys.wrap(key)]}, regex="", **options)
    return written


def secret(field: str = "data", **values: str | bytes) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        field: {name: _value(value, field) for name, value in values.items()},
    }


def _value(value: str | bytes, field: str) -> str:
    raw = value.encode() if isinstance(value, str) else value
    return base64.b64encode(raw).decode() if field == "data" else raw.decode()


def opened(ring: KeyRing, manifest: Manifest) -> dict[str, bytes]:
    wanted = Opener(ring, [manifest]).opened(Wanted(key_of(manifest), gvk_of(manifest), manifest, "d"))
    assert wanted.digest == "d"
    return {name: base64.b64decode(text) for name, text in wanted.manifest["data"].items()}


def dotenv(written: Tree, *, comments: tuple[str, ...] = ()) -> str:
    """As SOPS writes it: the metadata flattened behind the values, one line each."""

    def flat(value: Any, name: str) -> dict[str, str]:
        if isinstance(value, dict):
            parts = {f"{name}__map_{key}" if name else key: each for key, each in value.items()}
        elif isinstance(value, list):
            parts = {f"{name}__list_{number}": each for number, each in enumerate(value)}
        else:
            return {name: str(value).lower() if isinstance(value, bool) else str(value)}
        return {key: text for part, each in parts.items() for key, text in flat(each, part).items()}

    values = {name: value for name, value in written.items() if name != "sops"}
    metadata = {f"sops_{name}": text for name, text in flat(written["sops"], "").items()}
    lines = [f"{name}={text}".replace("\n", "\\n") for name, text in {**values, **metadata}.items()]
    return "\n".join([*comments, *lines, ""])


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize("only", [False, True])
def test_dotenv_is_opened(keys: Keys, field: str, only: bool) -> None:
    plain = {"PASSWORD": CANARY, "EMPTY": "", "TWO": LINES, "EQUALS": "a=b # no comment"}
    written = dotenv(
        encrypted(keys, plain, mac_only_encrypted=only), comments=("# of a person", "#ENC[nonsense]")
    )
    assert CANARY not in written
    found = opened(KeyRing(keys.folder), secret(field, **{"app.env": written, "plain": "1"}))
    lines = ["# of a person", "#ENC[nonsense]", f"PASSWORD={CANARY}", "EMPTY=", "TWO=line one\\nline two"]
    expected = "\n".join([*lines, "EQUALS=a=b # no comment", ""])
    assert found["app.env"].decode() == expected
    if field == "data":
        assert found["plain"] == b"1", "what is in clear stays as it is"


def test_binary_is_opened_whatever_its_bytes_are(keys: Keys) -> None:
    noise = secrets.token_bytes(500) + b"\xff\xfe"
    key = secrets.token_bytes(32)
    written = sopsfile.binary(noise, key, {"age": [keys.wrap(key)]})
    found = opened(KeyRing(keys.folder), secret(**{"keystore.jks": json.dumps(written, indent=4)}))
    assert found == {"keystore.jks": noise}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("c.yaml", yaml.safe_load),
        ("c.yml", yaml.safe_load),
        ("c.json", json.loads),
        (".dockerconfigjson", json.loads),
    ],
)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_yaml_and_json_are_opened_into_what_the_name_says(
    keys: Keys, name: str, read: Callable[[bytes], Any], form: str
) -> None:
    plain = {
        "auths": {"registry": {"auth": CANARY, "port": 5000, "tls": True, "rate": 0.5, "none": None}},
        "l": ["1"],
    }
    written = sopsfile.text([encrypted(keys, plain)], form=form)
    assert read(opened(KeyRing(keys.folder), secret(**{name: written}))[name]) == plain


def test_what_is_changed_afterwards_or_has_no_key_is_not_opened(keys: Keys, tmp_path: Path) -> None:
    written = dotenv({**encrypted(keys, {"A": CANARY, "B": "2"})})
    swapped = written.replace("\nB=", "\nC=")
    with pytest.raises(
        Invalid, match=r"/Secret/shop/s: data\.app\.env cannot be decrypted: C cannot be opened"
    ):
        opened(KeyRing(keys.folder), secret(**{"app.env": swapped}))
    added = written.replace("A=ENC", "Z=in clear\nA=ENC")
    with pytest.raises(Invalid, match="MAC does not fit"):
        opened(KeyRing(keys.folder), secret(**{"app.env": added}))
    stranger = Keys(tmp_path / "others")
    with pytest.raises(Invalid, match=f"none of its keys is here: age {keys.recipient}"):
        opened(KeyRing(stranger.folder), secret(**{"app.env": written}))


def test_ini_is_refused_by_name(keys: Keys) -> None:
    written = encrypted(keys, {"A": CANARY})
    ini = f"[DEFAULT]\nA = {written['A']}\n\n[sops]\nmac = {written['sops']['mac']}\n"
    with pytest.raises(Invalid, match=r"data\.app\.ini cannot be decrypted: it is an INI file"):
        opened(KeyRing(keys.folder), secret(**{"app.ini": ini}))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.env", "A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x\nbroken\n", "line 3: KEY=VALUE is expected"),
        (
            "x.env",
            "A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x\nsops_age__list_x=1\n",
            "bad entry 'age__list_x'",
        ),
        ("x.env", "A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x\nsops_mac__map_a=1\n", "bad entry"),
        ("x.json", '{"a": "ENC[AES256_GCM,x", "mac": "ENC[', "it is no JSON"),
        ("x.yaml", "- ENC[AES256_GCM,x\n- 'mac: ENC[x'\n", "mapping is expected"),
        ("x.yaml", "a: ENC[AES256_GCM,x\nb: 'mac: ENC['\n", "it has no MAC"),
    ],
)
def test_a_damaged_file_is_named(keys: Keys, name: str, text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        opened(KeyRing(keys.folder), secret(**{name: text}))


def test_a_name_that_fits_no_format_is_told(keys: Keys) -> None:
    text = sopsfile.text([encrypted(keys, {"a": CANARY})])
    with pytest.raises(Invalid, match="it is no binary file of SOPS"):
        opened(KeyRing(keys.folder), secret(config=text))


def test_what_somebody_else_opens_stays_as_it_is(keys: Keys) -> None:
    text = sopsfile.text([encrypted(keys, {"a": CANARY})])
    kept = secret(**{"a.yaml": text})
    assert opened(KeyRing(None), kept) == {"a.yaml": text.encode()}, "an agent without --keys"
    kept["metadata"]["annotations"] = {sealed.DECRYPT: "disabled"}
    assert not sealed.needs_opening(kept)
    assert opened(KeyRing(keys.folder), kept) == {"a.yaml": text.encode()}
    config_map = {**secret(**{"a.yaml": text}), "kind": "ConfigMap"}
    assert not sealed.needs_opening(config_map)
    assert not sealed.needs_opening(secret(doc="see [sops] for ENC values"))


def test_comments_of_dotenv_are_opened_as_well(keys: Keys) -> None:
    key = secrets.token_bytes(32)
    (written,) = sopsfile.sealed([{"A": CANARY}], lambda _: {"age": [keys.wrap(key)]}, regex="", key=key)
    comment = sopsfile.leaf(" said by a person", key, ":", "comment")
    found = opened(KeyRing(keys.folder), secret(**{"app.env": dotenv(written, comments=(f"#{comment}",))}))
    assert found["app.env"].decode() == f"# said by a person\nA={CANARY}\n"
