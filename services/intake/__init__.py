"""Intake: referral, screening and enrolment.

Owns: referrals, identity (names and contacts: only here), consent, screening answers, eligibility.
Reacts to: nothing; referrals arrive over HTTP.
Announces: referrals received, incomplete, in review, completed, declined; crisis flags.
Never: enrols or turns away anyone silently, publishes a name or free text, or mutes a crisis.
"""
