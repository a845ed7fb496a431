"""The sender of audit rows to a syslog collector."""

from workers.syslog.sender import Patience, SyslogAddress, send_messages

__all__ = ["Patience", "SyslogAddress", "send_messages"]
