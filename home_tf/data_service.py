"""Addresses of tf.data services, and whether they can be reached.

TensorFlow is not imported here, because `home-tf data-service` only starts processes.
"""

import re
import socket
import time

from home_tf.errors import HomeError

_ADDRESS = re.compile(r"grpc://([\w.-]+):(\d{1,5})", re.ASCII)
_CONNECT_SECONDS = 2.0
_RETRY_SECONDS = 0.2
# Time that a service may take to start after its reader.
_START_SECONDS = 10.0


def split_address(name: str, address: str) -> tuple[str, int]:
    """Splits an address into host and port.

    Args:
        name: The name of the address, for the message.
        address: Such as `grpc://host:5050`.

    Raises:
        HomeError: If it is not an address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 2**16:
        raise HomeError(
            f"{name} must be the address of a dispatcher, such as grpc://host:5050. "
            f"Received: {address!r}"
        )
    return found[1], int(found[2])


def find_own_address(dispatcher: str) -> str | None:
    """Finds the IP address by which a dispatcher sees this machine, or None.

    Args:
        dispatcher: The dispatcher's address.
    """
    try:
        where = split_address("the address", dispatcher)
        with socket.create_connection(where, _CONNECT_SECONDS) as connection:
            return str(connection.getsockname()[0])
    except OSError:
        return None


def wait_until_reachable(
    name: str, address: str, seconds: float = _START_SECONDS
) -> str:
    """Waits for the dispatcher of a tf.data service.

    Args:
        name: The name of the address, for the message.
        address: The dispatcher's address.
        seconds: How long to try.

    Returns:
        The IP address by which the dispatcher sees this machine.

    Raises:
        HomeError: If it cannot be reached in that time.
    """
    end = time.monotonic() + seconds
    while (own := find_own_address(address)) is None:
        if time.monotonic() > end:
            raise HomeError(
                f"{name}: no tf.data service can be reached at {address}. Start it "
                "with `home-tf data-service`, or correct the address"
            )
        time.sleep(_RETRY_SECONDS)
    return own
