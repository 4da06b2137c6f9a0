"""Who sent an object: the node whose AE title and network fit, an importer, or nobody."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IMPORT_PREFIX = "import:"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """One network from which a node may call; a single address counts as a network of one."""

    node_id: int
    aet: str
    network: str  # "192.0.2.0/24", "192.0.2.7" or IPv6
    may_store: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Who brought files in by hand: for which center, and under which name on which machine."""

    center: str
    uploader: str

    @property
    def caller(self) -> tuple[str, str]:
        """What stands in the places of AE title and address.

        No DICOM sender can claim it: the address of an association is always an IP address.
        """
        return self.center, IMPORT_PREFIX + self.uploader


def importing_center(aet: str, address: str) -> str | None:
    """The center for which an importer imports; None for everybody else."""
    return aet if address.startswith(IMPORT_PREFIX) else None


def uploader_of(address: str) -> str:
    """Under which name an importer imported."""
    return address.removeprefix(IMPORT_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMatch:
    """The node that sent, or None with the reason; without a node the data is quarantined."""

    node_id: int | None
    reason: str

    @property
    def known(self) -> bool:
        """Whether a node was found."""
        return self.node_id is not None


def resolve(aet: str, ip: str, nodes: Sequence[NodeAddress]) -> NodeMatch:
    """Find the node that an association comes from.

    The AE title must be equal (case counts, PS3.8; surrounding spaces do not, PS3.5 6.2) and the
    address must lie in one of the node's networks. The most specific network decides; two nodes
    with equally specific ones are ambiguous and count as unknown.

    Parameters
    ----------
    aet
        Calling AE title as received.
    ip
        Remote address, IPv4, IPv6 or IPv4-mapped IPv6.
    nodes
        Every network of every node; networks that cannot be read match nothing.
    """
    address = parse_address(ip)
    if address is None:
        return NodeMatch(node_id=None, reason=f"the address {ip or '(none)'} cannot be read")
    titled = [node for node in nodes if node.may_store and node.aet.strip() == aet.strip()]
    if not titled:
        return NodeMatch(node_id=None, reason="no node with this AE title may store")
    fitting = [
        (network.prefixlen, node.node_id)
        for node in titled
        if (network := parse_network(node.network)) is not None and address in network
    ]
    if not fitting:
        return NodeMatch(node_id=None, reason="the AE title is known, but not from this address")
    longest = max(prefix for prefix, _ in fitting)
    best = {node_id for prefix, node_id in fitting if prefix == longest}
    if len(best) > 1:
        return NodeMatch(node_id=None, reason="ambiguous: several nodes fit equally well")
    return NodeMatch(node_id=best.pop(), reason="AE title and address fit")


def likely_address(aet: str, addresses: Sequence[str], nodes: Sequence[NodeAddress]) -> str:
    """Which of the addresses with an open association an AE title calls from; empty when unclear.

    The only one is the one. Of several it is the one from which a node with this AE title may
    send; where different nodes could, nothing is guessed.
    """
    if len(addresses) == 1:
        return addresses[0]
    nodes_of = {address: resolve(aet, address, nodes).node_id for address in sorted(addresses)}
    fitting = [address for address, node_id in nodes_of.items() if node_id is not None]
    return fitting[0] if fitting and len({nodes_of[item] for item in fitting}) == 1 else ""


def parse_address(text: str) -> Address | None:
    """Read an address; IPv4-mapped IPv6 becomes IPv4, a zone (``%eth0``) is left out."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def parse_network(text: str) -> Network | None:
    """Read a network or single address, or None; host bits are ignored (192.0.2.7/24)."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network
