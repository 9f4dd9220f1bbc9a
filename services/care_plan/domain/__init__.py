"""The rules of a course of IPT, split by clinical idea. Pure: `(state, fact, moment) → (state, events)`."""
