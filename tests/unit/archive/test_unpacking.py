"""ZIPs from outside: what is hostile or too large is refused before it costs."""

import io
import json
import stat
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import asdict

import pytest

from rtpacs.archive.unpacking import HARMLESS_BYTES, Limits, is_zip, members
from rtpacs.errors import InvalidInputError

pytestmark = pytest.mark.fault("A18")
LIMITS = Limits(members=1000, total_bytes=400_000_000, object_bytes=100_000_000, ratio=200, depth=2)
ZEROS = bytes(1 << 20)


def a_zip(*contents, method=zipfile.ZIP_DEFLATED):
    """A ZIP of (name, bytes) pairs."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in contents:
            archive.writestr(name, data)
    return made.getvalue()


def read_all(data, tmp_path, limits=LIMITS):
    """Name and content of every member, or the reason why a ZIP inside is refused."""
    found = members(io.BytesIO(data), limits, tmp_path, head_bytes=132)
    return [(item.name, item.refused or item.read()) for item in found]


def patched(data, signature, offset, layout, *values):
    """The ZIP with a field of every directory entry or end record changed."""
    made, at = bytearray(data), data.find(signature)
    while at >= 0:
        struct.pack_into(layout, made, at + offset, *values)
        at = data.find(signature, at + 4)
    return bytes(made)


def test_members_come_with_names_and_bytes(tmp_path):
    """Folders are no members, and a ZIP inside is opened."""
    inner = a_zip(("b.dcm", b"two"))
    data = a_zip(("disc/", b""), ("disc/a.dcm", b"one"), ("inner.zip", inner))
    assert is_zip(data[:4])
    assert read_all(data, tmp_path) == [("disc/a.dcm", b"one"), ("inner.zip!b.dcm", b"two")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "..\\evil", "/etc/evil", "\\evil", "C:\\evil", "c:evil", "a\0b"],
)
def test_names_that_lead_elsewhere_refuse_the_whole_zip(tmp_path, name):
    """Nothing of it is read, not even honest members before."""
    info = zipfile.ZipInfo("x" * len(name))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("honest", b"1")
        archive.writestr(info, b"2")
    data = made.getvalue().replace(b"x" * len(name), name.encode())
    with pytest.raises(InvalidInputError, match="member"):
        read_all(data, tmp_path)


def test_links_are_refused(tmp_path):
    """A symbolic link as Unix programs pack it."""
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InvalidInputError, match="link"):
        read_all(made.getvalue(), tmp_path)


def test_encrypted_members_are_refused_with_advice(tmp_path):
    """Bit 0 of the flags."""
    data = patched(a_zip(("a", b"1")), b"PK\x01\x02", 8, "<H", 1)
    with pytest.raises(InvalidInputError, match="encrypted: unpack it first"):
        read_all(data, tmp_path)


def test_only_stored_and_deflated_members_are_opened(tmp_path):
    """Python inflates bzip2 and LZMA without a bound."""
    with pytest.raises(InvalidInputError, match="neither stored nor deflated"):
        read_all(a_zip(("a", ZEROS), method=zipfile.ZIP_BZIP2), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path):
    """Which of them a checker saw is unknown."""
    with pytest.raises(InvalidInputError, match="second file of the same name"):
        read_all(a_zip(("a", b"1"), ("a", b"2")), tmp_path)


def test_overlapping_members_are_refused(tmp_path):
    """Fifield's bomb: many directory entries share one deflated kernel."""
    once = a_zip(("a", ZEROS))
    entry = once[once.find(b"PK\x01\x02") : once.find(b"PK\x05\x06")]
    start = once.find(b"PK\x01\x02")
    entries = b"".join(entry[:-1] + bytes([ord("a") + number]) for number in range(20))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 20, 20, len(entries), start, 0)
    with pytest.raises(InvalidInputError, match="overlaps"):
        read_all(once[:start] + entries + end, tmp_path)


def a_bomb():
    """150 MB of zeros in 150 kB: 1:1000."""
    return a_zip(("bomb", bytes(HARMLESS_BYTES * 3 // 2)))


def test_a_bomb_of_one_member_is_refused_by_its_ratio(tmp_path):
    """1:1000 where 1:200 is allowed."""
    with pytest.raises(InvalidInputError, match="RTPACS_IMPORT_ZIP_RATIO"):
        read_all(a_bomb(), tmp_path)


def test_more_than_the_allowed_total_is_refused(tmp_path):
    """Two members of 30 MB where 50 MB are allowed."""
    limits = Limits(members=9, total_bytes=50_000_000, object_bytes=1, ratio=10_000, depth=1)
    data = a_zip(("a", bytes(30_000_000)), ("b", bytes(30_000_000)))
    with pytest.raises(InvalidInputError, match="RTPACS_IMPORT_ZIP_TOTAL_MB"):
        read_all(data, tmp_path, limits)


def a_hundred_thousand_members(stated=0xFFFF):
    """100,000 empty members, of which the end record states another number."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 6, 0, 0, 0, 1, *[0] * 4, 0, 0) + b"a"
    entries = entry * 100_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, stated, stated, len(entries), 0, 0)
    return entries + end


def test_a_hundred_thousand_members_are_refused_at_once(tmp_path):
    """Counted from the end record: 0.1 s, and no list of names in memory."""
    for count in (0xFFFF, 1):
        data = a_hundred_thousand_members(count)
        spent = []
        for _ in range(3):
            began = time.process_time()
            with pytest.raises(InvalidInputError, match="RTPACS_IMPORT_ZIP_MEMBERS"):
                read_all(data, tmp_path)
            spent.append(time.process_time() - began)
        assert min(spent) < 0.5


def test_zips_nested_too_deep_are_refused_and_the_rest_goes_on(tmp_path):
    """42.zip in small: at depth 3 nothing is opened, whatever lies there."""
    third = a_zip(("deep.dcm", b"3"))
    second = a_zip(("third.zip", third), ("two.dcm", b"2"))
    data = a_zip(("second.zip", second), ("one.dcm", b"1"))
    found = dict(read_all(data, tmp_path))
    assert "RTPACS_IMPORT_ZIP_DEPTH" in found["second.zip!third.zip"]
    assert found["second.zip!two.dcm"] == b"2"
    assert found["one.dcm"] == b"1"


def test_zips_inside_share_the_limits_of_the_outermost(tmp_path):
    """Sixteen ZIPs of 30 MB each: the fourth passes 100 MB."""
    limits = Limits(members=99, total_bytes=100_000_000, object_bytes=1, ratio=10_000, depth=2)
    inner = a_zip(("zeros", bytes(30_000_000)))
    data = a_zip(*((f"{number}.zip", inner) for number in range(16)))
    found = members(io.BytesIO(data), limits, tmp_path, head_bytes=8)
    refused = [item.name for item in found if "TOTAL_MB" in item.refused]
    assert refused == [f"{number}.zip" for number in range(3, 16)]


def test_a_zip_that_contains_itself_ends(tmp_path):
    """A quine's each level looks like the one before; here, equal ZIPs down to the limit."""
    data = a_zip(("r/r.zip", b""))
    for _ in range(12):
        data = a_zip(("r/r.zip", data))
    ((name, reason),) = read_all(data, tmp_path)
    assert name == "r/r.zip!r/r.zip"
    assert "nested more than 2 deep" in reason


def a_tiny_bomb():
    """113 bytes that state one member of 4 GB."""
    packed = zlib.compress(b"", wbits=-15)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, 2, 0xFFFFFFFE, 5, 0)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, 2, 0xFFFFFFFE, 5, *[0] * 4, 0, 0
    )
    body = local + b"a.dcm" + packed
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central) + 5, len(body), 0)
    return body + central + b"a.dcm" + end


def test_a_tiny_zip_that_states_4_gb_is_refused(tmp_path):
    """It promises more than the total, so nothing is inflated."""
    bomb = a_tiny_bomb()
    assert len(bomb) < 140
    with pytest.raises(InvalidInputError, match="RTPACS_IMPORT_ZIP_TOTAL_MB"):
        read_all(bomb, tmp_path)


def a_lie():
    """300 MB deflated of which 1 kB is stated."""
    return patched(a_zip(("lie", bytes(300_000_000))), b"PK\x01\x02", 24, "<L", 1000)


def an_escape():
    """A member that wants to lie two folders further up."""
    return a_zip(("../../evil", b"1"))


CHILD = """
import json, sys, time
from pathlib import Path
from rtpacs.archive.unpacking import Limits, members
from rtpacs.errors import InvalidInputError
limits = Limits(**json.loads(sys.argv[3]))
def most_kb():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = most_kb()
begun = time.monotonic()
try:
    with open(sys.argv[1], "rb") as file:
        for item in members(file, limits, Path(sys.argv[2]), head_bytes=4):
            print(item.refused or len(item.read()))
except InvalidInputError as exc:
    print(exc)
print((most_kb() - before) / 1024)
print(time.monotonic() - begun)
"""


def read_in_a_child(data, folder, limits):
    """What a process of its own says of a ZIP; the MB by which it grew, and seconds.

    ``ru_maxrss`` begins at what the parent has, and would hide the growth.
    """
    workspace = folder / "two" / "down"
    workspace.mkdir(parents=True)
    path = folder / "hostile.zip"
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(workspace), json.dumps(asdict(limits))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert sorted(folder.rglob("*")) == [path, folder / "two", workspace]
    said, grown_mb, seconds = done.stdout.splitlines()
    return said, float(grown_mb), float(seconds)


def test_a_member_that_inflates_past_its_stated_size_stops_there(tmp_path):
    """No other limit stops it: refused, and memory grows by less than 20 MB."""
    limits = Limits(members=9, total_bytes=10**9, object_bytes=10**9, ratio=10**6, depth=2)
    said, grown_mb, _ = read_in_a_child(a_lie(), tmp_path, limits)
    assert "damaged" in said
    assert grown_mb < 20


def test_hostile_zips_cost_little_and_leave_no_file(tmp_path, record_property):
    """Each refused within 2 s and 100 MB by a process that opens nothing else."""
    grown_mb, seconds = 0.0, 0.0
    makers = (a_bomb, a_hundred_thousand_members, a_tiny_bomb, a_lie, an_escape)
    for make in makers:
        folder = tmp_path / make.__name__
        said, grown, spent = read_in_a_child(make(), folder, LIMITS)
        assert not said.isdigit()
        grown_mb, seconds = max(grown_mb, grown), max(seconds, spent)
    assert seconds < 2
    assert grown_mb < 100
    measured = f"{len(makers)} kinds refused, at worst {seconds:.1f} s and {grown_mb:.0f} MB"
    record_property("measured", f"{measured}, no file")


def test_zip64_sizes_count_as_stated(tmp_path):
    """An extra field of 64 bits that says 10 GB is believed, and refused."""
    extra = struct.pack("<HHQ", 1, 8, 10_000_000_000)
    info = zipfile.ZipInfo("a.dcm")
    info.extra = extra
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, b"1")
    data = patched(made.getvalue(), b"PK\x01\x02", 24, "<L", 0xFFFFFFFF)
    with pytest.raises(InvalidInputError, match="RTPACS_IMPORT_ZIP_TOTAL_MB"):
        read_all(data, tmp_path)


@pytest.mark.parametrize("cut", [10, 60, 100])
def test_a_zip_that_is_cut_off_is_refused(tmp_path, cut):
    """Its directory stands at the end."""
    with pytest.raises(InvalidInputError, match=r"whole ZIP|damaged"):
        read_all(a_zip(("a", b"123"))[:-cut], tmp_path)


def test_a_damaged_member_is_an_error_of_that_member(tmp_path):
    """The checksum of the directory is compared with what was read."""
    data = bytearray(a_zip(("a", b"12345678"), ("b", b"ok"), method=zipfile.ZIP_STORED))
    data[data.find(b"12345678")] ^= 1
    found = members(io.BytesIO(bytes(data)), LIMITS, tmp_path, head_bytes=4)
    assert "CRC" in next(found).refused
    assert next(found).read() == b"ok"
