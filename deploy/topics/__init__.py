"""Topics and rights on a Kafka cluster as they are declared here: what differs, and what makes them alike."""
