"""Ratios on real servers: Kith's throughput against other implementations on the same machine.

`python -m benchmarks [NAME ...] [--quick] [--full] [--rounds N] [--results DIR]`
"""
