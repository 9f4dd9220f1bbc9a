"""The coordinators' page: the caseload of a large clinic, and many pages that are open at once."""
