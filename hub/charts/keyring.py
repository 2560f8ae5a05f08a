"""Which credentials open which chart repository or registry: Argo CD's repository Secrets of type helm and oci."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import repos
from hub.core.secret import SECRET_TYPE

KINDS = ("helm", "oci")
_REFUSED = ("proxy", "useAzureWorkloadIdentity", "gcpServiceAccountKey")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one repository. `plain_http` is `insecureOCIForceHttp`; `refused` names an unsupported field."""

    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    insecure: bool = False
    plain_http: bool = False
    refused: str = ""

    @property
    def opens(self) -> bool:
        return bool(self.username or self.password or self.bearer_token or self.certificate)


@dataclass(frozen=True, slots=True)
class Keyring:
    """All credentials at one time. A repository's own Secret without credentials takes those of the longest
    prefix that has some, as Argo CD does (`util/db.GetRepository`).
    """

    repositories: Mapping[str, Credentials] = field(default_factory=dict)
    prefixes: tuple[tuple[str, Credentials], ...] = ()
    authorities: Mapping[str, str] = field(default_factory=dict)

    def of(self, repository: str) -> Credentials:
        """For `https://host/path`, or `host/path` of a registry with or without the chart's name."""
        wanted = _bare(repository)
        own, above = self.repositories.get(wanted), wanted
        # The Secret names what the Application calls repoURL, and a chart's name comes after that.
        while own is None and "://" not in wanted and "/" in above:
            above = above.rpartition("/")[0]
            own = self.repositories.get(above)
        if own is None or not own.opens:
            below = [(prefix, each) for prefix, each in self.prefixes if repos.begins(wanted, prefix)]
            if below:
                own = max(below, key=lambda pair: len(pair[0]))[1]
        found = own or Credentials()
        if found.refused:
            raise Invalid(f"repository Secret of {repository}: {found.refused} is not supported")
        return found


def keyring(secrets: Iterable[Mapping[str, str]], authorities: Mapping[str, str] | None = None) -> Keyring:
    """`secrets` are the decoded fields of repository Secrets, with the label's value under `SECRET_TYPE`."""
    repositories: dict[str, Credentials] = {}
    prefixes: list[tuple[str, Credentials]] = []
    for fields in secrets:
        url = fields.get("url", "").strip()
        if not url or not (fields.get("type") in KINDS or fields.get("enableOCI") == "true"):
            continue
        if fields.get(SECRET_TYPE) == "repo-creds":
            prefixes.append((_bare(url), _credentials(fields)))
        else:
            repositories[_bare(url)] = _credentials(fields)
    return Keyring(repositories, tuple(prefixes), authorities or {})


def kind_of(secret: Manifest) -> str:
    """The `repository` or `repo-creds` of a Secret, "" for any other."""
    labels: Mapping[str, Any] = (secret.get("metadata") or {}).get("labels") or {}
    kind = labels.get(SECRET_TYPE)
    return str(kind) if kind in ("repository", "repo-creds") else ""


def context(credentials: Credentials, authority: str) -> ssl.SSLContext | bool:
    """What TLS is spoken with. `certificate` is handed over through memory alone where Python can."""
    if credentials.insecure:
        return False
    if credentials.certificate:
        raise Invalid("repository Secret: tlsClientCertData is not supported for charts")
    if not authority:
        return True
    try:
        return ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        raise Invalid(f"{repos.TLS_CERTIFICATES}: {error}") from None


def _bare(url: str) -> str:
    """Charts of `https://…` and of registries never meet: the former keep their protocol."""
    text = url.strip().rstrip("/")
    head, sign, rest = text.partition("://")
    if not sign or head == "oci":
        return (rest if sign else text).lower()
    return f"{head.lower()}://{rest.rpartition('@')[2] if '@' in rest.partition('/')[0] else rest}".lower()


def _credentials(fields: Mapping[str, str]) -> Credentials:
    return Credentials(
        username=fields.get("username", ""),
        password=fields.get("password", ""),
        bearer_token=fields.get("bearerToken", ""),
        certificate=fields.get("tlsClientCertData", ""),
        key=fields.get("tlsClientCertKey", ""),
        insecure=fields.get("insecure") == "true",
        plain_http=fields.get("insecureOCIForceHttp") == "true",
        refused=next((name for name in _REFUSED if fields.get(name) not in (None, "", "false")), ""),
    )
