"""The pages: each module reads the data of its page and renders it."""
