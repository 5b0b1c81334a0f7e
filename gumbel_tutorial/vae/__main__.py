"""The command: ``python -m gumbel_tutorial.vae train|evaluate|sample|table``."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

# What arguments, files, devices, memory and missing libraries raise.
_ERRORS = (
    *(ValueError, TypeError, OSError, FloatingPointError, RuntimeError),
    *(ImportError, MemoryError),
)


class _Deaf:
    """A stream whose reader may have gone: a closed terminal must not end what a run still has to save."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def _open_streams() -> None:
    """Let both streams take whatever is said: closed ones too, and those of a terminal of ASCII alone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # A closed stream frees its number, which the next file to be opened would get.
            stream = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        setattr(sys, name, stream)
    if not isinstance(sys.stderr, _Deaf):
        sys.stderr = _Deaf(sys.stderr)


def _say(kind: str, text: object) -> None:
    print(f"{kind}: {' '.join(str(text).split())}", file=sys.stderr)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    _say("warning", message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the arguments, and return its exit code; an error is one line.

    Of several processes that torchrun started, one says it.
    """
    _open_streams()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            # Here, so that an interrupt of the import, which takes seconds, is one line too.
            from gumbel_tutorial.vae.command import execute

            return execute(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        lacks = f"No module named {error.name!r}"
        _say("error", f"{lacks}; pip install 'gumbel-tutorial[vae,tensorboard]' has it")
    except MemoryError as error:
        _say("error", f"out of memory: {error}" if str(error) else "out of memory")
    except _ERRORS as error:
        _say("error", error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
