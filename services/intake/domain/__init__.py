"""The rules of intake, one file per clinical idea. Pure: `(state, fact, now) → (state, events)`."""
