"""Manifests for a cluster (kustomize), the generator of some of them, and their offline checks."""
