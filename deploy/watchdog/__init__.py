"""A recurring synthetic crisis, raised from outside: `python -m deploy.watchdog`.

It raises a flag for a reserved person of a reserved clinic through the public API, waits until that
clinic's test receiver is paged, and resolves the crisis, so that it never escalates. Only then does it send
a heartbeat to an outside address. When Kith or the watchdog itself stops, the heartbeat stops, and its
monitor raises the alarm.
"""
