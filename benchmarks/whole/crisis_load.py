"""The benchmark `crisis_load`; see `benchmarks.whole.crisis`."""

from benchmarks.whole.crisis import run_under_load as run

__all__ = ["run"]
