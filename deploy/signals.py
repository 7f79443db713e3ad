"""Being told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def stopped_by(*numbers: signal.Signals, then: Callable[[], None] = lambda: None) -> threading.Event:
    """An event that these signals set, after `then()`.

    A handler runs within the main thread, which may just wait for the event and hold its lock: so a thread sets it.
    """
    event = threading.Event()

    def told(number: int, frame: object) -> None:
        then()
        threading.Thread(target=event.set).start()

    for number in numbers:
        signal.signal(number, told)
    return event
