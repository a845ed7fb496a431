"""C-STORE of whole objects, one a call, so that the caller can check its permission in between (PS3.4 B)."""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from dicom_node.header import read_header
from dicom_node.part10 import build_file_header, split_file
from dicom_node.scu.association import MAX_CONTEXTS, Timeouts, associated
from gateway.domain.errors import Full, Invalid, Permanent, Unanswered, Unreachable
from gateway.domain.party import DicomAddress

SENDING = "sending"
"""The folder of the spool in which objects lie while they are sent."""

_PLAIN = str(ExplicitVRLittleEndian)


class Sender:
    """An open association towards an archive."""

    def __init__(self, association: Association, ae_title: str, *, spool_folder: Path, may_decompress: bool) -> None:
        self._association = association
        self._ae_title = ae_title
        self._folder = spool_folder / SENDING
        self._may_decompress = may_decompress
        self._is_broken = False
        self._accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])) for context in association.accepted_contexts
        }

    def send(self, part10: bytes | Path, *, before_send: Callable[[], None] = lambda: None) -> int:
        """Send one Part 10 object and give the C-STORE-RSP status; `status.judge_store` says what it means.

        `before_send` is called once the object lies ready, immediately before anything of it leaves; what it raises
        keeps the object here and the association usable.

        The data set travels as it is, in its own transfer syntax. Only where the archive refused that and
        `may_decompress` was given, it is decoded to explicit VR little endian. Raises Invalid (not an object we could
        send), Permanent (no accepted context), Full (no room in the spool), Unreachable (association gone before
        anything was sent) or Unanswered (no answer to what was sent).
        """
        content = part10.read_bytes() if isinstance(part10, Path) else part10
        transfer_syntax_uid, offset = split_file(content)
        data_set = memoryview(content)[offset:]
        header = read_header(data_set, transfer_syntax_uid)
        if (header.sop_class_uid, transfer_syntax_uid) not in self._accepted:
            self._require_fallback(header.sop_class_uid, transfer_syntax_uid)
            data_set, transfer_syntax_uid = memoryview(_decompressed(content)), _PLAIN
        preamble = build_file_header(header.sop_class_uid, header.sop_instance_uid, transfer_syntax_uid)
        with _spool_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = tempfile.NamedTemporaryFile(dir=self._folder, suffix=".dcm")  # noqa: SIM115 - closed below
        with file:  # what a killed process leaves goes with the next sweep of the spool
            with _spool_errors():
                file.write(preamble)
                file.write(data_set)
                file.flush()
            return self._store(Path(file.name), before_send)

    def _require_fallback(self, sop_class_uid: str, transfer_syntax_uid: str) -> None:
        if self._may_decompress and (sop_class_uid, _PLAIN) in self._accepted:
            return
        kind, syntax = pydicom.uid.UID(sop_class_uid).name, pydicom.uid.UID(transfer_syntax_uid).name
        raise Permanent(f"{self._ae_title} does not accept {kind} in {syntax}; its administrator has to enable it")

    def _store(self, path: Path, before_send: Callable[[], None]) -> int:
        if self._is_broken or not self._association.is_established:
            raise Unreachable(f"the association with {self._ae_title} is gone; nothing was sent")
        before_send()
        self._is_broken = True  # unless an answer comes
        try:
            status = self._association.send_c_store(path)
        except (OSError, RuntimeError) as exc:
            raise Unanswered(f"the association with {self._ae_title} broke while sending") from exc
        if "Status" not in status:
            raise Unanswered(f"{self._ae_title} did not answer C-STORE")
        self._is_broken = False
        return int(status.Status)


@contextmanager
def open_sender(
    address: DicomAddress,
    calling_ae_title: str,
    contexts: Iterable[tuple[str, str]],
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    *,
    spool_folder: Path,
    may_decompress: bool = False,
) -> Iterator[Sender]:
    """An association that offers each (SOP class UID, transfer syntax UID) as a context of its own.

    What is sent lies below `spool_folder` until it is answered.

    Raises Invalid for more than 128 contexts (PS3.8 9.3.2.2), otherwise as `associated` does.
    """
    pairs = sorted(set(contexts))
    if may_decompress:
        pairs = sorted({*pairs, *((sop_class_uid, _PLAIN) for sop_class_uid, _ in pairs)})
    if len(pairs) > MAX_CONTEXTS:
        raise Invalid(f"{len(pairs)} presentation contexts are more than one association can hold; send in parts")
    offered: list[PresentationContext] = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
    with associated(address, calling_ae_title, offered, timeouts) as association:
        yield Sender(association, address.ae_title, spool_folder=spool_folder, may_decompress=may_decompress)


@contextmanager
def _spool_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise Full(f"the spool takes no object to send ({exc.strerror}); nothing was sent") from exc


def _decompressed(part10: bytes) -> bytes:
    """The data set in explicit VR little endian, same pixels, same identity. Raises Permanent where no decoder can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(BytesIO(part10))
            if dataset.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in dataset:
                dataset.decompress(as_rgb=False, generate_instance_uid=False)
            output = BytesIO()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.save_as(output, implicit_vr=False, little_endian=True, enforce_file_format=True)
    except Exception as exc:  # a decoder raises whatever it likes
        raise Permanent("the object cannot be decoded to a transfer syntax that the archive accepts") from exc
    plain = output.getvalue()
    return plain[split_file(plain)[1] :]
