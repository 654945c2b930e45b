"""Set up a fresh machine and run the demo or the tests: `python dev.py demo`, `python dev.py test`.

The first run makes a virtual environment in .venv beside this file and installs the project into it. Further
arguments go to the command or to pytest: `python dev.py demo -o folder`, `python dev.py test -k mirror`. Without
further arguments, `test` runs the linters, the type checker and all tests.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin")
# Their builds require torch, and their metadata torchvision, which the parts that StrokeSAM uses do not need.
SAM = ("--no-deps", "--no-build-isolation", "sam2==1.1.0", "segment-anything==1.0")
CHECKS = [
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports",),
]
if sys.version_info >= (3, 11):  # the types of SciPy need it
    CHECKS.append(("basedpyright",))
# One process for each core. The tests of a file stay together because they share fixtures that take long to make.
PARALLEL = ("--numprocesses", str(min(8, os.cpu_count() or 1)), "--dist", "loadfile", "--durations", "15")
# Tests that measure time or memory run alone, after all others.
TEST_RUNS = (("-m", "not perf", *PARALLEL), ("-m", "perf"))


def run(*words: str) -> None:
    """Run a command of the virtual environment; exit with its status if it fails."""
    # Without this setting sam2 builds CUDA code.
    environment = {**os.environ, "SAM2_BUILD_CUDA": "0"}
    status = subprocess.run([BIN / words[0], *words[1:]], cwd=ROOT, env=environment).returncode
    if status != 0:
        sys.exit(status)


def set_up(extra: str) -> None:
    """Install the project with the packages of `extra`, unless the environment is up to date."""
    stamp = ENVIRONMENT / f"strokesam-{extra}.stamp"
    requirements = "".join((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "constraints.txt", "dev.py"))
    if stamp.exists() and stamp.read_text("utf-8") == requirements:
        return
    if not BIN.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    run("python", "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", "--editable", f".[{extra}]")
    if extra == "test":
        run("python", "-m", "pip", "install", "--quiet", *SAM)
    stamp.write_text(requirements, "utf-8")


def main() -> None:
    """Run the task that the first argument names."""
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
        for selection in TEST_RUNS:
            run("python", "-m", "pytest", *selection)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
