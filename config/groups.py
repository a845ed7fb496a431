"""The groups of settings, one class a table of the settings file; `consilium.example.toml` explains each key."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.values import (
    check_ae_title,
    check_base_url,
    check_issuer,
    check_network,
    check_prefix,
    check_role,
    check_uid,
)

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
OptionalPort = Annotated[int, Field(ge=0, le=65535)]


class Group(BaseModel):
    """Frozen; a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Web(Group):
    """The HTTP server."""

    host: str = Field(min_length=1)
    port: Port
    workers: Count
    threads: Count
    max_body_bytes: Count
    base_url: Annotated[str, AfterValidator(check_base_url)]
    token_lifetime_s: Annotated[int, Field(ge=1, le=3600)]
    trusted_proxies: tuple[Annotated[str, AfterValidator(check_network)], ...]
    metrics_addresses: tuple[Annotated[str, AfterValidator(check_network)], ...]


class Limits(Group):
    """How much one client may ask of one web process."""

    tokens_per_minute: Count
    requests_per_minute: Count
    refused_tokens_per_minute: Count


class Dicom(Group):
    """The DICOM node."""

    ae_title: Annotated[str, AfterValidator(check_ae_title)]
    host: str = Field(min_length=1)
    port: Port
    tls_port: OptionalPort
    tls_certificate_file: str
    tls_key_file: str
    tls_ca_file: str
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=2**24)]
    max_associations: Count
    max_associations_per_peer: Count
    acse_timeout_s: Seconds
    dimse_timeout_s: Seconds
    network_timeout_s: Seconds
    extra_sop_classes: tuple[Annotated[str, AfterValidator(check_uid)], ...]
    metrics_host: str = Field(min_length=1)
    metrics_port: OptionalPort

    @model_validator(mode="after")
    def _one_peer_leaves_room(self) -> Self:
        if self.max_associations_per_peer > self.max_associations:
            raise ValueError("max_associations_per_peer is larger than max_associations")
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if self.tls_port == self.port:
            raise ValueError("tls_port and port are two ports")
        needed = (self.tls_port, self.tls_certificate_file, self.tls_key_file)
        if any((*needed, self.tls_ca_file)) and not all(needed):
            raise ValueError("tls_port, tls_certificate_file and tls_key_file belong together")
        return self


class Study(Group):
    """When a study counts as complete."""

    quiet_period_s: Seconds


class Worker(Group):
    """The worker process."""

    queues: tuple[Literal["match", "deidentify", "render", "deliver", "keep"], ...]
    relay: bool
    threads: Count
    in_flight: Count
    poll_s: Seconds
    lease_s: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    overdue_after_s: Seconds
    metrics_host: str = Field(min_length=1)
    metrics_port: OptionalPort


class Retry(Group):
    """When failed work is tried again."""

    base_s: Seconds
    cap_s: Seconds
    max_attempts: Count
    max_unended: Count

    @model_validator(mode="after")
    def _cap_above_base(self) -> Self:
        if self.cap_s < self.base_s:
            raise ValueError("cap_s is smaller than base_s")
        return self


class Storage(Group):
    """The reserve on the disk, and when what was left on it is removed."""

    min_free_bytes: Annotated[int, Field(ge=0)]
    leftover_age_s: Annotated[float, Field(ge=600, allow_inf_nan=False)]
    sweep_period_s: Seconds


class Blobs(Group):
    """The bucket of an S3-compatible store that takes the place of the folder."""

    bucket: str
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]*$")]
    endpoint: Annotated[str, AfterValidator(check_base_url)]
    region: str = Field(min_length=1)
    path_style: bool
    access_key_file: str
    secret_key_file: str
    connect_timeout_s: Seconds
    response_timeout_s: Seconds
    max_retries: Annotated[int, Field(ge=0)]
    retry_s: Annotated[float, Field(gt=0, lt=300, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _key_is_whole(self) -> Self:
        if bool(self.access_key_file) != bool(self.secret_key_file):
            raise ValueError("access_key_file and secret_key_file belong together")
        return self


class Retention(Group):
    """When a case is closed by itself, and for how long its content is kept after that."""

    close_after_days: Annotated[int, Field(ge=0, le=36500)]
    keep_days: Annotated[int, Field(ge=0, le=36500)]


class Delivery(Group):
    """How long another system may take, and how long it is tried before a person is asked."""

    connect_timeout_s: Seconds
    response_timeout_s: Seconds
    deadline_s: Seconds
    look_again_after_s: Seconds


class Destination(Group):
    """How much one destination gets at once, and when it is left alone."""

    in_flight: Count
    threshold: Count
    cool_down_s: Seconds
    cap_s: Seconds

    @model_validator(mode="after")
    def _cap_above_cool_down(self) -> Self:
        if self.cap_s < self.cool_down_s:
            raise ValueError("cap_s is smaller than cool_down_s")
        return self


class People(Group):
    """Those who sign in with a browser."""

    local_accounts: bool
    idle_timeout_s: Annotated[int, Field(ge=60)]
    session_lifetime_s: Annotated[int, Field(ge=300, le=604800)]
    password_memory_kib: Annotated[int, Field(ge=8, le=4194304)]
    password_passes: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _idle_within_lifetime(self) -> Self:
        if self.idle_timeout_s > self.session_lifetime_s:
            raise ValueError("idle_timeout_s is longer than session_lifetime_s")
        return self


class Oidc(Group):
    """The identity provider that vouches for people."""

    issuer: Annotated[str, AfterValidator(check_issuer)]
    client_id: str
    client_secret_file: str
    ca_file: str
    roles_claim: str = Field(min_length=1)
    roles: dict[str, Annotated[str, AfterValidator(check_role)]]
    required_amr: tuple[str, ...]
    max_age_s: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if any((self.issuer, self.client_id, self.client_secret_file)) and not (self.issuer and self.client_id):
            raise ValueError("issuer and client_id belong together")
        return self


class Pseudonym(Group):
    """The letters and the secret key of pseudonyms."""

    prefix: Annotated[str, AfterValidator(check_prefix)]
    key_file: str


class Institution(Group):
    """What the report prints of the centre."""

    name: str = Field(min_length=1)
    contact: str
    invitation: str


class Audit(Group):
    """What is kept of the audit chain beside it."""

    anchor_folder: str


class Syslog(Group):
    """Where audit rows are sent: a collector of RFC 5424 messages over TLS (RFC 5425)."""

    host: str
    port: Port
    ca_file: str
    certificate_file: str
    key_file: str

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("syslog.certificate_file and syslog.key_file belong together")
        return self


class Log(Group):
    """How much is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Telemetry(Group):
    """Where traces are sent."""

    otlp_endpoint: Annotated[str, AfterValidator(check_base_url)]
