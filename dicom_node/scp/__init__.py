"""The storage node: C-ECHO and C-STORE for known callers. `start_node(settings, find_caller=, receive=, refused=)`."""

from dicom_node.scp.certificate import server_context
from dicom_node.scp.metrics import NodeMetrics
from dicom_node.scp.node import RunningNode, start_node
from dicom_node.scp.settings import CallerFinder, NodeSettings, ReceivedInstance, Receiver, Refusal, RefusalKeeper

__all__ = [
    "CallerFinder",
    "NodeMetrics",
    "NodeSettings",
    "ReceivedInstance",
    "Receiver",
    "Refusal",
    "RefusalKeeper",
    "RunningNode",
    "server_context",
    "start_node",
]
