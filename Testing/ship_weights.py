"""Put a trained network where it ships, and its size and SHA-256 into the catalogue and its card.

python Testing/ship_weights.py run/ncct-unet.safetensors
"""

import json
import re
import shutil
import sys
from pathlib import Path

from safetensors import safe_open

from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.weights.architectures import check_weights
from StrokeSAMLib.weights.catalogue import find_weights, shipped_file

_CATALOGUE = Path(__file__).parents[1] / "StrokeSAMLib" / "weights" / "catalogue.json"
_LINE = re.compile(r"^- File: .*$", re.MULTILINE)


def ship(file: Path) -> None:
    """Ship the weights in a file. The file's header names the network.

    Raises:
        InputError: the weights belong to another network; nothing was changed.
    """
    with safe_open(file, "pt") as weights:
        header = weights.metadata()
    entry = find_weights(header["network"])
    check_weights(entry, file, str(file))
    target, size, sha256 = shipped_file(entry), file.stat().st_size, file_hash(file)
    card = target.with_suffix(".md")
    run = f"{header['steps']} steps ({header['cooldown']} of cooldown, {header['precision']}) of seed {header['seed']}"
    line = f"- File: {size} bytes, SHA-256 {sha256}; {run}, maps {header['maps']}."
    text, count = _LINE.subn(line, card.read_text("utf-8"))
    if count != 1:
        raise SystemExit(f"{card}: {count} lines that begin with '- File: ', not one")
    document = json.loads(_CATALOGUE.read_text("utf-8"))
    row = next(row for row in document["weights"] if row["id"] == entry.id)
    row |= {"bytes": size, "megabytes": round(size / 1e6), "sha256": sha256}
    _CATALOGUE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    card.write_text(text, "utf-8")
    shutil.copyfile(file, target)
    print(f"{entry.id}: {line}")


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
