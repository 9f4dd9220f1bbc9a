"""Validates each object against its schema: Kubernetes' kinds always, operators' if definitions are given."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import kubernetes_validate  # type: ignore[import-untyped, unused-ignore]
import yaml  # type: ignore[import-untyped, unused-ignore]

from deploy.kubernetes.objects import Document, Objects, titled

VERSIONS = ("1.32", "1.37")
"""The oldest supported Kubernetes version, and the newest with known schemas."""

OPERATORS = ("kafka.strimzi.io", "keda.sh", "mongodbcommunity.mongodb.com", "monitoring.coreos.com")
"""API groups whose schemas come with the operators, not with Kubernetes."""

Definitions = Mapping[tuple[str, str], Document]
"""(apiVersion, kind) → JSON Schema."""


def problems(objects: Objects, definitions: Definitions | None = None) -> Iterator[str]:
    for document in objects.documents:
        group = document["apiVersion"].partition("/")[0]
        if group not in OPERATORS:
            yield from _of_kubernetes(document)
        elif definitions is not None:
            yield from _of_an_operator(document, definitions)


def _of_kubernetes(document: Document) -> Iterator[str]:
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(part) for part in error.path)
            yield f"{titled(document)}: Kubernetes {version} refuses {where}: {error.message[:200]}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{titled(document)}: Kubernetes {version} has no {document['apiVersion']}"


def _of_an_operator(document: Document, definitions: Definitions) -> Iterator[str]:
    schema = definitions.get((document["apiVersion"], document["kind"]))
    if schema is None:
        yield f"{titled(document)}: no definition of {document['apiVersion']} was given"
        return
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        where = ".".join(str(part) for part in error.absolute_path)
        yield f"{titled(document)}: its operator refuses {where}: {error.message[:200]}"


def read_definitions(folder: Path) -> dict[tuple[str, str], Document]:
    """Schemas of the CustomResourceDefinitions in a folder's YAML files, refusing unknown fields."""
    found: dict[tuple[str, str], Document] = {}
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document.get("kind") == "CustomResourceDefinition":
                spec = document["spec"]
                for version in spec["versions"]:
                    schema = _strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
                    found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def _strict(schema: Any) -> Any:
    """Make a schema refuse unknown fields, which the API server drops silently."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    known = {name: _strict(part) for name, part in schema.items()}
    if known.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    open_ended = known.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in known
    if isinstance(known.get("properties"), dict) and known.get("type") == "object" and not open_ended:
        known["additionalProperties"] = False
    return known
