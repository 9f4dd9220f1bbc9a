"""scheduler: when care takes place, announced in time.

Owns: appointments, the slots of clinicians' diaries, and every clock-driven announcement of care.
Reacts to: plans started, revised, held, resumed and closed; sessions attended, missed and cancelled.
Announces: sessions scheduled, moved and cancelled; sessions, reviews and the termination phase when due.
Never does: decide what happened in a session or in which phase a person is; that is care_plan's.
"""
