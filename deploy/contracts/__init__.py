"""Exports the owners' events to `shared/contracts` and `docs/events.md`, and checks that nothing drifted."""
