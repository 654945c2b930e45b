"""Put a trained lesion network where it ships: the file, its size and SHA-256 in the catalogue and in its card.

python Testing/ship_weights.py run/ncct-unet.safetensors
"""

import json
import re
import shutil
import sys
from pathlib import Path

from safetensors import safe_open

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.weights.catalogue import find_weights, shipped_file

_CATALOGUE = Path(__file__).parents[1] / "StrokeSAMLib" / "weights" / "catalogue.json"
_LINE = re.compile(r"^- File: .*$", re.MULTILINE)


def ship(file: Path) -> None:
    """Of the network that the file's own header names."""
    with safe_open(file, "pt") as held:
        made = held.metadata()
    entry = find_weights(made["network"])
    target = shipped_file(entry)
    shutil.copyfile(file, target)
    size, sha256 = target.stat().st_size, file_hash(target)
    document = json.loads(_CATALOGUE.read_text("utf-8"))
    row = next(row for row in document["weights"] if row["id"] == entry.id)
    row |= {"bytes": size, "megabytes": round(size / 1e6), "sha256": sha256}
    _CATALOGUE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    card = target.with_suffix(".md")
    line = f"- File: {size} bytes, SHA-256 {sha256}; {made['steps']} steps of seed {made['seed']}."
    card.write_text(_LINE.sub(line, card.read_text("utf-8")), "utf-8")
    print(f"{entry.id}: {line}")


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
