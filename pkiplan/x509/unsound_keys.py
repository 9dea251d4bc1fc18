"""RSA keys that anybody can factor, because whoever made them made them badly.

They are known by the public key alone, each by arithmetic of well under a millisecond. A key that pkiplan made is none
of them; one that is adopted may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

# FIPS 186-5, A.1.1: 2^16 < e < 2^256. With an exponent of 3, verifiers that parse padding carelessly take forged
# signatures (CVE-2006-4339).
SMALLEST_EXPONENT = (1 << 16) + 1

# CVE-2022-26320: primes that are close together. So many rounds find what the printers at fault made in one.
FERMAT_ROUNDS = 100

# What divides a modulus up to here is no prime of a key, but damage (or malice). Of moduli that are any odd number, as
# after a damage, all but one in eight have such a factor, and going on to 2^16 would find only one more in forty.
LARGEST_SMALL_PRIME = 1 << 13

# CVE-2017-15361: the primes of Infineon's library are k*M + (65537^a mod M), M a primorial. Every size of key has a
# multiple of the 39 first primes as M.
ROCA_GENERATOR = 65537
LARGEST_ROCA_PRIME = 167

# Of a hundred numbers that are no square, about two look like one modulo this.
_SIEVE = 64 * 63 * 65 * 11


def weakness(public_key: CertificatePublicKeyTypes) -> str | None:
    """Say why anybody can sign with this key, or None; only RSA keys are known to be made so badly."""
    if not isinstance(public_key, rsa.RSAPublicKey):
        return None
    numbers = public_key.public_numbers()
    return rsa_weakness(numbers.n, numbers.e)


def rsa_weakness(modulus: int, exponent: int) -> str | None:
    """Say what is wrong with an RSA public key, or None."""
    if exponent < SMALLEST_EXPONENT or exponent % 2 == 0:
        return f"its public exponent is {exponent}, sound are odd ones from {SMALLEST_EXPONENT} on (FIPS 186-5, A.1.1)"
    factor = math.gcd(modulus, _product_of_small_primes())
    if factor != 1:
        return "small primes divide its modulus: the key is damaged or was never one"
    if _is_factored_by_fermat(modulus):
        return "its primes are so close together that anybody can find them (CVE-2022-26320)"
    if _has_roca_fingerprint(modulus):
        return "it was made by Infineon's broken library (ROCA, CVE-2017-15361)"
    return None


def _is_factored_by_fermat(modulus: int) -> bool:
    """Fermat: n = a^2 - b^2 = (a + b)(a - b), and a is near the root of n where the factors are near each other."""
    number = math.isqrt(modulus - 1) + 1
    rest = number * number - modulus
    for _ in range(FERMAT_ROUNDS):
        if _looks_like_a_square(rest) and math.isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * number + 1
        number += 1
    return False


def _looks_like_a_square(number: int) -> bool:
    residue = number % _SIEVE
    return all(residue % modulus in squares for modulus, squares in _squares())


@cache
def _squares() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple((modulus, frozenset(root * root % modulus for root in range(modulus))) for modulus in (64, 63, 65, 11))


def _has_roca_fingerprint(modulus: int) -> bool:
    """Tell whether the modulus is a power of the generator modulo M; by chance one in 2^154 is.

    Modulo each prime of M its logarithm is looked up. All of them have to be of one and the same exponent.
    """
    exponent, order = 0, 1
    for prime, logarithms in _roca_logarithms():
        logarithm = logarithms.get(modulus % prime)
        if logarithm is None:
            return False
        merged = _merge(exponent, order, logarithm, len(logarithms))
        if merged is None:
            return False
        exponent, order = merged
    return True


def _merge(first: int, first_modulus: int, second: int, second_modulus: int) -> tuple[int, int] | None:
    """Solve two congruences at once (the Chinese remainder theorem, for moduli that share factors too)."""
    shared = math.gcd(first_modulus, second_modulus)
    if (second - first) % shared:
        return None
    reduced = second_modulus // shared
    steps = (second - first) // shared * pow(first_modulus // shared, -1, reduced) % reduced
    return first + first_modulus * steps, first_modulus * reduced


@cache
def _roca_logarithms() -> tuple[tuple[int, dict[int, int]], ...]:
    """List, for each prime of M, the powers of the generator with their exponents."""
    tables = []
    for prime in _primes(LARGEST_ROCA_PRIME):
        powers: dict[int, int] = {}
        power = 1
        while power % prime and power not in powers:
            powers[power] = len(powers)
            power = power * ROCA_GENERATOR % prime
        tables.append((prime, powers))
    return tuple(tables)


@cache
def _product_of_small_primes() -> int:
    return math.prod(_primes(LARGEST_SMALL_PRIME))


def _primes(limit: int) -> Iterator[int]:
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, limit + 1):
        if sieve[number]:
            yield number
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
