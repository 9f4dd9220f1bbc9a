"""A file of referrals on its way to intake: read, sent, reported."""
