"""What deciding costs, and what part of sending a study it is."""

GROUP = "consent"
