"""The storage node: C-ECHO and C-STORE for known callers. `start_node(settings, is_known_caller=, receive=)`."""

from dicom_node.scp.node import RunningNode, start_node
from dicom_node.scp.settings import CallerRegistry, NodeSettings, ReceivedInstance, Receiver

__all__ = ["CallerRegistry", "NodeSettings", "ReceivedInstance", "Receiver", "RunningNode", "start_node"]
