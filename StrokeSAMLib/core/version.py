"""The version of the library, the command and the extension."""

__version__ = "0.1.0"
