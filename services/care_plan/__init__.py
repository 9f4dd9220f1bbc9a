"""Owns: episodes, plans, phases, inventory, focus, sessions as they happened, measures.
Reacts to: completed intakes, clock-driven facts about a plan, and the progress of crisis alerts.
Announces: the course of treatment, and immediately when someone may be in danger.
Never does: make appointments, read the clock for a plan, page anybody, store names or contacts.
"""
