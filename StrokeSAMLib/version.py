"""The version of the library, of the command and of the extension."""

__version__ = "0.1.0"
