"""People: how they become known, sign in and out, and what they keep secret."""
