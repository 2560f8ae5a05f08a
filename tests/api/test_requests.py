"""The API over plain HTTP: what clients other than kubectl rely on, and what hostile ones must not get."""

from __future__ import annotations

import gzip
import json
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hubapi import READER_TOKEN, ApiThread, Client, RunningApi

from hub.store import audit

APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
MAPS = "/api/v1/namespaces/argocd/configmaps"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def client(api: RunningApi) -> Iterator[Client]:
    with Client(api) as client:
        yield client


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": {"a": "b"},
    }


def accepted(client: Client, path: str, accept: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    answer = client.send("GET", path, headers={"Accept": accept, **headers})
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez", "/version"])
def test_health_and_version_need_no_credentials(api: RunningApi, path: str) -> None:
    with Client(api, "") as nobody:
        assert nobody.send("GET", path).status == 200


@pytest.mark.parametrize(
    "path", ["/api", "/apis", "/openapi/v3", "/metrics", "/loops", APPS, "/no/such/path"]
)
def test_everything_else_does(api: RunningApi, path: str) -> None:
    with Client(api, "") as nobody:
        code, status = nobody.ask("GET", path)
    assert (code, status["kind"], status["reason"]) == (401, "Status", "Unauthorized")


def test_readers_may_look_and_not_touch(api: RunningApi) -> None:
    with Client(api, READER_TOKEN) as reader:
        assert reader.ask("GET", APPS)[0] == 200
        code, status = reader.ask("POST", MAPS, config_map("mine"))
        assert (code, status["reason"]) == (403, "Forbidden")
        assert (
            'cannot create resource "configmaps" in API group "" in the namespace "argocd"'
            in status["message"]
        )
        assert reader.ask("GET", "/api/v1/secrets")[0] == 403
        assert reader.send("GET", "/metrics").status == 200


def test_discovery_is_aggregated_or_legacy_and_cached(client: Client) -> None:
    for path in ("/api", "/apis"):
        code, headers, body = accepted(client, path, AGGREGATED)
        assert code == 200
        assert headers["content-type"].endswith("g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        assert headers["vary"] == "Accept"
        assert json.loads(body)["kind"] == "APIGroupDiscoveryList"
        again = accepted(client, path, AGGREGATED, **{"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, b"")
    assert json.loads(accepted(client, "/apis", "application/json")[2])["kind"] == "APIGroupList"
    code, listed = client.ask("GET", "/apis/argoproj.io/v1alpha1")
    names = {resource["name"] for resource in listed["resources"]}
    assert {"applications", "applications/status", "applicationsets/status", "appprojects"} <= names
    assert client.ask("GET", "/apis/argoproj.io")[1]["kind"] == "APIGroup"
    assert client.ask("GET", "/apis/no.such.group/v1")[0] == 404


def test_openapi_documents_are_named_by_their_hash(client: Client) -> None:
    code, headers, body = accepted(client, "/openapi/v3", "application/json, */*")
    assert accepted(client, "/openapi/v3", "*/*", **{"If-Modified-Since": headers["last-modified"]})[0] == 304
    path = json.loads(body)["paths"]["apis/argoproj.io/v1alpha1"]["serverRelativeURL"]
    code, headers, body = accepted(client, path, "application/json")
    assert code == 200
    assert "immutable" in headers["cache-control"]
    schemas = json.loads(body)["components"]["schemas"]
    references = set(json.dumps(schemas).split('"#/components/schemas/')[1:])
    missing = {part.split('"')[0] for part in references} - schemas.keys()
    assert not missing
    stale = client.send("GET", "/openapi/v3/apis/argoproj.io/v1alpha1?hash=old")
    assert (stale.status, stale.getheader("Location")) == (301, path)
    stale.read()
    assert client.ask("GET", "/openapi/v2")[0] == 404


def test_answers_take_the_form_asked_for(client: Client) -> None:
    client.ask("POST", MAPS, config_map("forms"))
    table = json.loads(accepted(client, f"{MAPS}/forms", TABLE)[2])
    assert table["kind"] == "Table"
    assert table["rows"][0]["cells"][:2] == ["forms", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = json.loads(accepted(client, f"{MAPS}?includeObject=Object", TABLE)[2])
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    assert json.loads(accepted(client, MAPS, partial)[2])["kind"] == "PartialObjectMetadataList"
    assert b"kind: ConfigMap" in accepted(client, f"{MAPS}/forms", "application/yaml")[2]
    assert accepted(client, MAPS, "application/vnd.kubernetes.protobuf")[0] == 406
    assert accepted(client, MAPS, "application/vnd.kubernetes.protobuf,application/json")[0] == 200


def test_large_answers_are_compressed_when_asked(client: Client) -> None:
    for number in range(3):
        client.ask("POST", MAPS, {**config_map(f"large-{number}"), "data": {"a": "x" * 100_000}})
    plain = accepted(client, MAPS, "application/json")
    packed = accepted(client, MAPS, "application/json", **{"Accept-Encoding": "gzip"})
    assert packed[1]["content-encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == plain[2]
    client.ask("DELETE", MAPS, query={"labelSelector": ""})


def test_pages_are_of_one_moment(client: Client) -> None:
    for number in range(5):
        client.ask("POST", MAPS, config_map(f"page-{number}", page="yes"))
    query = {"labelSelector": "page=yes", "limit": "2"}
    first = client.ask("GET", MAPS, query=query)[1]
    client.ask("DELETE", f"{MAPS}/page-3")
    client.ask("POST", MAPS, config_map("page-9", page="yes"))
    seen, page = list(first["items"]), first
    while token := page["metadata"].get("continue"):
        page = client.ask("GET", MAPS, query={**query, "continue": token})[1]
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += page["items"]
    assert [item["metadata"]["name"] for item in seen] == [f"page-{number}" for number in range(5)]
    assert client.ask("GET", MAPS, query={**query, "continue": "bm9uc2Vuc2U"})[0] == 400
    forgotten = "eyJ2IjoiYXJnb3N5IiwicnYiOjEsInBhZ2UiOjB9"
    code, status = client.ask("GET", MAPS, query={**query, "continue": forgotten})
    assert (code, status["reason"]) == (410, "Expired")


class Watch:
    """An open watch, read line by line."""

    def __init__(self, api: RunningApi, path: str, accept: str = "application/json", **query: str) -> None:
        self.client = Client(api)
        self.answer = self.client.send(
            "GET", path, query={"watch": "true", **query}, headers={"Accept": accept}
        )

    def next(self) -> tuple[str, dict[str, Any]]:
        event = json.loads(self.answer.readline())
        return event["type"], event["object"]

    def ended(self) -> bool:
        return self.answer.readline() == b""

    def close(self) -> None:
        self.client.connection.close()


def test_a_watch_goes_on_where_the_list_ended(api: RunningApi, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    made = client.ask("POST", MAPS, config_map("watched"))[1]
    client.ask("PATCH", f"{MAPS}/watched", {"data": {"a": "c"}}, media="application/merge-patch+json")
    client.ask("DELETE", f"{MAPS}/watched")
    watch = Watch(api, MAPS, resourceVersion=version)
    events = [watch.next() for _ in range(3)]
    assert [verb for verb, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[0][1]["metadata"]["uid"] == made["metadata"]["uid"]
    versions = [int(found["metadata"]["resourceVersion"]) for _, found in events]
    assert versions == sorted(versions)
    watch.close()


def test_objects_come_into_and_go_out_of_a_selection(api: RunningApi, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    watch = Watch(api, MAPS, resourceVersion=version, labelSelector="tier=front")
    client.ask("POST", MAPS, config_map("moving", tier="back"))
    for value in ("front", "back"):
        patch = {"metadata": {"labels": {"tier": value}}}
        client.ask("PATCH", f"{MAPS}/moving", patch, media="application/merge-patch+json")
    client.ask("DELETE", f"{MAPS}/moving")
    client.ask("POST", MAPS, config_map("last", tier="front"))
    events = [watch.next() for _ in range(3)]
    assert [(verb, found["metadata"]["name"]) for verb, found in events] == [
        ("ADDED", "moving"),
        ("DELETED", "moving"),
        ("ADDED", "last"),
    ]
    watch.close()
    client.ask("DELETE", f"{MAPS}/last")


def test_a_streaming_list_says_where_it_ends(api: RunningApi, client: Client) -> None:
    client.ask("POST", MAPS, config_map("streamed", stream="yes"))
    query = {
        "labelSelector": "stream=yes",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    watch = Watch(api, MAPS, allowWatchBookmarks="true", **query)
    assert watch.next()[0] == "ADDED"
    verb, bookmark = watch.next()
    assert verb == "BOOKMARK"
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    watch.close()
    code, status = client.ask("GET", MAPS, query={"watch": "1", "sendInitialEvents": "true"})
    assert (code, status["reason"]) == (422, "Invalid")


def test_a_watch_from_too_long_ago_is_told_to_list_again(api: RunningApi) -> None:
    for version in ("1", "99999999"):
        watch = Watch(api, MAPS, resourceVersion=version)
        verb, status = watch.next()
        assert (verb, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert watch.ended()
        watch.close()


def test_a_watch_ends_when_its_time_is_up(api: RunningApi, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    began = time.monotonic()
    watch = Watch(api, MAPS, resourceVersion=version, timeoutSeconds="1")
    assert watch.ended()
    assert 0.9 < time.monotonic() - began < 60
    watch.close()


def test_a_watch_in_rows_has_its_columns_once(api: RunningApi, client: Client) -> None:
    version = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    watch = Watch(api, MAPS, TABLE, resourceVersion=version)
    client.ask("POST", MAPS, config_map("rows"))
    client.ask("DELETE", f"{MAPS}/rows")
    added, deleted = watch.next()[1], watch.next()[1]
    assert [len(each["rows"]) for each in (added, deleted)] == [1, 1]
    assert added["columnDefinitions"]
    assert not deleted["columnDefinitions"]
    watch.close()


def test_stopping_ends_open_watches(tmp_path_factory: pytest.TempPathFactory) -> None:
    thread = ApiThread(tmp_path_factory.mktemp("stopping"))
    running = thread.start()
    watch = Watch(running, MAPS, timeoutSeconds="600")
    began = time.monotonic()
    thread.stop()
    assert watch.ended()
    assert time.monotonic() - began < 8
    watch.close()


def test_a_create_with_a_name_twice_is_a_conflict(client: Client) -> None:
    client.ask("POST", MAPS, config_map("twice"))
    code, status = client.ask("POST", MAPS, config_map("twice"))
    assert (code, status["reason"]) == (409, "AlreadyExists")
    assert status["details"] == {"name": "twice", "kind": "configmaps"}
    missing = client.ask("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("x"))
    assert (missing[0], missing[1]["message"]) == (404, 'namespaces "nowhere" not found')


def test_delete_preconditions_and_collections(client: Client) -> None:
    for name in ("gone-1", "gone-2"):
        client.ask("POST", MAPS, config_map(name, gone="yes"))
    wrong = {"preconditions": {"uid": "another"}}
    assert client.ask("DELETE", f"{MAPS}/gone-1", wrong)[0] == 409
    code, gone = client.ask("DELETE", MAPS, query={"labelSelector": "gone=yes"})
    assert code == 200
    assert [item["metadata"]["name"] for item in gone["items"]] == ["gone-1", "gone-2"]
    code, status = client.ask("DELETE", f"{MAPS}/gone-1")
    assert (code, status["reason"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [
        (b"x" * (3 * 1024 * 1024 + 1), "application/json", 413),
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf", 400),
        (b"nope", "application/vnd.kubernetes.protobuf", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, "application/json", 400),
        (b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b", "application/yaml", 400),
        (b"\xff\xfe", "application/yaml", 400),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":"text"}', "application/json", 400),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"../x"}}', "application/json", 422),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"labels":{"a":1}}}', "application/json", 400),
        (b'{"apiVersion":"v1","kind":"ConfigMap"}', "application/json", 422),
    ],
)
def test_bad_bodies_are_the_clients_mistake(client: Client, body: bytes, media: str, code: int) -> None:
    got, status = client.ask("POST", MAPS, body, media=media)
    assert (got, status["kind"]) == (code, "Status")
    assert client.ask("GET", MAPS)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/argoproj.io/v1alpha1/namespaces/argocd/nosuch", 404),
        ("GET", "/apis/argoproj.io/v1alpha1/applications/x", 404),
        ("GET", f"{APPS}/x/scale", 404),
        ("POST", "/apis/argosy.dev/v1alpha1/namespaces/argocd/releases", 405),
        ("OPTIONS", APPS, 405),
        ("GET", "/apis/argosy.dev/v1alpha1/namespaces/argocd/clusters", 404),
        ("GET", f"{MAPS}?labelSelector=a%20b%20c", 400),
        ("GET", f"{MAPS}?fieldSelector=spec.x%3D1", 400),
        ("GET", f"{MAPS}?limit=many", 400),
        ("GET", f"{MAPS}?resourceVersion=99999999", 504),
        ("GET", "/", 404),
    ],
)
def test_bad_requests_are_told_as_statuses(client: Client, method: str, path: str, code: int) -> None:
    got, status = client.ask(method, path, b"" if method == "POST" else None)
    assert (got, status["kind"]) == (code, "Status")


def test_keys_that_occur_twice_are_found(client: Client) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dup"},"data":{"a":"1","a":"2"}}'
    code, status = client.ask("POST", MAPS, body, query={"fieldValidation": "Strict"})
    assert code == 400
    assert 'duplicate field "data.a"' in status["message"]
    answer = client.send("POST", MAPS, body, headers={"Content-Type": "application/json"})
    assert answer.status == 201
    assert answer.getheader("Warning") == '299 - "duplicate field \\"data.a\\""'
    answer.read()


def test_every_mutation_is_on_record(api: RunningApi, client: Client) -> None:
    client.ask("POST", MAPS, config_map("audited"))
    client.ask("POST", MAPS, config_map("imagined"), query={"dryRun": "All"})
    client.ask("DELETE", f"{MAPS}/audited")
    records = api.read(lambda tx: audit.newest(tx, 2))
    assert [(r.username, r.verb, r.resource, r.name, r.code) for r in records] == [
        ("ada", "delete", "configmaps", "audited", 200),
        ("ada", "create", "configmaps", "audited", 201),
    ]


def test_who_speaks_for_another_is_on_record_too(api: RunningApi, client: Client) -> None:
    other = {"Impersonate-User": "ann", "Impersonate-Group": "argosy:admins", "User-Agent": "kubectl/v1"}
    body = json.dumps(config_map("for-ann")).encode()
    answer = client.send("POST", MAPS, body, headers={"Content-Type": "application/json", **other})
    assert answer.status == 201, answer.read()
    answer.read()
    (record,) = api.read(lambda tx: audit.newest(tx, 1))
    assert (record.username, record.agent) == ("ann", "impersonated by ada: kubectl/v1")


def test_secrets_are_not_readable_on_disk(api: RunningApi, client: Client) -> None:
    secret = {"metadata": {"name": "sealed"}, "stringData": {"password": "correct horse battery staple"}}
    code, made = client.ask("POST", "/api/v1/namespaces/argocd/secrets", secret)
    assert (code, made["data"]["password"]) == (201, "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==")
    connection = sqlite3.connect(api.folder / "hub.db")
    (body,) = connection.execute("SELECT body FROM objects WHERE name = 'sealed'").fetchone()
    connection.close()
    assert b"Y29ycmVj" not in body
    for file in api.folder.glob("hub.db*"):
        content = file.read_bytes()
        assert b"Y29ycmVjdCBob3JzZSBi" not in content
        assert b"correct horse" not in content


def test_pages_for_people_and_machines(client: Client) -> None:
    assert client.ask("GET", "/loops")[1] == {"loops": []}
    assert b"<h1>Loops</h1>" in accepted(client, "/loops", "text/html")[2]
    found = accepted(client, "/metrics", "text/plain")[2]
    assert b'argosy_api_requests_total{code="200",method="GET"}' in found
    assert client.ask("POST", "/api/webhook", {})[0] == 404
