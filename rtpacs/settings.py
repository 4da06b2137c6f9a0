"""Every setting: its name, default and meaning, and where its value came from.

Values come, later ones winning, from the default here, ``rtpacs.toml`` in the data folder (or the
file that ``RTPACS_CONFIG`` names) and the environment variable ``RTPACS_<NAME>``. No other module
reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from rtpacs.errors import SettingsError

ENVIRONMENT_PREFIX = "RTPACS_"
CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULT_HOME = CHECKOUT / "var"
DATABASE_FILE = "rtpacs.sqlite"
PORTS = ("web_port", "web_internal_port", "orthanc_port", "dicom_port")
ABOVE_ZERO = (
    "workers",
    "parse_memory_mb",
    "parse_seconds",
    "calculation_seconds",
    "reconcile_hours",
    "node_test_minutes",
    "send_associations",
    "send_silence_seconds",
    "download_stream_mb",
    "download_quota_mb",
    "download_days",
    "upload_mb",
    "orthanc_memory_mb",
    "import_connections",
    "import_object_mb",
    "import_zip_members",
    "import_zip_total_mb",
    "import_zip_ratio",
    "import_zip_depth",
    "withdrawal_days",
    "verify_days",
    "await_days",
    "viewer_packs_mb",
    "tick_seconds",
)
KINDS: Mapping[type, str] = {int: "a whole number", float: "a number", Path: "a path"}
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _setting(default: Any, text: str, *, secret: bool = False) -> Any:
    """A field with its help text; a secret is never printed."""
    return field(default=default, metadata={"help": text, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one installation."""

    home: Path = _setting(DEFAULT_HOME, "data folder: database, Orthanc's storage, keys, logs")
    database_url: str = _setting(
        "", "SQLAlchemy URL of PostgreSQL; empty means SQLite in the data folder", secret=True
    )
    web_host: str = _setting("127.0.0.1", "address on which the door answers HTTP")
    web_port: int = _setting(8080, "port of the door: the only HTTP port for others")
    web_certificate_file: str = _setting(
        "", "PEM file of the door's certificate chain; empty: plain HTTP, for this machine only"
    )
    web_key_file: str = _setting("", "PEM file of its private key")
    upload_mb: int = _setting(2048, "largest single upload (one request: an object or a ZIP)")
    web_internal_port: int = _setting(8143, "loopback port of the web process behind the door")
    orthanc_port: int = _setting(8142, "loopback port of Orthanc's REST behind the door")
    dicom_port: int = _setting(11112, "DICOM port to which TPS and PACS send")
    dicom_aet: str = _setting("RTPACS", "our AE title")
    admin_password: str = _setting("", "password of user admin; empty: generated", secret=True)
    unknown_senders: str = _setting(
        "quarantine", "what happens to objects of unknown senders: quarantine or refuse"
    )
    workers: int = _setting(1, "number of worker processes that `rtpacs serve` starts")
    quiet_seconds: float = _setting(
        1.0, "how long a patient's data must be quiet before it is assembled and calculated"
    )
    quiet_limit_seconds: float = _setting(
        20.0, "assemble at the latest after this time even while data keeps coming"
    )
    parse_memory_mb: int = _setting(2048, "memory that reading or calculating one object may take")
    parse_seconds: int = _setting(
        300, "time that reading one object or calculating one structure may take"
    )
    calculation_seconds: int = _setting(
        3600, "time that all structures of one calculation may take together"
    )
    reconcile_hours: float = _setting(24.0, "hours between full comparisons with Orthanc")
    node_test_minutes: float = _setting(
        15.0, "minutes between tests whether nodes that may receive or query answer a C-ECHO"
    )
    send_associations: int = _setting(
        2, "associations to one node at a time, when objects are sent to it"
    )
    send_silence_seconds: float = _setting(
        60.0, "a node that takes no byte for so long while we send is hung up on, and tried later"
    )
    download_stream_mb: int = _setting(
        200, "largest download that streams at once; larger ones are written by a job first"
    )
    download_quota_mb: int = _setting(50_000, "room in the data folder for downloads that wait")
    download_days: float = _setting(7.0, "days until a download that waits is removed")
    tls_ca_file: str = _setting(
        "", "certificates of authorities that sign nodes' certificates; empty: the system's"
    )
    tls_certificate_file: str = _setting("", "our certificate, for nodes that ask for one")
    tls_key_file: str = _setting("", "the key of our certificate, where it is in another file")
    dicom_tls: str = _setting(
        "off",
        "on: the DICOM port takes TLS only, with our certificate, from nodes that the authorities "
        "above have signed",
    )
    orthanc_memory_mb: int = _setting(
        4096, "memory at which Orthanc starts again once no node is connected"
    )
    import_connections: int = _setting(4, "how many objects `rtpacs import` stores at a time")
    import_object_mb: int = _setting(1024, "largest single object that is imported")
    import_zip_members: int = _setting(
        50_000, "most files in one ZIP that is imported, with those of ZIPs inside it"
    )
    import_zip_total_mb: int = _setting(
        50_000, "most that one ZIP that is imported may unpack to, with ZIPs inside it"
    )
    import_zip_ratio: int = _setting(
        200, "how many times its size a ZIP may unpack to, when that is above 100 MB"
    )
    import_zip_depth: int = _setting(2, "ZIPs in ZIPs that are opened; 1 opens none inside")
    withdrawal_days: float = _setting(
        7.0, "days in which a withdrawal can be undone before its data is removed"
    )
    verify_days: float = _setting(30.0, "days in which every file of the archive is read once")
    await_days: float = _setting(
        90.0, "days without anything new of a patient until nobody awaits what a plan set lacks"
    )
    viewer_packs_mb: int = _setting(
        20_000, "room for what the viewer shows, prepared; what was unused longest is dropped"
    )
    tick_seconds: float = _setting(0.5, "how often an idle worker looks for work")
    orthanc_binary: str = _setting("", "path of Orthanc; empty: found on the PATH")
    orthanc_plugins: str = _setting("", "folder of Orthanc's own plugins; empty: Debian's")
    nginx_binary: str = _setting("", "path of nginx; empty: found on the PATH")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        for name in PORTS:
            _require(1 <= getattr(self, name) <= 65535, name, "be a port from 1 to 65535")
        for name in ABOVE_ZERO:
            _require(getattr(self, name) > 0, name, "be above 0")
        quiet = 0 <= self.quiet_seconds <= self.quiet_limit_seconds
        _require(quiet, "quiet_seconds", f"be 0 to {variable('quiet_limit_seconds')}")
        _require(self.log_level in LOG_LEVELS, "log_level", f"be one of {', '.join(LOG_LEVELS)}")
        both = bool(self.web_certificate_file) == bool(self.web_key_file)
        _require(both, "web_key_file", f"be set together with {variable('web_certificate_file')}")
        _require(self.dicom_tls in ("on", "off"), "dicom_tls", "be on or off")
        if self.dicom_tls == "on":
            for name in ("tls_certificate_file", "tls_key_file", "tls_ca_file"):
                _require(bool(getattr(self, name)), name, "be set where the DICOM port takes TLS")
        known = self.unknown_senders in ("quarantine", "refuse")
        _require(known, "unknown_senders", "be quarantine or refuse")
        _require(1 <= len(self.dicom_aet) <= 16, "dicom_aet", "have 1 to 16 characters")

    @property
    def sqlalchemy_url(self) -> str:
        """The database in use: PostgreSQL by URL, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.home / DATABASE_FILE}"

    @property
    def orthanc_url(self) -> str:
        """Orthanc's loopback address."""
        return f"http://127.0.0.1:{self.orthanc_port}"


def _require(holds: bool, name: str, must: str) -> None:
    if not holds:
        raise SettingsError(f"{variable(name)} must {must}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One line of ``rtpacs settings``."""

    name: str
    variable: str
    value: str
    source: str
    help: str


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_PREFIX + name.upper()


def load(
    environment: Mapping[str, str] | None = None, config: Path | None = None
) -> tuple[Settings, list[SettingRow]]:
    """Read all settings.

    Returns
    -------
    tuple
        The settings and one row per setting with the source of its value; secrets are masked.

    Raises
    ------
    SettingsError
        A value has the wrong type, an unknown name stands in the file, or the file is no TOML or
        cannot be read.
    """
    env = os.environ if environment is None else environment
    path = config or _config_path(env)
    from_file = _read_toml(path)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for item in fields(Settings):
        if variable(item.name) in env:
            values[item.name] = _convert(item, env[variable(item.name)])
            sources[item.name] = variable(item.name)
        elif item.name in from_file:
            values[item.name] = _convert(item, from_file[item.name])
            sources[item.name] = str(path)
    settings = Settings(**values)
    return settings, [_row(item, settings, sources) for item in fields(Settings)]


def _config_path(env: Mapping[str, str]) -> Path:
    if "RTPACS_CONFIG" in env:
        return Path(env["RTPACS_CONFIG"])
    return Path(env.get(variable("home"), DEFAULT_HOME)) / "rtpacs.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise SettingsError(
            f"cannot read {path} ({exc.strerror}): set {variable('home')} to a folder of this user"
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path} is not valid TOML: {exc}") from exc
    unknown = sorted(set(content) - {item.name for item in fields(Settings)})
    if unknown:
        raise SettingsError(f"{path} has unknown settings: {', '.join(unknown)}")
    return content


def _convert(item: "Field[Any]", value: Any) -> Any:
    kind = item.type if isinstance(item.type, type) else str
    try:
        converted = kind(value)
    except (TypeError, ValueError) as exc:
        raise SettingsError(f"{variable(item.name)} must be {KINDS.get(kind, 'text')}") from exc
    return converted.resolve() if isinstance(converted, Path) else converted


def _row(item: "Field[Any]", settings: Settings, sources: Mapping[str, str]) -> SettingRow:
    value = str(getattr(settings, item.name))
    if item.metadata["secret"] and value:
        value = "(set)"
    return SettingRow(
        name=item.name,
        variable=variable(item.name),
        value=value,
        source=sources.get(item.name, "default"),
        help=item.metadata["help"],
    )
