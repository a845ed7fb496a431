"""Where somebody calls from, as it is kept and counted."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
_IPV6_PREFIX = 64
"""What one subscriber has to itself (RFC 6177): addresses within it are one for counting."""


def address_of(text: str) -> Address | None:
    """The address; of an IPv4 one that is written as IPv6 (RFC 4291 2.5.5.2) the former. None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def counted(address: Address | None) -> str:
    """Under what it is counted: of IPv6 its network."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
    return str(address or "unknown")
