"""The whole stack: a course from referral to appointments, the paging of crises, its start and memory."""
