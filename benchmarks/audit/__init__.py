"""What the audit trail costs, and how fast it answers, at a million rows."""

GROUP = "audit"
