"""Charts of index repositories and registries: the right version, the right bytes, and nobody else's password."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from chart_case import archive, packed
from chartserver import IndexRepository, OciRegistry

from argosy.errors import ArgosyError, Invalid, NotFound, Unavailable
from hub.charts import archive as archives
from hub.charts import keyring
from hub.charts.charts import Charts
from hub.core.apps import charts as addresses
from hub.core.secret import SECRET_TYPE
from hub.core.tree import Tree


def address(repo: str, chart: str = "web", **more: Any) -> str:
    return addresses.address(repo, chart, "spec.source", **more)


async def got(charts: Charts, url: str, revision: str) -> Tree:
    refs = await charts.refs(url)
    return await charts.tree(url, await charts.resolve(url, revision, refs=refs))


def kept(folder: Path) -> dict[str, int]:
    return {name: len(list(folder.rglob(f"{name}/*"))) for name in ("blobs", "pins")}


def keys(*secrets: dict[str, str]) -> keyring.Keyring:
    return keyring.keyring([{SECRET_TYPE: "repository", "type": "helm", **one} for one in secrets])


def opened(registry: OciRegistry, **more: str) -> keyring.Keyring:
    name, password = registry.user
    return keys(
        {
            "url": f"{registry.host}/team",
            "username": name,
            "password": password,
            "enableOCI": "true",
            "insecureOCIForceHttp": "true",
            **more,
        }
    )


class TestIndex:
    async def test_a_range_means_the_highest_release(self, charts: Charts, index: IndexRepository) -> None:
        for version in ("1.2.0", "1.10.0", "1.3.0", "2.0.0", "1.11.0-rc.1"):
            index.publish("web", version, packed(version=version))
        url = address(index.repository)
        for revision, version in (("^1.2", "1.10.0"), ("1.3.0", "1.3.0"), ("v1.3", "1.3.0"), ("*", "2.0.0")):
            found = await got(charts, url, revision)
            assert found.commit == version
            assert f"version: {version}" in found.read("Chart.yaml").decode()

    async def test_charts_that_are_looked_at_together_share_one_reading(
        self, charts: Charts, index: IndexRepository
    ) -> None:
        for name in ("web", "db", "mail"):
            index.publish(name, "1.0.0", packed(name, "1.0.0"))
        for look in (1, 2):
            for name in ("web", "db", "mail"):
                assert await charts.refs(address(index.repository, name))
            assert index.asked["/charts/index.yaml"] == look
        index.publish("db", "1.1.0", packed("db", "1.1.0"))
        assert "1.1.0" in await charts.refs(address(index.repository, "db"))

    @pytest.mark.parametrize("revision", ["3.x", "1.2.4", "latest"])
    async def test_no_such_version(self, charts: Charts, index: IndexRepository, revision: str) -> None:
        index.publish("web", "1.2.3", packed())
        with pytest.raises(NotFound, match="no version"):
            await got(charts, address(index.repository), revision)

    async def test_no_such_chart(self, charts: Charts, index: IndexRepository) -> None:
        index.publish("web", "1.2.3", packed())
        with pytest.raises(NotFound, match="no chart 'db' in the index"):
            await got(charts, address(index.repository, "db"), "1.2.3")

    async def test_only_the_lines_of_one_chart_are_read(self) -> None:
        rest = b"".join(b"  other%d:\n  - version: [broken\n    urls: [x]\n" % at for at in range(3))
        body = (
            b"apiVersion: v1\nentries:\n" + rest + b"  web:\n  - version: 1.0.0\n    urls: [a.tgz]\n" + rest
        )
        (release,) = addresses.releases(body, "web", "index")
        assert (release.version, release.urls) == ("1.0.0", ("a.tgz",))
        flowing = b'{"entries": {"web": [{"version": "1.0.0", "urls": ["a.tgz"]}]}}'
        assert addresses.releases(flowing, "web", "index") == (release,)

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b"<html>sign in</html>", Invalid),
            (b"", Invalid),
            (b"entries: {}\n", NotFound),
            (b"entries:\n  web:\n  - {version: 1, urls: [x]}\n", NotFound),
            (b"{" * 100_000, Invalid),
        ],
    )
    async def test_what_is_no_index_is_a_failure(
        self, charts: Charts, index: IndexRepository, body: bytes, error: type[ArgosyError]
    ) -> None:
        index.index = body
        with pytest.raises(error):
            await got(charts, address(index.repository), "1.2.3")

    async def test_the_digest_is_checked(self, charts: Charts, index: IndexRepository) -> None:
        index.publish("web", "1.2.3", packed(), digest="0" * 64)
        with pytest.raises(Unavailable, match="the index says 0000"):
            await got(charts, address(index.repository), "1.2.3")

    async def test_what_was_fetched_is_not_fetched_again_and_stays_what_it_was(
        self, index: IndexRepository, tmp_path: Path
    ) -> None:
        index.publish("web", "1.2.3", packed())
        first = Charts(tmp_path)
        kept = await got(first, address(index.repository), "1.2.3")
        await first.close()
        index.entries.clear()
        index.publish("web", "1.2.3", packed(name="other"))
        second = Charts(tmp_path)
        again = await second.tree(address(index.repository), "1.2.3")
        assert again.tree_id("") == kept.tree_id("")
        assert (first.fetches, second.fetches) == (1, 0)
        for blob in (tmp_path / "blobs").iterdir():
            blob.write_bytes(b"damaged")
        third = Charts(tmp_path)
        await third.tree(address(index.repository), "1.2.3")
        assert third.fetches == 1
        await second.close()
        await third.close()

    async def test_archives_that_nobody_uses_are_forgotten(
        self, charts: Charts, index: IndexRepository, tmp_path: Path
    ) -> None:
        index.publish("web", "1.2.3", packed())
        await got(charts, address(index.repository), "1.2.3")
        await charts.tidy(time.time() + 29 * 86400)
        assert kept(tmp_path) == {"blobs": 1, "pins": 1}
        await charts.tidy(time.time() + 31 * 86400)
        assert kept(tmp_path) == {"blobs": 0, "pins": 0}

    async def test_credentials_go_to_their_host_alone(self, charts: Charts, index: IndexRepository) -> None:
        elsewhere = IndexRepository()
        elsewhere.publish("web", "1.2.3", packed())
        index.user = ("me", "s3cret")
        index.publish("web", "1.2.3", packed(), urls=[f"{elsewhere.repository}/web-1.2.3.tgz"])
        url = address(index.repository)
        with pytest.raises(Unavailable, match="401"):
            await charts.refs(url)
        charts.keys = keys({"url": index.repository, "username": "me", "password": "s3cret"})
        await got(charts, url, "1.2.3")
        assert all("authorization" not in headers for _, headers in elsewhere.headers)
        charts.keys = keys({"url": f"{index.repository}/", "username": "me", "password": "s3cret"})
        await got(charts, address(index.repository, passing=True), "1.2.3")
        elsewhere.close()

    async def test_with_pass_credentials_they_go_where_the_index_says(
        self, charts: Charts, index: IndexRepository
    ) -> None:
        elsewhere = IndexRepository(("me", "s3cret"))
        elsewhere.publish("web", "1.2.3", packed())
        index.publish("web", "1.2.3", packed(), urls=[f"{elsewhere.repository}/web-1.2.3.tgz"])
        charts.keys = keys({"url": index.repository, "username": "me", "password": "s3cret"})
        with pytest.raises(Unavailable, match="401"):
            await got(charts, address(index.repository), "1.2.3")
        assert (await got(charts, address(index.repository, passing=True), "1.2.3")).commit == "1.2.3"
        elsewhere.close()

    async def test_a_server_that_cannot_be_reached(self, charts: Charts) -> None:
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1/charts/index\.yaml"):
            await charts.refs(address("http://127.0.0.1:1/charts"))


class TestRegistry:
    async def test_tags_in_pages_a_token_and_a_range(self, charts: Charts, registry: OciRegistry) -> None:
        charts.keys = opened(registry)
        for version in ("1.0.0", "1.1.0", "1.2.0_build.5", "2.0.0"):
            registry.push("team/web", version, packed(version=version.replace("_", "+")))
        for repo in (f"{registry.host}/team", f"oci://{registry.host}/team"):
            found = await got(charts, address(repo), "^1.0")
            assert found.commit == "1.2.0+build.5"
            assert found.read("Chart.yaml")
        assert charts.fetches == 1

    async def test_wrong_credentials(self, charts: Charts, registry: OciRegistry) -> None:
        registry.push("team/web", "1.0.0", packed())
        charts.keys = opened(registry, password="wrong")
        with pytest.raises(Unavailable, match="credentials are not accepted"):
            await charts.refs(address(f"{registry.host}/team"))

    async def test_a_damaged_blob_is_not_taken(self, charts: Charts, registry: OciRegistry) -> None:
        charts.keys = opened(registry)
        registry.push("team/web", "1.0.0", packed())
        registry.spoil = lambda blob: blob[:-1] + b"x"
        with pytest.raises(Unavailable, match="is damaged"):
            await got(charts, address(f"{registry.host}/team"), "1.0.0")

    async def test_an_artifact_follows_its_tag(self, charts: Charts, registry: OciRegistry) -> None:
        charts.keys = opened(registry)
        url = f"oci://{registry.host}/team/manifests"
        media = "application/vnd.oci.image.layer.v1.tar+gzip"
        first = registry.push("team/manifests", "latest", archive({"a.yaml": "one"}), media)
        found = await got(charts, url, "latest")
        assert (found.commit, found.read("a.yaml")) == (first, b"one")
        second = registry.push("team/manifests", "latest", archive({"a.yaml": "two"}), media)
        found = await got(charts, url, "latest")
        assert (found.commit, found.read("a.yaml")) == (second, b"two")
        assert (await charts.tree(url, await charts.resolve(url, second, refs={}))).read("a.yaml") == b"two"

    async def test_two_layers_are_refused(self, charts: Charts, registry: OciRegistry) -> None:
        charts.keys = opened(registry)
        registry.push("team/web", "1.0.0", b"{}", "application/json")
        with pytest.raises(Invalid, match="one archive layer is expected, found 0"):
            await got(charts, address(f"{registry.host}/team"), "1.0.0")


class TestArchives:
    def unpacked(self, data: bytes) -> Tree:
        return archives.tree(data, "1", "a chart", strip=True)

    @pytest.mark.parametrize("name", ["../x", "/etc/x", "web/../../x", "web\\..\\x"])
    def test_nothing_leaves_its_root(self, name: str) -> None:
        with pytest.raises(Invalid, match="leads out of the archive"):
            self.unpacked(archive({"web/Chart.yaml": "", name: "x"}))

    @pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "../../../etc/passwd"])
    def test_no_link_leaves_its_root(self, target: str) -> None:
        with pytest.raises(Invalid, match="leads out of the archive"):
            self.unpacked(archive({"web/Chart.yaml": ""}, {"web/x": target}))

    def test_nothing_is_written_through_a_link(self) -> None:
        with pytest.raises(Invalid, match="writes through the symbolic link"):
            self.unpacked(archive({"web/Chart.yaml": "", "web/x/y": "z"}, {"web/x": "templates"}))

    def test_bombs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archives, "MAX_UNPACKED", 1024 * 1024)
        with pytest.raises(Invalid, match="more than 1048576 bytes"):
            self.unpacked(gzip.compress(b"\0" * 50 * 1024 * 1024))
        monkeypatch.setattr(archives, "MAX_FILES", 10)
        with pytest.raises(Invalid, match="more than 10 files"):
            self.unpacked(archive({f"web/{at}": "" for at in range(20)}))

    def test_a_file_of_holes_counts_as_large_as_it_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archives, "MAX_UNPACKED", 1024 * 1024)
        member = tarfile.TarInfo("web/values.yaml")
        member.type = tarfile.GNUTYPE_SPARSE
        header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
        header[483:495] = b"%011o\0" % (50 * 1024 * 1024)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        data = bytes(header) + tarfile.NUL * 2 * tarfile.BLOCKSIZE
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert [one.size for one in tar] == [50 * 1024 * 1024]
        with pytest.raises(Invalid, match="more than 1048576 bytes"):
            self.unpacked(gzip.compress(data))

    @pytest.mark.parametrize("data", [b"", b"nonsense", packed()[:-20], packed()[:100]])
    def test_what_is_no_archive(self, data: bytes) -> None:
        with pytest.raises(Invalid, match=r"damaged archive|no chart"):
            self.unpacked(data)


class TestKeyring:
    def test_the_longest_prefix_opens_what_has_no_secret_of_its_own(self) -> None:
        found = keyring.keyring(
            [
                {
                    SECRET_TYPE: "repo-creds",
                    "type": "helm",
                    "url": "https://x.io",
                    "username": "short",
                },
                {
                    SECRET_TYPE: "repo-creds",
                    "type": "helm",
                    "url": "https://x.io/team",
                    "username": "long",
                },
                {
                    SECRET_TYPE: "repository",
                    "type": "helm",
                    "url": "https://x.io/team/own",
                    "username": "own",
                },
                {
                    SECRET_TYPE: "repository",
                    "type": "git",
                    "url": "https://x.io/team/git",
                    "username": "git",
                },
                {
                    SECRET_TYPE: "repository",
                    "type": "oci",
                    "url": "oci://x.io/team",
                    "username": "oci",
                },
            ]
        )
        for url, name in (
            ("https://x.io/a", "short"),
            ("https://X.io/team/a", "long"),
            ("https://x.io/team/own/", "own"),
            ("https://x.io/team/git", "long"),
            ("x.io/team/web", "oci"),
            ("y.io/team/web", ""),
            ("https://x.io.thief.net/a", ""),
        ):
            assert found.of(url).username == name, url

    def test_what_is_not_supported_is_named(self) -> None:
        found = keys({"url": "https://x.io", "proxy": "http://p"})
        with pytest.raises(Invalid, match=r"repository Secret of https://x\.io: proxy is not supported"):
            found.of("https://x.io")


@pytest.mark.parametrize(
    ("repo", "chart", "text"),
    [
        ("https://charts.example.com/stable/", "web", "chart+https://charts.example.com/stable/web"),
        ("registry.example.com/team", "web", "chart+oci://registry.example.com/team/web"),
        ("oci://registry.example.com/team", "sub/web", "chart+oci://registry.example.com/team/sub/web"),
    ],
)
def test_addresses_and_back(repo: str, chart: str, text: str) -> None:
    assert addresses.address(repo, chart, "x") == text
    place = addresses.place(text)
    assert place.chart == "web"
    assert place.repository in (repo.rstrip("/"), text.removeprefix("chart+oci://"))


async def test_memory_holds_few_trees_and_the_disk_all(
    charts: Charts, index: IndexRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.charts.charts._KEPT_BYTES", 1000)
    versions = [f"1.{at}.0" for at in range(6)]
    for version in versions:
        index.publish("web", version, packed("web", version))
    url = address(index.repository)
    trees = [await charts.tree(url, version) for version in versions]
    assert await charts.tree(url, versions[-1]) is trees[-1]
    assert (await charts.tree(url, versions[0])) is not trees[0]
    assert (await charts.tree(url, versions[0])).tree_id("") == trees[0].tree_id("")
    assert charts.fetches == len(versions)
