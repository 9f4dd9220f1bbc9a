"""Event in → plan stored → event out: the care_plan service as it ships against other ways to do it."""
