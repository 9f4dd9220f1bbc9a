"""The benchmark `timers`: announcing what is due."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from benchmarks import rounds
from benchmarks.consume.verifying import nothing_pending, same
from benchmarks.lab import Lab, has_rivals, laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.timers.schedules import fill, first_day
from benchmarks.topics import Shortfall, read
from benchmarks.watching import Watch, steady
from deploy.embedded.servers import Broker
from services.scheduler.store import SCHEDULES
from shared.clock import step
from shared.mongo import MongoDatabase

NAME, TITLE = "timers", "Timers: announce what is due"
RATE, TOPIC = "events/s", "scheduler.due"
OURS, THEIRS = "Kith's scheduler", "APScheduler 3"
GOAL, MOONSHOT = 20.0, 25.0

NOTES = {
    OURS: "as it ships; schedules of 16 appointments, each with one announcement due; state, outbox and "
    "mark in one transaction per 500 (w: majority, journalled), published after it",
    THEIRS: "MongoDBJobStore, a job per announcement (w: majority, journalled); a job leaves the store "
    "before it has run, so a crash loses it",
}


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    ours = scale.pick(quick=3_000, normal=20_000)
    theirs = scale.pick(quick=300, normal=3_000)
    async with laboratory() as lab:
        sides: dict[str, tuple[str, rounds.Run]] = {OURS: (NOTES[OURS], partial(measure_kith, lab, ours))}
        if has_rivals():
            sides[THEIRS] = (NOTES[THEIRS], partial(measure_apscheduler, lab, theirs))
        found = await rounds.alternate(sides, scale.rounds, say)
    ratios = (
        [
            Ratio(
                f"{OURS} / {THEIRS}",
                ratio(found[OURS].of(RATE), found[THEIRS].of(RATE)),
                "higher",
                GOAL,
                MOONSHOT,
            )
        ]
        if THEIRS in found
        else []
    )
    facts: dict[str, object] = {"due": f"{ours} schedules; {THEIRS}: {theirs} jobs"}
    if THEIRS not in found:
        facts["left out"] = f"{THEIRS}: not installed here (make bench installs it)"
    unit = "from 10 % announced to the last announcement"
    return Result(NAME, TITLE, RATE, unit, list(found.values()), ratios, facts | machine())


async def measure_kith(lab: Lab, count: int, number: int) -> Mapping[str, float]:
    """Start the scheduler an hour before everything is due, then advance its clock."""
    prefix, clock, due = f"bench_timers_{number}_", lab.folder / f"clock_{number}", first_day().due
    step(clock, due - timedelta(hours=1))
    async with lab.broker() as broker, lab.database(f"{prefix}scheduler") as database:
        await fill(database, count)
        service = lab.service("scheduler", broker, database_prefix=prefix, clock_file=str(clock))
        service.start()
        try:
            await service.ready()
            watch = Watch(
                partial(_announced, database, count),
                count,
                {"client": service.process, "mongod": lab.mongod.process, "broker": broker.process},
            )
            step(clock, due)
            assert service.process is not None  # noqa: S101 (it is ready)
            await watch.until_done(service.process)
            times = await _verified(broker, count)
            await nothing_pending(database)
        except Shortfall as shortfall:
            raise Shortfall(f"{OURS}: {shortfall}\n{lab.last_words()}") from None
        finally:
            service.stop(within=3.0)
        await _each_moved_on(database, count)
    return watch.progress.measures(steady(times))


async def _announced(database: MongoDatabase, count: int) -> int:
    """All or none: a cheap query, because it runs often."""
    due = {"waiting": True, "next_due": {"$lte": first_day().due}}
    return 0 if await database[SCHEDULES].find_one(due, {"_id": 1}) else count


async def _each_moved_on(database: MongoDatabase, count: int) -> None:
    moved = await database[SCHEDULES].count_documents({"version": 2, "next_due": {"$gt": first_day().due}})
    if moved != count:
        raise Shortfall(f"{OURS}: {moved} of {count} schedules moved on to their next announcement")


async def _verified(broker: Broker, count: int) -> list[float]:
    """Check that there is exactly one announcement per plan; return their times."""
    seen = await read(broker.address, TOPIC, expected=count)
    wanted = {f"pln_{number:032x}" for number in range(1, count + 1)}
    same("announcements", [message.subject for message in seen], wanted)
    same("ids of announcements", [message.id for message in seen], {message.id for message in seen})
    return [message.at for message in seen]


async def measure_apscheduler(lab: Lab, count: int, number: int) -> Mapping[str, float]:
    """Measure APScheduler, which fills its own store while paused and then starts."""
    name = f"bench_jobs_{number}"
    async with lab.broker() as broker, lab.database(name) as database:
        task = {
            "mongodb": lab.mongod.uri,
            "database": name,
            "kafka": broker.address,
            "topic": TOPIC,
            "timers": count,
            "event": first_day().announcement(),
        }
        async with lab.contender("ap_timers", task, rival=True) as process:
            watch = Watch(
                partial(_run_off, database, count),
                count,
                {"client": process, "mongod": lab.mongod.process, "broker": broker.process},
            )
            try:
                await watch.until_done(process)
                times = await _verified(broker, count)
            except Shortfall as shortfall:
                raise Shortfall(f"{THEIRS}: {shortfall}\n{lab.last_words()}") from None
    return watch.progress.measures(steady(times))


async def _run_off(database: MongoDatabase, count: int) -> int:
    """The number of jobs that have left the store; 0 until it has been filled."""
    if await database["stage"].estimated_document_count() == 0:
        return 0
    return count - int(await database["jobs"].estimated_document_count())
