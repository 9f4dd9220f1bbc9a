"""A synthetic crisis, again and again, from outside: `python -m deploy.watchdog`.

It raises a flag for a reserved person of a reserved clinic through the public API, waits until that
clinic's test receiver was paged, and ends the crisis, so that it never climbs. Only then a heartbeat goes to
an outside address: when Kith, or the watchdog itself, stops, the heartbeat stops, and whoever expects it
raises the alarm.
"""
