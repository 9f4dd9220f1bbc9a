"""Event in → plan stored → event out: the care_plan service as shipped against other implementations."""
