"""Makes a1.json from docs/formats/ticket.md alone, with Python's `cryptography` for Ed25519.

A second implementation of the format: run it and compare with the file that is checked in.
"""
import hashlib
import json
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DOMAIN = b"admit-one/ticket/v1\0"


def base45(data):
    text = ""
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value, places = int.from_bytes(pair, "big"), 3 if len(pair) == 2 else 2
        for _ in range(places):
            text += ALPHABET[value % 45]
            value //= 45
    return text


def ticket_number(ticket):
    digits = [ticket >> (5 * place) & 31 for place in range(12, -1, -1)]
    digits.append(sum((2 * place + 1) * digit for place, digit in enumerate(digits)) % 32)
    letters = "".join(CROCKFORD[digit] for digit in digits)
    return f"{letters[:5]}-{letters[5:10]}-{letters[10:]}"


def vector(seed, event, ticket, kind, not_before_s, expires_s, max_uses, gates):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    mask = sum(1 << (gate - 1) for gate in gates)
    body = struct.pack(">BBIQIIBBH", 1, 1, event, ticket, not_before_s, expires_s, max_uses, kind, mask)
    code = "A1:" + base45(body + key.sign(DOMAIN + body))
    digest = hashlib.sha256(DOMAIN + struct.pack(">IQ", event, ticket)).hexdigest()
    return {
        "seed": seed.hex(),
        "public_key": key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        "event": event, "ticket": ticket_number(ticket), "type": kind,
        "not_before_s": not_before_s, "expires_s": expires_s, "max_uses": max_uses,
        "gates": gates, "code": code, "digest": digest,
    }


VECTORS = [
    vector(bytes(32), 1, 0, 1, 0, 0, 1, []),
    vector(bytes(range(32)), 7, 0x0123456789ABCDEF, 3, 1800000000, 1800086400, 0, [1, 16]),
    vector(b"\xff" * 32, 2**32 - 1, 2**64 - 1, 255, 2**32 - 1, 2**32 - 1, 255, list(range(1, 17))),
]
json.dump({"tickets": VECTORS}, sys.stdout, indent=1)
print()
