"""Which node an association comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.senders import NodeAddress, likely_address, parse_address, parse_network, resolve

WEST, EAST, WIDE, QUERY = 1, 2, 3, 4


def address(node_id, aet, network, *, may_store=True):
    return NodeAddress(node_id=node_id, aet=aet, network=network, may_store=may_store)


NODES = (
    address(WEST, "TPS", "192.0.2.0/25"),
    address(EAST, "TPS", "192.0.2.128/25"),
    address(WIDE, "TPS", "192.0.0.0/16"),
    address(WEST, "TPS", "2001:db8::/32"),
    address(QUERY, "VIEWER", "192.0.2.7", may_store=False),
    address(EAST, "PLAN ", "198.51.100.7"),
    address(EAST, "BROKEN", "not a network"),
    address(WEST, "TWIN", "203.0.113.0/24"),
    address(EAST, "TWIN", "203.0.113.0/24"),
    address(WEST, "SAME", "203.0.113.0/24"),
    address(WEST, "SAME", "203.0.113.0/24"),
    address(EAST, "MAPPED", "::ffff:203.0.113.0/120"),
)


@pytest.mark.parametrize(
    ("aet", "ip", "node_id"),
    [
        ("TPS", "192.0.2.5", WEST),
        ("TPS", "192.0.2.200", EAST),
        ("TPS", "192.0.9.9", WIDE),
        (" TPS ", "192.0.2.5", WEST),
        ("PLAN", "198.51.100.7", EAST),
        ("TPS", "::ffff:192.0.2.5", WEST),
        ("TPS", "2001:db8::7", WEST),
        ("TPS", "2001:db8::7%eth0", WEST),
        ("SAME", "203.0.113.4", WEST),
        ("MAPPED", "203.0.113.4", EAST),
    ],
)
def test_title_and_network_find_the_node(aet, ip, node_id):
    """The most specific network decides; IPv4 inside IPv6 is IPv4."""
    match = resolve(aet, ip, NODES)
    assert (match.node_id, match.known) == (node_id, True)


@pytest.mark.parametrize(
    ("aet", "ip", "reason"),
    [
        ("tps", "192.0.2.5", "no node with this AE title may store"),
        ("NOBODY", "192.0.2.5", "no node with this AE title may store"),
        ("VIEWER", "192.0.2.7", "no node with this AE title may store"),
        ("TPS", "198.51.100.7", "the AE title is known, but not from this address"),
        ("PLAN", "198.51.100.8", "the AE title is known, but not from this address"),
        ("BROKEN", "192.0.2.5", "the AE title is known, but not from this address"),
        ("TWIN", "203.0.113.4", "ambiguous: several nodes fit equally well"),
        ("TPS", "localhost", "the address localhost cannot be read"),
        ("TPS", "", "the address (none) cannot be read"),
    ],
)
def test_everything_else_is_unknown_with_a_reason(aet, ip, reason):
    """Unknown senders are quarantined by the caller."""
    match = resolve(aet, ip, NODES)
    assert (match.node_id, match.known, match.reason) == (None, False, reason)


@given(st.permutations(NODES), st.sampled_from(["TPS", "TWIN"]), st.ip_addresses(v=4))
def test_the_order_of_nodes_never_matters(nodes, aet, ip):
    """Any address, any order of the table."""
    assert resolve(aet, str(ip), nodes) == resolve(aet, str(ip), NODES)


def test_networks_and_addresses_are_read_leniently():
    """Host bits are ignored; what cannot be read is None."""
    assert str(parse_network("192.0.2.7/24")) == "192.0.2.0/24"
    assert str(parse_network("2001:db8::7/128")) == "2001:db8::7/128"
    assert parse_network("192.0.2.0/33") is None
    assert parse_address("300.0.0.1") is None


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], ""),
        (["192.0.2.99"], "192.0.2.99"),
        (["192.0.2.99", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.98", "192.0.2.99"], ""),
        (["192.0.2.7", "198.51.100.7"], ""),
    ],
)
def test_of_several_open_associations_the_one_that_a_node_names_is_likely(addresses, expected):
    """The only one is the one; where two nodes could be meant, nothing is guessed."""
    nodes = [
        NodeAddress(node_id=1, aet="TPS", network="192.0.2.7", may_store=True),
        NodeAddress(node_id=2, aet="TPS", network="198.51.100.0/24", may_store=True),
    ]
    assert likely_address("TPS", addresses, nodes) == expected
