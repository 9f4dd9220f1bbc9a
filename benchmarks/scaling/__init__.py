"""The care_plan service on more partitions and with a second replica: what an event costs then."""
