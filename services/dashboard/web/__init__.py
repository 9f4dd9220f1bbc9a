"""Shared by all pages: the viewer, rendering, requests to other services, and live updates."""
