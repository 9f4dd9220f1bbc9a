"""The coordinators' page: the caseload of a large clinic, and many pages open at once."""
