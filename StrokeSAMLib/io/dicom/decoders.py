"""The decoder of a compressed transfer syntax."""

from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, JPEGExtended12Bit

# In order of preference. Those are left out that hang or bring the process down on damaged pixels: GDCM's wheel and
# pyjpegls. The decoder of RLE in pylibjpeg does so too, but pydicom's own comes before it.
_PLUGINS = ("pydicom", "pylibjpeg", "pillow")


def decoder_plugin(syntax: str) -> str | None:
    """The plugin of pydicom that decodes a transfer syntax; None if only GDCM can."""
    if syntax == JPEGExtended12Bit:
        return None  # Pillow decodes 8 bits only
    try:
        available = get_decoder(UID(syntax)).available_plugins
    except NotImplementedError:  # an unknown syntax
        return None
    return next((plugin for plugin in _PLUGINS if plugin in available), None)
