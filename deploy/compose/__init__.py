"""What `docker compose up` needs once (a replica set, the topics, development keys), and tokens for it."""
