"""What the tests of the module's panel share: a view that remembers, and patience."""

import time


class FakeView:
    """Remembers what it was told to show."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    def all(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    def last(self, name):
        return self.all(name)[-1]


def poll_until_idle(target, seconds=20):
    deadline = time.monotonic() + seconds
    while target.busy:
        assert time.monotonic() < deadline
        target.poll()
        time.sleep(0.002)
