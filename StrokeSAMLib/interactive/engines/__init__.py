"""The engines: one file each, behind the protocol in `base`; `registry` lists them."""

from StrokeSAMLib.interactive.engines.registry import ENGINES, find_engine, load_engine

__all__ = ["ENGINES", "find_engine", "load_engine"]
