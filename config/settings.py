"""Settings: CONSILIUM_* variables over consilium.toml over defaults.toml. What nobody knows stops the start.

`config/consilium.example.toml` explains each setting. Only the composition roots and the command line read them.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import reduce
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from config.errors import UnusableSettings
from config.groups import (
    Audit,
    Blobs,
    Delivery,
    Destination,
    Dicom,
    Institution,
    Limits,
    Log,
    Oidc,
    People,
    Pseudonym,
    Retention,
    Retry,
    Storage,
    Study,
    Syslog,
    Telemetry,
    Web,
    Worker,
)
from config.values import broker_address, check_broker_url, check_database_url, with_password

PREFIX = "CONSILIUM_"
FILE_VARIABLE = "CONSILIUM_CONFIG"
DEFAULT_FILE = "consilium.toml"


class Settings(BaseSettings):
    """Every setting, checked; frozen."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__")

    data_dir: Path
    database_url: Annotated[str, AfterValidator(check_database_url)]
    database_password_file: str
    broker_url: Annotated[str, AfterValidator(check_broker_url)]
    broker_password_file: str
    kill_at: str
    clock_ahead_file: str
    web: Web
    limits: Limits
    dicom: Dicom
    study: Study
    worker: Worker
    retry: Retry
    storage: Storage
    blobs: Blobs
    retention: Retention
    delivery: Delivery
    destination: Destination
    people: People
    oidc: Oidc
    pseudonym: Pseudonym
    institution: Institution
    audit: Audit
    syslog: Syslog
    log: Log
    telemetry: Telemetry

    @model_validator(mode="after")
    def _somebody_tells(self) -> Self:
        if not self.broker_url and not self.worker.relay:
            raise ValueError("worker.relay is needed where there is no broker_url")
        return self

    @field_validator("data_dir")
    @classmethod
    def _made_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the files, which arrive merged as initial values."""
        return env_settings, init_settings

    @property
    def spelt(self) -> Mapping[str, str]:
        """Every setting by its name, `web.host`, as JSON: equal where the value is."""
        values = self.model_dump(mode="json")
        found = {path: reduce(lambda group, name: group[name], path, values) for path in setting_names()}
        return {".".join(path): json.dumps(value, sort_keys=True) for path, value in found.items()}

    @property
    def database_url_resolved(self) -> str:
        """The SQLAlchemy URL, with the password from its file. Raises UnusableSettings when that cannot be read."""
        if self.database_url:
            return _filled(self.database_url, "database_password_file", self.database_password_file)
        return f"sqlite:///{self.data_dir / 'consilium.db'}"

    @property
    def broker_url_resolved(self) -> str:
        """The broker's URL with its password, or '' for the embedded executor. Raises UnusableSettings."""
        return _filled(self.broker_url, "broker_password_file", self.broker_password_file) if self.broker_url else ""

    @property
    def broker_address(self) -> tuple[str, int] | None:
        """Host and port of the broker; None for the embedded executor."""
        return broker_address(self.broker_url) if self.broker_url else None

    @property
    def blob_key(self) -> tuple[str, str]:
        """The access key and the secret of the bucket; empty without files. Raises UnusableSettings."""
        files = {"access_key_file": self.blobs.access_key_file, "secret_key_file": self.blobs.secret_key_file}
        access_key, secret_key = (_first_line(f"blobs.{name}", file) if file else "" for name, file in files.items())
        return access_key, secret_key

    @property
    def oidc_client_secret(self) -> str:
        """Our secret at the identity provider; '' for a public client. Raises UnusableSettings."""
        file = self.oidc.client_secret_file
        return _first_line("oidc.client_secret_file", file) if file else ""

    @property
    def blob_dir(self) -> Path:
        """Immutable objects by their SHA-256."""
        return self.data_dir / "blobs"

    @property
    def spool_dir(self) -> Path:
        """Objects while they arrive; the same file system as `blob_dir`, so that a rename moves them."""
        return self.data_dir / "spool"

    @property
    def anchor_dir(self) -> Path:
        """Where the anchors of the audit chain are written."""
        named = self.audit.anchor_folder
        return Path(named).expanduser().absolute() if named else self.data_dir / "anchors"

    @property
    def makes_own_key(self) -> bool:
        """Whether a start without a key makes one: never a named one, nor one that a database server's others share."""
        return not self.pseudonym.key_file and not self.database_url.startswith("postgresql")

    @property
    def pseudonym_key_path(self) -> Path:
        """The key file named, or the one the gateway creates for itself."""
        return Path(self.pseudonym.key_file) if self.pseudonym.key_file else self.data_dir / "keys" / "pseudonym.key"


def load_settings(path: Path | None = None) -> Settings:
    """Settings from `path`, else from the file CONSILIUM_CONFIG names, else from ./consilium.toml where there is one.

    Raises:
        UnusableSettings: a named file is missing, a key is unknown, or a value breaks its rule.
    """
    values = _parsed(resources.files("config").joinpath("defaults.toml").read_bytes(), "defaults.toml")
    chosen = _chosen_file(path)
    source = f"{chosen} and the environment" if chosen else "the environment"
    if chosen:
        values = _merged(values, _parsed(_content(chosen), str(chosen)))
    _refuse_unknown_variables()
    try:
        return Settings(**values)
    except ValidationError as exc:
        raise UnusableSettings(f"settings from {source}: " + "; ".join(_sentences(exc))) from None
    except SettingsError:
        raise UnusableSettings("a CONSILIUM_* variable that stands for a group or a list is not valid JSON") from None


def setting_names(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every setting: ('data_dir',), ('web', 'host') and so on."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, (*above, name))
        else:
            yield (*above, name)


def _chosen_file(path: Path | None) -> Path | None:
    if path is not None:
        return path
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UnusableSettings(f"the settings file {path} cannot be read ({exc.strerror})") from None


def _parsed(content: bytes, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UnusableSettings(f"{source} is not valid TOML: {exc}") from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both_groups = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both_groups else value
    return merged


def _refuse_unknown_variables() -> None:
    """pydantic-settings ignores a variable that fits no field; here a typing error has to be seen."""
    names = list(setting_names())
    known = {FILE_VARIABLE} | {PREFIX + "__".join(name).upper() for name in names}
    known |= {PREFIX + name[0].upper() for name in names}
    found = (name for name in os.environ if name.upper().startswith(PREFIX))
    if unknown := sorted(name for name in found if name.upper() not in known):
        raise UnusableSettings(f"unknown setting in the environment: {', '.join(unknown)}")


def _sentences(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            yield f"unknown setting {key}"
        else:
            yield f"{key}: {item['msg']}".removeprefix(": ").replace("Value error, ", "", 1)


def _filled(url: str, setting: str, password_file: str) -> str:
    if not password_file:
        return url
    try:
        return with_password(url, _first_line(setting, password_file))
    except ValueError as exc:
        raise UnusableSettings(f"{setting}: {exc}") from None


def _first_line(setting: str, file: str) -> str:
    line = _content(Path(file)).decode(errors="replace").partition("\n")[0].strip()
    if not line:
        raise UnusableSettings(f"{setting}: the file is empty")
    return line
