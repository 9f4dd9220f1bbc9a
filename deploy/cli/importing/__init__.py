"""Importing a file of referrals into intake: reading, sending, reporting."""
