"""The stream's fixtures serve here too."""

from tests.stream.conftest import stack, stored

__all__ = ["stack", "stored"]
