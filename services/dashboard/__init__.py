"""The coordinators' page.

Owns no data: it keeps a read model of all services' events, which can be dropped and rebuilt.
Reacts to every fact of intake, care_plan, scheduler and alerts.
Announces nothing.
Never decides about care and never stores names: it fetches them from intake with the viewer's own token.
"""
