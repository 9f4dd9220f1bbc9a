"""Ratios on real servers: what Kith does in a second, against what the same machine can do otherwise.

`python -m benchmarks [NAME ...] [--quick] [--full] [--rounds N] [--results DIR]`
"""
