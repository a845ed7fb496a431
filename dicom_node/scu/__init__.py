"""Calling other DICOM nodes: echo, query, send, diagnose."""

from dicom_node.scu.association import Timeouts, UnknownCaller
from dicom_node.scu.diagnosis import diagnose
from dicom_node.scu.query import echo, find_instances, find_study, has_instance
from dicom_node.scu.sender import Sender, open_sender

__all__ = [
    "Sender",
    "Timeouts",
    "UnknownCaller",
    "diagnose",
    "echo",
    "find_instances",
    "find_study",
    "has_instance",
    "open_sender",
]
