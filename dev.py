"""Set up a fresh machine and run the demo or the tests: `python dev.py demo`, `python dev.py test`.

Makes a virtual environment in .venv beside this file (once) and installs the project into it. Arguments after the
first go to the command: `python dev.py test -k mirror`, `python dev.py demo -o folder`.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports",),
)


def run(*words: str) -> None:
    """Run a command of the environment; end with its status where it fails."""
    status = subprocess.run([BIN / words[0], *words[1:]], cwd=ROOT).returncode
    if status != 0:
        sys.exit(status)


def set_up(extra: str) -> None:
    """Install the project, with the packages of `extra`, unless that was done since pyproject.toml changed."""
    stamp = ENVIRONMENT / f"strokesam-{extra}.stamp"
    wanted = (ROOT / "pyproject.toml").read_text("utf-8")
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    if not BIN.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    run("python", "-m", "pip", "install", "--quiet", "--editable", f".[{extra}]")
    stamp.write_text(wanted, "utf-8")


def main() -> None:
    """Do what the first argument says."""
    task, *arguments = sys.argv[1:] or ["help"]
    if task == "demo":
        set_up("evaluation")
        run("strokesam", "demo", *arguments)
    elif task == "test":
        set_up("test")
        if not arguments:
            for check in CHECKS:
                run(*check)
        run("python", "-m", "pytest", *arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
