"""Other ways to do the same, each a program of its own: `python -m benchmarks.contenders.NAME TASK`.

`TASK` is JSON. `quix_sink`, `faust_take` and `ap_timers` run in an environment of their own and import
nothing of Kith.
"""
