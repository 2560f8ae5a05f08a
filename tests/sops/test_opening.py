"""A SOPS file is opened with the cluster's own keys, whole or not at all, and errors name the file and the key."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sopsfile
from sopsfile import Keys, Tree

from agent.core.marks import Wanted
from agent.sops.keys import KeyRing
from agent.sops.opening import Opener
from argosy import sealed
from argosy.errors import Invalid
from argosy.kinds import gvk_of
from argosy.objects import Manifest, canonical, key_of

CANARY = "correct horse battery"
FILE = "apps/db/secret.yaml"


def secret(name: str = "db", **values: Any) -> Tree:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop"},
        "stringData": values or {"password": CANARY, "empty": "", "another": "z"},
    }


def arrived(documents: list[Tree], *, file: str = FILE, form: str = "yaml") -> list[Manifest]:
    """The objects as they come out of a bundle: keys sorted, the file beside them."""
    content = sopsfile.text(documents, form=form)
    carried = [
        sealed.carrying(document, file, content if number == 0 else "")
        for number, document in enumerate(documents)
    ]
    found: list[Manifest] = json.loads(canonical(carried))
    return found


def opened(ring: KeyRing, manifests: list[Manifest]) -> list[Manifest]:
    opener = Opener(ring, manifests)
    return [opener.opened(Wanted(key_of(item), gvk_of(item), item, "d")).manifest for item in manifests]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


@pytest.fixture
def holders(keys: Keys) -> Callable[[bytes], Tree]:
    return lambda data_key: {"age": [keys.wrap(data_key)]}


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("only_encrypted", [False, True])
def test_what_sops_wrote_is_read(
    keys: Keys, holders: Callable[[bytes], Tree], form: str, only_encrypted: bool
) -> None:
    plain = {**secret(), "spec": {"port": 80, "on": True, "rate": 1.5, "none": None}}
    written = sopsfile.sealed(
        [plain], holders, regex="^(stringData|spec)$", mac_only_encrypted=only_encrypted
    )
    file = f"secret.{form}"

    assert CANARY not in sopsfile.text(written, form=form)
    assert opened(KeyRing(keys.folder), arrived(written, file=file, form=form)) == [plain]


def test_a_file_of_several_documents_is_one_file(keys: Keys, holders: Callable[[bytes], Tree]) -> None:
    plain = [secret("one", a="1"), secret("two", b="2")]
    written = sopsfile.sealed(plain, holders)

    assert opened(KeyRing(keys.folder), arrived(written)) == plain

    written[1]["stringData"], written[1]["kind"] = written[1]["stringData"], "Sekret"
    with pytest.raises(Invalid, match="MAC does not fit"):
        opened(KeyRing(keys.folder), arrived(written))


def test_the_digest_is_that_of_the_encrypted_form(keys: Keys, holders: Callable[[bytes], Tree]) -> None:
    (manifest,) = arrived(sopsfile.sealed([secret()], holders))
    wanted = Wanted(key_of(manifest), gvk_of(manifest), manifest, "digest of the encrypted form")

    assert Opener(KeyRing(keys.folder), [manifest]).opened(wanted).digest == wanted.digest


def test_labels_that_the_hub_puts_on_do_not_break_the_seal(
    keys: Keys, holders: Callable[[bytes], Tree]
) -> None:
    (manifest,) = arrived(sopsfile.sealed([secret()], holders))
    manifest["metadata"]["labels"] = {"team": "a"}

    (clear,) = opened(KeyRing(keys.folder), [manifest])

    assert clear["metadata"]["labels"] == {"team": "a"}
    assert clear["stringData"]["password"] == CANARY
    assert "sops" not in clear


def _drop_mac(manifest: Manifest) -> None:
    del manifest["sops"]["mac"]


def _swap(manifest: Manifest) -> None:
    values = manifest["stringData"]
    values["password"], values["another"] = values["another"], values["password"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda manifest: _swap(manifest), "is not the value that was encrypted"),
        (lambda manifest: _drop_mac(manifest), "has no MAC"),
        (
            lambda manifest: manifest["sops"]["argosy"].update(
                text=manifest["sops"]["argosy"]["text"].replace("namespace: shop", "namespace: evil")
            ),
            "MAC does not fit",
        ),
        (
            lambda manifest: manifest["sops"]["argosy"].update(
                text=manifest["sops"]["argosy"]["text"].replace("password:", "passphrase:")
            ),
            "cannot be opened",
        ),
        (
            lambda manifest: manifest["sops"]["argosy"].update(
                text=manifest["sops"]["argosy"]["text"].replace(sopsfile.MODIFIED, "2027-01-02T03:04:05Z")
            ),
            "MAC cannot be opened",
        ),
        (lambda manifest: manifest["sops"]["argosy"].update(text="- a\n- b\n"), "mapping is expected"),
    ],
)
def test_what_was_changed_is_refused_with_the_files_name_and_no_value(
    keys: Keys, holders: Callable[[bytes], Tree], harm: Callable[[Manifest], None], message: str
) -> None:
    (manifest,) = arrived(sopsfile.sealed([secret()], holders))
    harm(manifest)

    with pytest.raises(Invalid, match=message) as refused:
        opened(KeyRing(keys.folder), [manifest])

    assert refused.value.message.startswith(f"{FILE}: cannot be decrypted: ")
    assert CANARY not in refused.value.message


def test_an_object_without_its_file_is_checked_by_itself(
    keys: Keys, holders: Callable[[bytes], Tree]
) -> None:
    ordered = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"a": "1", "b": "2"},
    }
    good = json.loads(canonical(sopsfile.sealed([ordered], holders)[0]))
    assert opened(KeyRing(keys.folder), [good]) == [ordered]

    other = json.loads(canonical(sopsfile.sealed([secret()], holders)[0]))
    with pytest.raises(Invalid, match="/Secret/shop/db: cannot be decrypted: its MAC does not fit"):
        opened(KeyRing(keys.folder), [other])


def test_a_wrong_key_is_told_with_the_keys_that_would_do(tmp_path: Path, keys: Keys) -> None:
    other = Keys(tmp_path / "other")
    written = sopsfile.sealed(
        [secret()],
        lambda data_key: {
            "age": [keys.wrap(data_key)],
            "kms": [{"arn": "arn:aws:kms:eu-1:1:key/k", "enc": "eA=="}],
            "hc_vault": [{"vault_address": "https://vault.example", "enc": "x"}],
        },
    )

    with pytest.raises(Invalid) as refused:
        opened(KeyRing(other.folder), arrived(written))

    message = refused.value.message
    assert f"{FILE}: cannot be decrypted: none of its keys is here: age {keys.recipient}" in message
    assert "kms arn:aws:kms:eu-1:1:key/k (not supported: use age or PGP)" in message
    assert "hc_vault https://vault.example (not supported" in message


def test_an_agent_without_keys_says_so(keys: Keys, holders: Callable[[bytes], Tree]) -> None:
    with pytest.raises(Invalid, match=f"given no keys .*age {keys.recipient}"):
        opened(KeyRing(None), arrived(sopsfile.sealed([secret()], holders)))


def test_a_key_file_of_another_form_is_named_by_line(keys: Keys, holders: Callable[[bytes], Tree]) -> None:
    (keys.folder / "pq.agekey").write_text("# post quantum\nAGE-SECRET-KEY-PQ-1XYZ\n")
    with pytest.raises(Invalid, match=r"pq\.agekey:2: an age identity"):
        opened(KeyRing(keys.folder), arrived(sopsfile.sealed([secret()], holders)))


def test_a_data_key_split_between_groups_needs_enough_of_them(tmp_path: Path, keys: Keys) -> None:
    rest = [Keys(tmp_path / f"k{number}") for number in range(2)]

    def split(data_key: bytes) -> Tree:
        parts = sopsfile.shares(data_key, 2, 3)
        groups = [{"age": [one.wrap(part)]} for one, part in zip([keys, *rest], parts, strict=True)]
        return {"shamir_threshold": 2, "key_groups": groups}

    written = sopsfile.sealed([secret()], split)
    with pytest.raises(Invalid, match="none of its keys is here"):
        opened(KeyRing(keys.folder), arrived(written))

    (keys.folder / "second.agekey").write_text(str(rest[1].identity))
    assert opened(KeyRing(keys.folder), arrived(written)) == [secret()]


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_a_pgp_key_opens_through_gpg(tmp_path: Path) -> None:
    home, folder = tmp_path / "gnupg", tmp_path / "keys"
    home.mkdir(mode=0o700)
    folder.mkdir()

    def gpg(*arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, input=data, check=True, capture_output=True).stdout

    try:
        gpg(
            "--pinentry-mode",
            "loopback",
            "--quick-gen-key",
            "fleet@example.invalid",
            "rsa2048",
            "encrypt",
            "never",
        )
        listed = gpg("--list-keys", "--with-colons").decode().splitlines()
        print_ = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        (folder / "fleet.asc").write_bytes(gpg("--armor", "--export-secret-keys", print_))
        written = sopsfile.sealed(
            [secret()],
            lambda data_key: {
                "pgp": [
                    {
                        "fp": print_,
                        "enc": gpg(
                            "--armor", "--trust-model", "always", "-r", print_, "-e", data=data_key
                        ).decode(),
                    }
                ]
            },
        )
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)

    assert opened(KeyRing(folder), arrived(written)) == [secret()]
    with pytest.raises(Invalid, match=f"none of its keys is here: pgp {print_}"):
        opened(KeyRing(Keys(tmp_path / "age only").folder), arrived(written))
