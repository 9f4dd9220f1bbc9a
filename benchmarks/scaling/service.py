"""`python -m benchmarks.scaling.service PARTITIONS`: care_plan as shipped, on that many partitions."""

import sys

from benchmarks.scaling.partitions import declare
from services.care_plan.app import build
from shared.process import run
from shared.settings import Settings

if __name__ == "__main__":
    declare(int(sys.argv[1]))
    run("care_plan", Settings, build)
