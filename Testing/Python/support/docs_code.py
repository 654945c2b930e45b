"""The Python code in the documentation. The tests inside Slicer use this file, too."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def python_blocks(page):
    """The Python code blocks of a page, from the top; `page` is a path relative to the root."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run_block(code, page, console):
    """Run a code block as if it were typed in a console; returns the names that it leaves.

    Args:
        code: the block.
        page: the page that the block is on, for tracebacks.
        console: what the console has at the start, by name.
    """
    names = dict(console)
    exec(compile(code, page, "exec"), names)
    return names
