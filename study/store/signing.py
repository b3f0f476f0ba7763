"""Names and signatures that only the study itself can make; its key never leaves the file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

KEY = "signing_key"  # in the table `study`


def new_key() -> str:
    return secrets.token_hex(32)


def sign(key: str, text: str) -> str:
    """The signature of `text`: 24 lower-case letters and digits, 120 bits."""
    made = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b32encode(made[:15]).decode("ascii").lower()


def is_signed(key: str, text: str, signature: object) -> bool:
    """Whether `signature` is the one of `text`; False for anything that is no text."""
    try:
        return isinstance(signature, str) and hmac.compare_digest(sign(key, text), signature)
    except (TypeError, UnicodeEncodeError):  # what is no ASCII is no signature
        return False


def item_code(key: str, item: str) -> str:
    """An opaque name of an item, the same for everybody in this study."""
    return hashlib.blake2b(item.encode(), digest_size=12, key=key.encode()[:64]).hexdigest()
