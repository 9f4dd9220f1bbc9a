"""Intake: the way in.

Owns: referrals, identity (names and contacts: only here), consent, screening answers, eligibility.
Reacts to: nothing; it hears of people over HTTP.
Announces: referrals received, incomplete, in review, completed, declined; crisis flags.
Never: enrols or turns away anyone in silence, lets a name or free text out, or mutes a crisis.
"""
