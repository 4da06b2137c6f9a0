"""What can be said about the container recipes without a container engine."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from rtpacs.settings import Settings, variable

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKER = CHECKOUT / "docker"
COMPOSE_FILES = ("compose.yaml", "compose.scaled.yaml")
DOCKERFILE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
IGNORED = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()


def services(name):
    """The services of one compose file, anchors resolved."""
    return yaml.safe_load((DOCKER / name).read_text())["services"]


def copied_from_checkout():
    """What the Dockerfile copies out of the checkout."""
    lines = [line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    return [source for line in lines if not line[0].startswith("--") for source in line[:-1]]


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_every_service_is_built_here_or_has_a_fixed_version(name):
    """An image without a tag would change under the user."""
    for service in services(name).values():
        if "build" in service:
            context = DOCKER / service["build"]["context"]
            assert (context / service["build"]["dockerfile"]).is_file()
        else:
            assert re.search(r":\d", service["image"])


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_every_named_volume_is_declared(name):
    """Compose refuses a file whose service uses a volume that it does not declare."""
    declared = yaml.safe_load((DOCKER / name).read_text())["volumes"]
    used = {
        volume.partition(":")[0]
        for service in services(name).values()
        for volume in service["volumes"]
    }
    assert used == set(declared)


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_only_existing_settings_are_set(name):
    """A setting that was renamed must be renamed here too."""
    known = {variable(item.name) for item in fields(Settings)}
    given = {
        key
        for service in services(name).values()
        for key in service["environment"]
        if key.startswith("RTPACS_")
    }
    in_image = set(re.findall(r"\b(RTPACS_\w+)=", DOCKERFILE))
    assert given | in_image <= known


@pytest.mark.parametrize("source", copied_from_checkout())
def test_what_the_image_copies_exists_and_is_sent_to_the_engine(source):
    """The ignore file lets through exactly what the Dockerfile asks for."""
    assert (CHECKOUT / source).exists()
    assert f"!{source}" in IGNORED


def test_no_port_but_dicom_is_open_to_the_network():
    """The door speaks plain HTTP, so it is published on the machine itself only."""
    ports = {
        port
        for name in COMPOSE_FILES
        for service in services(name).values()
        for port in service.get("ports", [])
    }
    assert ports
    assert all(port.startswith("127.0.0.1:") or port.endswith(":11112") for port in ports)


def test_image_and_setup_serve_the_same_browser_libraries():
    """One list in scripts/setup, one in the Dockerfile."""
    setup = (CHECKOUT / "scripts" / "setup").read_text()
    listed = re.search(r"VENDOR_FILES=\(\n(.*?)\n\)", setup, re.DOTALL).group(1).split()
    assert re.findall(r"/build/node_modules/(\S+)", DOCKERFILE) == listed
