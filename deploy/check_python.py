"""Is this Python good enough? Runs before anything is installed, on whatever Python there is."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Fengxiang needs Python 3.11 or newer; %s is %d.%d. Install one and run: make run PYTHON=python3.12"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError:
    sys.exit("This Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv")
