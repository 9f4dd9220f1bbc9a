"""The coordinators' page.

Owns nothing of its own: a read model of what all services announced, which can be dropped and rebuilt.
Reacts to every fact of intake, care_plan, scheduler and alerts.
Announces nothing.
Never decides about care, never stores a name: those are fetched from intake with the viewer's own token.
"""
