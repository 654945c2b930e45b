"""Set up a fresh machine and run the demo or the tests: `python dev.py demo`, `python dev.py test`.

Makes a virtual environment in .venv beside this file (once) and installs the project into it. Arguments after the
first go to the command: `python dev.py test -k mirror`, `python dev.py demo -o folder`.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin")
# Their builds ask for torch, and their metadata for torchvision, which neither uses where StrokeSAM does.
SAM = ("--no-deps", "--no-build-isolation", "sam2==1.1.0", "segment-anything==1.0")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports",),
)
# A process for each core, each with whole files, since tests of a file share what is slow to make.
ALL_TESTS = ("--numprocesses", str(min(8, os.cpu_count() or 1)), "--dist", "loadfile", "--durations", "15")


def run(*words: str) -> None:
    """Run a command of the environment; end with its status where it fails."""
    # sam2 builds CUDA code unless it is told not to.
    environment = {**os.environ, "SAM2_BUILD_CUDA": "0"}
    status = subprocess.run([BIN / words[0], *words[1:]], cwd=ROOT, env=environment).returncode
    if status != 0:
        sys.exit(status)


def set_up(extra: str) -> None:
    """Install the project, with the packages of `extra`, unless that was done since what it depends on changed."""
    stamp = ENVIRONMENT / f"strokesam-{extra}.stamp"
    wanted = "".join((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "constraints.txt", "dev.py"))
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    if not BIN.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    run("python", "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", "--editable", f".[{extra}]")
    if extra == "test":
        run("python", "-m", "pip", "install", "--quiet", *SAM)
    stamp.write_text(wanted, "utf-8")


def main() -> None:
    """Do what the first argument says."""
    task, *arguments = sys.argv[1:] or ["help"]
    if task == "demo":
        set_up("evaluation")
        run("strokesam", "demo", *arguments)
    elif task == "test":
        set_up("test")
        if arguments:
            run("python", "-m", "pytest", *arguments)
            return
        for check in CHECKS:
            run(*check)
        os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores
        run("python", "-m", "pytest", *ALL_TESTS)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
