# Sourced by ./demo and ./test: makes .venv from a hashed lock file, once, and puts it on PATH.
#
#   needs=demo; . scripts/setup.sh        needs: a file of requirements/, demo or dev

set -eu
lock="requirements/$needs.lock"

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: no Python 3.11 or newer on PATH" >&2
    echo "hint: install one (Debian: apt install python3 python3-venv) or set PYTHON=/path/to/it" >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    echo "Setting up .venv with $("$python" --version) …" >&2
    rm -rf .venv
    if ! "$python" -m venv .venv 2>/dev/null; then
        # Debian without python3-venv: the environment without pip, and a pip from elsewhere.
        rm -rf .venv
        "$python" -m venv --without-pip .venv
        .venv/bin/python scripts/get_pip.py requirements/demo.lock "$python"
    fi
}

stamp=".venv/.$needs-$(cksum <"$lock" | tr ' ' '-')-$(cksum <pyproject.toml | tr ' ' '-')"
if [ ! -e "$stamp" ]; then
    [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 || make_venv
    echo "Installing the packages of $lock …" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r "$lock" 2>.venv/pip.log || { cat .venv/pip.log >&2; exit 1; }
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --no-build-isolation --editable . 2>.venv/pip.log || { cat .venv/pip.log >&2; exit 1; }
    : >"$stamp"
fi
PATH="$PWD/.venv/bin:$PATH"
export PATH
