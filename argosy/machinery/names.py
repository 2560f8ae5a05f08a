"""What names, labels and annotations may look like, with apimachinery's messages. Pure text checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from argosy.machinery import failure
from argosy.machinery.failure import FieldError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"
_IS_LABEL, _IS_SUBDOMAIN, _IS_LABEL_1035, _IS_QUALIFIED, _IS_VALUE, _IS_CONFIG_KEY = (
    re.compile(text).fullmatch
    for text in (_LABEL, _SUBDOMAIN, _LABEL_1035, _QUALIFIED, _VALUE, r"[-._a-zA-Z0-9]+")
)

MAX_GENERATED = 63 - 5
"""How much of `generateName` is kept before the five random characters."""
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
MAX_ANNOTATIONS = 256 * 1024

Check = Callable[[str], list[str]]


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _regex_error(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def dns_label(value: str) -> list[str]:
    """What is wrong with an RFC 1123 label (namespaces, for example); empty when nothing is."""
    out = [_too_long(63)] if len(value.encode()) > 63 else []
    if not _IS_LABEL(value):
        message = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
            "and end with an alphanumeric character"
        )
        out.append(_regex_error(message, _LABEL, "my-name", "123-abc"))
    return out


def dns_subdomain(value: str) -> list[str]:
    """What is wrong with an RFC 1123 subdomain, which most names are."""
    out = [_too_long(253)] if len(value.encode()) > 253 else []
    if not _IS_SUBDOMAIN(value):
        message = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character"
        )
        out.append(_regex_error(message, _SUBDOMAIN, "example.com"))
    return out


def dns_1035_label(value: str) -> list[str]:
    """What is wrong with an RFC 1035 label (names of Services)."""
    out = [_too_long(63)] if len(value.encode()) > 63 else []
    if not _IS_LABEL_1035(value):
        message = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character"
        )
        out.append(_regex_error(message, _LABEL_1035, "my-name", "abc-123"))
    return out


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that must only be safe in a URL (RBAC's names)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{illegal}'" for illegal in ("/", "%") if illegal in value]


def qualified_name(value: str) -> list[str]:
    """What is wrong with a label or annotation key: `[prefix/]name`."""
    prefix, slash, name = value.rpartition("/")
    out = []
    if slash:
        if "/" in prefix:
            message = (
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                "with an alphanumeric character"
            )
            text = _regex_error(message, _QUALIFIED, "MyName", "my.name", "123-abc")
            return [f"{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
        if not prefix:
            out.append("prefix part must be non-empty")
        else:
            out += [f"prefix part {message}" for message in dns_subdomain(prefix)]
    if not name:
        out.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        out.append(f"name part {_too_long(63)}")
    if not _IS_QUALIFIED(name):
        message = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character"
        )
        out.append(_regex_error(message, _QUALIFIED, "MyName", "my.name", "123-abc"))
    return out


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value."""
    out = [_too_long(63)] if len(value.encode()) > 63 else []
    if not _IS_VALUE(value):
        message = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character"
        )
        out.append(_regex_error(message, _VALUE, "MyValue", "my_value", "12345"))
    return out


def config_key(value: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    if len(value.encode()) > 253:
        return [_too_long(253)]
    if not _IS_CONFIG_KEY(value):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        return [_regex_error(message, "[-._a-zA-Z0-9]+", "key.name", "KEY_NAME", "key-name")]
    return ["must not be '.'"] if value == "." else ["must not be '..'"] if value == ".." else []


def generated(prefix: str, suffix: str) -> str:
    """The name for `generateName: prefix`; the caller picks five characters of `SUFFIX_ALPHABET` at random."""
    return prefix[:MAX_GENERATED] + suffix


def check_metadata(
    metadata: dict[str, Any], *, namespaced: bool, name_check: Check = dns_subdomain, create: bool
) -> list[FieldError]:
    """What is wrong with an object's metadata by itself."""
    out: list[FieldError] = []
    name = metadata.get("name") or ""
    if create:
        prefix = metadata.get("generateName") or ""
        if prefix:
            masked = prefix[:-1] + "a" if prefix.endswith("-") else prefix
            out += [
                failure.invalid_value("metadata.generateName", prefix, each) for each in name_check(masked)
            ]
        if not name:
            out.append(failure.required("metadata.name", "name or generateName is required"))
        else:
            out += [failure.invalid_value("metadata.name", name, message) for message in name_check(name)]
        namespace = metadata.get("namespace") or ""
        if namespaced and not namespace:
            out.append(failure.required("metadata.namespace"))
        elif namespaced:
            out += [
                failure.invalid_value("metadata.namespace", namespace, each) for each in dns_label(namespace)
            ]
        elif namespace:
            out.append(failure.not_allowed("metadata.namespace", "not allowed on this type"))
    out += check_labels(metadata.get("labels") or {}, "metadata.labels")
    out += _check_annotations(metadata.get("annotations") or {})
    out += _check_finalizers(metadata.get("finalizers") or ())
    out += _check_owners(metadata.get("ownerReferences") or ())
    return out


def check_labels(labels: dict[str, str], path: str) -> list[FieldError]:
    """What is wrong with a map of labels."""
    out = []
    for key, value in labels.items():
        out += [failure.invalid_value(path, key, message) for message in qualified_name(key)]
        out += [failure.invalid_value(path, value, message) for message in label_value(value)]
    return out


def _check_annotations(annotations: dict[str, str]) -> list[FieldError]:
    path = "metadata.annotations"
    out = []
    size = 0
    for key, value in annotations.items():
        out += [failure.invalid_value(path, key, message) for message in qualified_name(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > MAX_ANNOTATIONS:
        out.append(failure.too_long(path, MAX_ANNOTATIONS))
    return out


def _check_finalizers(finalizers: Iterable[str]) -> list[FieldError]:
    path = "metadata.finalizers"
    return [
        failure.invalid_value(path, each, message) for each in finalizers for message in qualified_name(each)
    ]


def _check_owners(owners: Iterable[dict[str, Any]]) -> list[FieldError]:
    out: list[FieldError] = []
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        lacking = [name for name in ("apiVersion", "kind", "name", "uid") if not owner.get(name)]
        out += [failure.required(f"{path}.{name}", "must not be empty") for name in lacking]
    return out
