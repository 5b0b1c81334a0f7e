"""The command: ``python -m gumbel_tutorial.conformance check|list``.

The exit code of ``check`` is 0 where a check passes and none fails, 1 where one fails or none could be made,
and 2 where there was no sampler to check.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the arguments, and return its exit code; an error is one line."""
    try:
        # Here, so that a missing library is one line too.
        from gumbel_tutorial.conformance.command import execute

        return execute(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
