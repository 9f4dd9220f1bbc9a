"""Who is told what, when, and what must come of it: `(alert, fact, now) → (alert, events, deliveries)`."""
