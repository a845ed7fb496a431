"""What people see by their roles: what waits, recalls, the audit trail, users."""
