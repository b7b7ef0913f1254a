# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""SHA-512 crypt (https://akkadia.org/drepper/SHA-crypt.txt), with which MASH derived keys until February 2026.

Python has no crypt module from 3.13 on, and Ansible's password_hash needs a library of its own.
"""

from __future__ import annotations

from hashlib import sha512

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What a round adds depends on its number modulo 2, 3 and 7.
CYCLE = 42


def sha512_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    salt = salt[:16]
    inner = sha512(password + salt + password).digest()
    mixed = sha512(password + salt + _filled(inner, len(password)))
    bits = len(password)
    while bits:
        mixed.update(inner if bits & 1 else password)
        bits >>= 1
    digest = mixed.digest()
    word = _filled(sha512(password * len(password)).digest(), len(password))
    grain = _filled(sha512(salt * (16 + digest[0])).digest(), len(salt))
    schedule = []
    for number in range(CYCLE):
        middle = (grain if number % 3 else b"") + (word if number % 7 else b"")
        schedule.append((word + middle, b"") if number & 1 else (b"", middle + word))
    for number in range(rounds):
        before, after = schedule[number % CYCLE]
        digest = sha512(before + digest + after).digest()
    return f"$6$rounds={rounds}${salt.decode()}${_encoded(digest)}"


def _filled(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Three bytes, taken from the three thirds of the digest in turn, make four characters."""
    text = ""
    for number in range(21):
        three = [(number + third * 21) for third in range(3)]
        shift = number % 3
        first, second, last = three[shift:] + three[:shift]
        text += _characters(digest[first] << 16 | digest[second] << 8 | digest[last], 4)
    return text + _characters(digest[63], 2)


def _characters(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> 6 * place & 63] for place in range(count))
