"""Other implementations of the same, each a separate program: `python -m benchmarks.contenders.NAME TASK`.

`TASK` is JSON. `quix_sink`, `faust_take` and `ap_timers` run in a separate environment and import nothing of
Kith.
"""
