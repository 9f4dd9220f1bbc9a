"""The whole stack: a course from referral to appointments, crises on their way, its start and its memory."""
