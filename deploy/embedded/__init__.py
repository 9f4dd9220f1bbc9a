"""The development stack without containers: a real mongod, a Kafka-compatible broker, the services."""
