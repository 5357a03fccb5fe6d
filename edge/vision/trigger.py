"""When a picture is taken and inspected: at an interval, after a movement, when a light barrier or a message says so."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from threading import Event
from typing import Any, Final, Protocol

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edge.vision.camera import CameraConfigError
from wire.link import Inbound, Link, LinkConfig

_LOOKS_S: Final = 0.2
"""A movement is looked for this often."""
_SIZE = (64, 48)
_CHANGED = 12.0
"""Grey values by which a pixel of the small picture has changed: three times what noise and flicker do to it."""
_MOVING, _OTHER = 0.01, 0.03
"""Shares of the small picture: something moves between two looks; what is seen is not what was inspected last."""
_LONGEST_S: Final = 2.0
"""A belt never stands still: after so long a moving picture is inspected all the same."""
_DEBOUNCE_S: Final = 0.05


class Trigger(Protocol):
    """Asked by one camera's thread, which looks at the camera when it is `due` and inspects the picture when `wants` says so."""

    def open(self) -> None:
        """Gets ready; raises CameraConfigError for what can never work."""

    def due(self, now_ns: int) -> float:
        """Seconds until a picture is to be taken; 0 for now. It is asked again at least every half second."""

    def wants(self, image: NDArray[np.uint8], now_ns: int) -> bool:
        """Whether this picture is to be inspected."""

    def close(self) -> None:
        """Lets everything go."""


class Interval:
    """On a grid of the clock.

    Args:
        interval_s: above 0.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_ns = round(interval_s * 1e9)
        self._next_ns = 0

    def open(self) -> None:
        """The first picture comes at once."""
        self._next_ns = 0

    def due(self, now_ns: int) -> float:
        """Until the grid's next point; points that were missed are left out."""
        return max(self._next_ns - now_ns, 0) / 1e9

    def wants(self, image: NDArray[np.uint8], now_ns: int) -> bool:  # noqa: ARG002  # the contract's
        """Always."""
        self._next_ns = (now_ns // self._interval_ns + 1) * self._interval_ns
        return True

    def close(self) -> None:
        """Nothing to let go."""


class Movement:
    """Once when something new has come to rest; on a belt that never rests, every two seconds while it moves.

    Args:
        least_s: between two inspections.
    """

    def __init__(self, least_s: float) -> None:
        self._least_ns = round(least_s * 1e9)
        self._next_ns = 0
        self._inspected_ns: int | None = None
        self._moving_ns: int | None = None
        self._last: NDArray[np.float32] | None = None
        self._inspected: NDArray[np.float32] | None = None

    def open(self) -> None:
        """What is seen first is new."""
        self._next_ns, self._inspected_ns, self._moving_ns = 0, None, None
        self._last = self._inspected = None

    def due(self, now_ns: int) -> float:
        """Five times a second."""
        return max(self._next_ns - now_ns, 0) / 1e9

    def wants(self, image: NDArray[np.uint8], now_ns: int) -> bool:
        """Whether it shows something else than what was inspected last, and rests."""
        self._next_ns = now_ns + round(_LOOKS_S * 1e9)
        grey = cv2.cvtColor(cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        small = np.asarray(grey, np.float32)
        moving = _share(small, self._last) >= _MOVING
        self._last = small
        self._moving_ns = (self._moving_ns or now_ns) if moving else None
        since_ns = None if self._inspected_ns is None else now_ns - self._inspected_ns
        if since_ns is not None and since_ns < self._least_ns:
            return False
        longest_ns = _LONGEST_S * 1e9
        restless = self._moving_ns is not None and now_ns - self._moving_ns >= longest_ns
        waited = restless and (since_ns is None or since_ns >= longest_ns)
        if (moving and not waited) or _share(small, self._inspected) < _OTHER:
            return False
        self._inspected, self._inspected_ns = small, now_ns
        return True

    def close(self) -> None:
        """Forgets what it saw."""
        self.open()


class _Signal:
    """What both signals from outside have in common: one picture for each time they fire."""

    def __init__(self) -> None:
        self._fired = Event()

    def due(self, now_ns: int) -> float:  # noqa: ARG002  # the contract's
        """0 once it has fired."""
        return 0.0 if self._fired.is_set() else float("inf")

    def wants(self, image: NDArray[np.uint8], now_ns: int) -> bool:  # noqa: ARG002  # the contract's
        """It was asked for."""
        self._fired.clear()
        return True


class LightBarrier(_Signal):
    """A light barrier at a pin, which goes high (or low) when something interrupts it.

    Args:
        pin: number of the GPIO (BCM).
        active_high: whether high means that it is interrupted.
        pin_factory: of gpiozero; None: the board's own.
    """

    def __init__(self, pin: int, *, active_high: bool = True, pin_factory: Any = None) -> None:
        super().__init__()
        self._pin = pin
        self._active_high = active_high
        self._factory = pin_factory
        self._device: Any = None

    def open(self) -> None:
        """Takes the pin.

        Raises:
            CameraConfigError: gpiozero is not installed, or the pin cannot be had.
        """
        try:
            # Comes with the board, from apt.
            library = importlib.import_module("gpiozero")
        except ImportError as exc:
            raise CameraConfigError("a light barrier needs gpiozero (apt install python3-gpiozero)") from exc
        try:
            self._device = library.DigitalInputDevice(
                self._pin,
                pull_up=None,
                active_state=self._active_high,
                bounce_time=_DEBOUNCE_S,
                pin_factory=self._factory,
            )
        except (library.GPIOZeroError, OSError) as exc:
            raise CameraConfigError(f"pin {self._pin}: {exc}") from exc
        self._device.when_activated = self._fired.set

    def close(self) -> None:
        """Gives the pin back."""
        device, self._device = self._device, None
        if device is not None:
            device.close()


class Message(_Signal):
    """A message on a topic, whatever it says.

    Args:
        topic: without wildcards.
        link: the node's own connection; this one is made beside it.
        name: of the camera.
        make: opens connections.
    """

    def __init__(self, topic: str, link: LinkConfig, name: str, make: Callable[..., Any] = Link) -> None:
        super().__init__()
        if any(sign in topic for sign in "+#\0"):
            raise CameraConfigError(f"trigger_topic {topic!r} has a wildcard; name one topic")
        self._topic = topic
        self._config = replace(link, client_id=f"{link.client_id[:100]}-trigger-{name}"[:200], session_expiry_s=0)
        self._make = make
        self._link: Any = None

    def open(self) -> None:
        """Starts listening; the connection comes and goes on its own."""
        self._link = self._make(
            self._config,
            will=None,
            subscriptions=[(self._topic, 1)],
            on_message=self._on_message,
            on_connected=lambda: None,
            on_disconnected=lambda _: None,
        )
        self._link.start()

    def close(self) -> None:
        """Ends the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.stop()

    def _on_message(self, inbound: Inbound) -> None:
        # What the broker kept from earlier is no event.
        if not inbound.retain:
            self._fired.set()
        link = self._link
        if link is not None:
            link.ack(inbound)


def _share(now: NDArray[np.float32], before: NDArray[np.float32] | None) -> float:
    """How much of the picture has changed, 0 to 1; everything, where there was none."""
    return 1.0 if before is None else float((np.abs(now - before) > _CHANGED).mean())
