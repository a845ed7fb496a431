"""The sender of audit rows to a syslog collector."""

from workers.syslog.sender import SyslogAddress, send_messages

__all__ = ["SyslogAddress", "send_messages"]
