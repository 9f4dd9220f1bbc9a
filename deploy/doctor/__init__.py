"""What keeps a service from doing its work in production, found from where it runs and before people notice.

Looks at: settings, keys, certificates, MongoDB, Kafka, ways out. Never: changes anything that stays.
"""
