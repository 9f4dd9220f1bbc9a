"""Renders offline, with kubectl's kustomize, what `kubectl apply -k` would send."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]

from deploy.kubernetes.objects import Document

HERE = Path(__file__).parent
OVERLAYS = tuple(sorted(folder.name for folder in (HERE / "overlays").iterdir() if folder.is_dir()))


class NoKubectl(Exception):
    """kubectl is not installed, so nothing can be rendered."""

    def __init__(self) -> None:
        super().__init__(
            "kubectl is not on the PATH: it renders the manifests (`kubectl kustomize`). Install it "
            "(https://kubernetes.io/docs/tasks/tools/); it needs no cluster."
        )


class NotRendered(Exception):
    """kustomize refused an overlay; the message is its own."""


@cache
def rendered(overlay: str) -> str:
    """An overlay as YAML. Raises `NoKubectl` and `NotRendered`."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise NoKubectl
    command = [kubectl, "kustomize", str(HERE / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own path)
    if done.returncode:
        raise NotRendered(f"{overlay}: {done.stderr.strip()}")
    return done.stdout


def documents(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]
