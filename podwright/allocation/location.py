"""Where a database of leases is: its URL, and how it is named in messages, which never show a password."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from podwright.errors import AllocationError

_DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mariadb+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
}
_FORMS = "a path, sqlite:///<path>, mariadb://<user>@<host>/<database> or postgresql://<user>@<host>/<database>"


def url_of(database: str | Path) -> URL:
    """Read a path, or an SQLAlchemy URL, and name the driver.

    Raises:
        AllocationError: it is not the URL of a database that can be used.
    """
    text = str(database)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError:
        # The text is not shown: a password may be in it.
        raise AllocationError(f"database: is not a URL; give {_FORMS}") from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise AllocationError(f"database: {named(url)} is of a kind that is not supported; give {_FORMS}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise AllocationError("database: leases in memory would be forgotten; give a path, or sqlite:///<path>")
    return url.set(drivername=driver)


def named(url: URL) -> str:
    """The database in words, without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


def is_missing(url: URL) -> bool:
    """Whether it is a file that there is not."""
    return url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()


def no_leases(url: URL) -> str:
    """What to say of a database in which no leases are."""
    return f"database {named(url)}: holds no leases yet; deploy its cloud first, or give another {place(url)}"


def place(url: URL) -> str:
    """What a user gives of a database."""
    return "path" if url.get_backend_name() == "sqlite" else "database"
