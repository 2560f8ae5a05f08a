"""Which credentials open which repository, and how Git gets them.

Argo CD keeps them in Secrets labelled `argocd.argoproj.io/secret-type: repository` (one repository) or
`repo-creds` (all below a prefix; the longest wins), known host keys in the ConfigMap
`argocd-ssh-known-hosts-cm` and authorities in `argocd-tls-certs-cm`. This module reads those objects and
knows nothing of where they are stored.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import repos
from hub.core.secret import SECRET_TYPE, texts

KNOWN_HOSTS = "argocd-ssh-known-hosts-cm"

_REFUSED = (
    "githubAppID",
    "githubAppInstallationID",
    "githubAppPrivateKey",
    "githubAppEnterpriseBaseUrl",
    "gcpServiceAccountKey",
    "useAzureWorkloadIdentity",
)
_ASKPASS = """#!/bin/sh
# Answers Git's questions about one host and no other: a redirect must not carry the password away.
case "$1" in
  *"://$ARGOSY_GIT_HOST': " | *"@$ARGOSY_GIT_HOST': ") ;;
  *) exit 1 ;;
esac
case "$1" in
  Username*) printf '%s\\n' "$ARGOSY_GIT_USERNAME" ;;
  *) printf '%s\\n' "$ARGOSY_GIT_PASSWORD" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The fields of a repository Secret that matter to Git. `refused` names a field that is not supported."""

    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    ssh_private_key: str = field(default="", repr=False)
    tls_client_cert: str = field(default="", repr=False)
    tls_client_key: str = field(default="", repr=False)
    insecure: bool = False
    proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """What one Git command needs to open one repository."""

    credentials: Credentials = Credentials()
    known_hosts: str = ""
    authority: str = ""
    """PEM of the authorities for this host, "" for the machine's own."""

    def prepare(self, address: repos.Address, folder: str) -> tuple[dict[str, str], dict[str, str]]:
        """(environment variables, configuration) for Git; files are written with mode 0600 to `folder`.

        Raises `Invalid` for a Secret with a field that is not supported.
        """
        if self.credentials.refused:
            raise Invalid(f"repository Secret: {self.credentials.refused} is not supported")
        if address.protocol == "ssh":
            return self._ssh(address, folder), {}
        if address.protocol in ("http", "https"):
            return self._http(address, folder)
        return {}, {}

    def hide(self, text: str) -> str:
        """The text without any of the secrets."""
        held = self.credentials
        for secret in (
            held.password,
            held.bearer_token,
            held.ssh_private_key,
            held.tls_client_key,
            held.proxy,
        ):
            if len(secret) > 2:
                text = text.replace(secret, "***")
        return repos.redacted(text)

    def _http(self, address: repos.Address, folder: str) -> tuple[dict[str, str], dict[str, str]]:
        held, config = self.credentials, dict[str, str]()
        username, password = held.username or address.user, held.password or address.password
        host = f"{address.host}:{address.port}" if address.port else address.host
        variables: dict[str, str] = {}
        if held.bearer_token:
            # A header goes wherever a redirect leads, so none is followed.
            config["http.extraHeader"] = f"Authorization: Bearer {held.bearer_token}"
            config["http.followRedirects"] = "false"
        elif username or password:
            # Saves the first refusal where Git knows this (2.46).
            config["http.proactiveAuth"] = "basic"
            variables = {
                "GIT_ASKPASS": _file(folder, "askpass", _ASKPASS, 0o700),
                "ARGOSY_GIT_HOST": host,
                "ARGOSY_GIT_USERNAME": username or "x-access-token",
                "ARGOSY_GIT_PASSWORD": password,
            }
        if held.insecure:
            config["http.sslVerify"] = "false"
        elif self.authority:
            config["http.sslCAInfo"] = _file(folder, "authority.pem", self.authority)
        if held.tls_client_cert:
            config["http.sslCert"] = _file(folder, "client.pem", held.tls_client_cert)
            config["http.sslKey"] = _file(folder, "client-key.pem", held.tls_client_key)
        if held.proxy:
            config["http.proxy"] = held.proxy
        if held.no_proxy:
            variables["no_proxy"] = held.no_proxy
        return variables, config

    def _ssh(self, address: repos.Address, folder: str) -> dict[str, str]:
        held = self.credentials
        if held.proxy:
            raise Invalid("repository Secret: proxy is not supported for ssh addresses")
        options = ["BatchMode=yes", "ConnectTimeout=15", "ControlMaster=no", "ServerAliveInterval=10"]
        if held.insecure:
            options += ["StrictHostKeyChecking=no", f"UserKnownHostsFile={os.devnull}"]
        else:
            known = _file(folder, "known_hosts", self.known_hosts)
            options += ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
        command = ["ssh", "-F", os.devnull]
        if held.ssh_private_key:
            key = _file(folder, "key", held.ssh_private_key.rstrip("\n") + "\n")
            options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
            command += ["-i", key]
        for option in options:
            command += ["-o", option]
        return {"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"}


@dataclass(frozen=True, slots=True)
class Keyring:
    """All credentials at one time: exact repositories by identity, prefixes, host keys, authorities by
    host.
    """

    repositories: Mapping[str, Credentials] = field(default_factory=dict)
    prefixes: tuple[tuple[str, Credentials], ...] = ()
    known_hosts: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)

    def access(self, url: str) -> Access:
        """How to open a repository. A repository's own Secret without credentials takes those of the
        prefix, as Argo CD does (`util/db.GetRepository`).
        """
        own = self.repositories.get(repos.identity(url))
        held = own
        if held is None or not _opens(held):
            wanted = _prefix(url)
            below = [(prefix, each) for prefix, each in self.prefixes if repos.begins(wanted, prefix)]
            if below:
                held = max(below, key=lambda pair: len(pair[0]))[1]
        host = repos.parse(url).host
        return Access(held or Credentials(), self.known_hosts, self.authorities.get(host, ""))


def keyring(secrets: Iterable[Manifest], config_maps: Iterable[Manifest] = ()) -> Keyring:
    """Reads Argo CD's objects. A Secret for Helm or OCI, or one whose `url` is no address, opens nothing
    here.
    """
    repositories: dict[str, Credentials] = {}
    prefixes: list[tuple[str, Credentials]] = []
    for secret in secrets:
        labels = (secret.get("metadata") or {}).get("labels") or {}
        kind = labels.get(SECRET_TYPE)
        if kind not in ("repository", "repo-creds"):
            continue
        fields = texts(secret)
        url = fields.get("url", "").strip()
        if not url or fields.get("type", "git") not in ("", "git"):
            continue
        if kind == "repo-creds":
            prefixes.append((_prefix(url), _credentials(fields)))
            continue
        try:
            repositories[repos.identity(url)] = _credentials(fields)
        except Invalid:
            continue
    data = {(one.get("metadata") or {}).get("name"): one.get("data") or {} for one in config_maps}
    return Keyring(
        repositories,
        tuple(prefixes),
        str(data.get(KNOWN_HOSTS, {}).get("ssh_known_hosts", "")),
        {str(host).lower(): str(pem) for host, pem in data.get(repos.TLS_CERTIFICATES, {}).items()},
    )


def _credentials(fields: Mapping[str, str]) -> Credentials:
    return Credentials(
        username=fields.get("username", ""),
        password=fields.get("password", ""),
        bearer_token=fields.get("bearerToken", ""),
        ssh_private_key=fields.get("sshPrivateKey", ""),
        tls_client_cert=fields.get("tlsClientCertData", ""),
        tls_client_key=fields.get("tlsClientCertKey", ""),
        insecure="true" in (fields.get("insecure"), fields.get("insecureIgnoreHostKey")),
        proxy=fields.get("proxy", ""),
        no_proxy=fields.get("noProxy", ""),
        refused=next((name for name in _REFUSED if fields.get(name) not in (None, "", "false")), ""),
    )


def _opens(held: Credentials) -> bool:
    return any(
        (
            held.username,
            held.password,
            held.bearer_token,
            held.ssh_private_key,
            held.tls_client_cert,
            held.refused,
        )
    )


def _prefix(url: str) -> str:
    """A prefix need not be an address (`https://github.com/team-`), so it is only lower-cased and unified
    for ssh.
    """
    text = repos.bare(url).lower().removeprefix("ssh://").removeprefix("git+ssh://")
    if "://" not in text and ":" in text and "/" not in text.partition(":")[0]:
        text = text.replace(":", "/", 1)
    return text


def _file(folder: str, name: str, content: str, mode: int = 0o600) -> str:
    path = Path(folder, name)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    return str(path)
