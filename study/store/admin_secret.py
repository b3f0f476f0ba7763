"""The secret of the admin page: made, hashed for the study file, and compared. What lies in the file does not give it away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from barlow_core.errors import BarlowError

SHORTEST = 12
# scrypt with 16 MiB of memory: about 50 ms here, and as much for everybody who guesses.
COST = {"n": 2**14, "r": 8, "p": 1}


def new_secret() -> str:
    """A secret that nobody guesses, to be shown once."""
    return secrets.token_urlsafe(18)


def hashed(secret: str) -> str:
    """What the study file keeps of `secret`: "scrypt$n$r$p$salt$hash".

    Raises:
        BarlowError: it is shorter than 12 characters.
    """
    if not isinstance(secret, str) or len(secret) < SHORTEST:
        raise BarlowError(f"The admin secret must have at least {SHORTEST} characters. Leave it out to get a new one.")
    salt = secrets.token_bytes(16)
    numbers = "$".join(str(COST[name]) for name in ("n", "r", "p"))
    return f"scrypt${numbers}${_text(salt)}${_text(_scrypt(secret, salt, **COST))}"


def matches(secret: object, stored: str) -> bool:
    """Whether `secret` is the one that `stored` was made from; False for anything that is no text, and where there is none."""
    try:
        name, n, r, p, salt, found = stored.split("$")
        if name != "scrypt" or not isinstance(secret, str):
            return False
        made = _scrypt(secret, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    except ValueError:  # nothing stored; or a text with half of a character, which nobody's secret has
        return False
    return hmac.compare_digest(made, base64.b64decode(found))


def _scrypt(secret: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=64 * 2**20)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
