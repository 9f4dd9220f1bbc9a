"""The scheduler's rules, pure: (state, fact, now) → (state, events)."""
