"""Owns: episodes, plans, phases, inventory, focus, sessions as they happened, measures.
Reacts to: completed intakes, clock-driven facts about a plan, and how alerts fare in a crisis.
Announces: how a course of treatment goes, and at once when someone may be in danger.
Never does: make appointments, read the clock for a plan, page anybody, know a name or a contact.
"""
