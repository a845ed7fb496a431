"""SHA-256 of a file while it is still being written: hashing takes longer than receiving, so it gets its own thread."""

import hashlib
import os
import threading

_STEP_BYTES = 1 << 18


class FollowingDigest:
    """Reads behind the writer, from the page cache. `advance` and `hexdigest` belong to the writer's thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self._written = 0
        self._hashed = 0
        self._is_complete = False
        self._failure: OSError | None = None
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def advance(self, written_bytes: int) -> None:
        """So much of the file is written by now."""
        is_worth_a_turn = written_bytes - self._written >= _STEP_BYTES
        if not is_worth_a_turn:
            return
        with self._news:
            self._written = written_bytes
            self._news.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="dicom-digest", daemon=True)
            self._thread.start()

    def complete(self, written_bytes: int) -> None:
        """Nothing more will be written; the rest is hashed while the caller does something else."""
        with self._news:
            self._written = written_bytes
            self._is_complete = True
            self._news.notify()

    def hexdigest(self) -> str:
        """Of the whole file; call `complete` first. Raises OSError when the file could not be read back."""
        if self._thread is None:
            self._hash_until(self._written)
        else:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._hash.hexdigest()

    def abandon(self) -> None:
        """Stop reading before the descriptor is closed."""
        self.complete(0)
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        is_last = False
        try:
            while not is_last:
                with self._news:
                    self._news.wait_for(self._has_news)
                    written, is_last = self._written, self._is_complete
                self._hash_until(written)
        except OSError as exc:
            self._failure = exc

    def _has_news(self) -> bool:
        return self._is_complete or self._written > self._hashed

    def _hash_until(self, stop: int) -> None:
        while self._hashed < stop:
            piece = os.pread(self._descriptor, min(_STEP_BYTES, stop - self._hashed), self._hashed)
            if not piece:
                raise OSError("a spool file shrank while it was read")
            self._hash.update(piece)
            self._hashed += len(piece)
