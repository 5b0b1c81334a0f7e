#!/bin/sh
# Stop with one line that names what to install, when the machine lacks something `make` needs.
python=$1
command -v "$python" >/dev/null 2>&1 || {
  echo "$python is missing: install Python 3.11, 3.12 or 3.13 (or name yours: make PYTHON=...)" >&2
  exit 1
}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || {
  echo "$python is $("$python" --version 2>&1): install Python 3.11, 3.12 or 3.13 (or name yours: make PYTHON=...)" >&2
  exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
  echo "$python cannot make a virtual environment: install its venv module (Debian: python3-venv)" >&2
  exit 1
}
command -v git >/dev/null 2>&1 || {
  echo "git is missing: install git" >&2
  exit 1
}
