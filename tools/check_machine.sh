#!/bin/sh
# Stop with one line that names what to install, when the machine lacks something `make` needs.
python=$1
wanted="install Python 3.11, 3.12, 3.13 or 3.14 (or name yours: make PYTHON=...)"
# A shim can stand where no Python is behind it: only one that says its version is there.
version=$("$python" --version 2>/dev/null) || {
  echo "$python is missing: $wanted" >&2
  exit 1
}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || {
  echo "$python is $version: $wanted" >&2
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
