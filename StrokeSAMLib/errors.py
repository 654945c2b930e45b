"""The errors a user can act on. Their text is one line that names what is wrong and where."""


class StrokeSAMError(Exception):
    """Base of every error whose text is meant for the user; the command exits with status 2 on it."""


class InputError(StrokeSAMError):
    """An input that cannot be used: a missing or broken file, a wrong modality, grids that do not match."""


class OptionError(StrokeSAMError):
    """An unknown method or option, or a value outside its range."""


class Cancelled(Exception):
    """The user asked the work to stop. Nothing was written."""
