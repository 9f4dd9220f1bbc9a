"""The pages: each module reads what its page shows and draws it."""
