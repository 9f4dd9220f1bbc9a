"""The cost of an event in the care_plan service on more partitions and with a second replica."""
