"""Manifests for a cluster (kustomize); what writes some of them from the code; what checks them offline."""
