"""The log's tree is RFC 6962's, its proofs show what they claim, and nothing else verifies."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.attestation.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The entries and roots that Certificate Transparency's own tests are known by.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


def slow_root(entries: list[bytes]) -> bytes:
    """The definition, word for word: MTH of RFC 6962, section 2.1."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return entries[0]
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(
        b"\x01" + slow_root(entries[:split]) + slow_root(entries[split:])
    ).digest()


def test_the_roots_are_those_of_certificate_transparency():
    hashed = [leaf_hash(entry) for entry in ENTRIES]
    assert [root_of(hashed[: n + 1]).hex() for n in range(8)] == ROOTS
    assert root_of([]) == EMPTY_ROOT


@pytest.mark.parametrize("count", range(70))
def test_appending_one_by_one_and_all_at_once_give_the_root_of_the_definition(count):
    one_by_one = Frontier()
    for leaf in leaves(count):
        one_by_one = one_by_one.append(leaf)
    at_once = Frontier().extend(leaves(count))
    assert one_by_one == at_once
    assert at_once.root == slow_root(leaves(count))
    assert Frontier.from_bytes(count, at_once.to_bytes()) == at_once


def test_a_frontier_whose_hashes_do_not_fit_its_size_is_refused():
    with pytest.raises(ValueError, match="one hash for each bit"):
        Frontier.from_bytes(3, bytes(32))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 33])
def test_every_leaf_is_shown_to_be_in_the_log_and_at_its_place_alone(size):
    entries = leaves(size)
    root = root_of(entries)
    for index in range(size):
        proof = inclusion_proof(index, entries)
        assert verify_inclusion(entries[index], index, size, proof, root)
        for other in range(size):
            if other != index:
                assert not verify_inclusion(entries[index], other, size, proof, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
        assert not verify_inclusion(entries[index], index, size, (*proof, root), root)
        assert not proof or not verify_inclusion(entries[index], index, size, proof[:-1], root)


@pytest.mark.parametrize("second", [1, 2, 3, 7, 8, 9, 20])
def test_every_beginning_is_shown_to_be_one_and_no_other_log(second):
    entries = leaves(second)
    root = root_of(entries)
    for first in range(second + 1):
        proof = consistency_proof(first, entries)
        beginning = root_of(entries[:first])
        assert verify_consistency(first, second, proof, beginning, root)
        if first:
            rewritten = root_of([leaf_hash(b"rewritten"), *entries[1:first]])
            assert not verify_consistency(first, second, proof, rewritten, root)
            forked = root_of([leaf_hash(b"forked"), *entries[1:]])
            assert not verify_consistency(first, second, proof, beginning, forked)


@given(st.data())
def test_no_proof_that_was_altered_verifies(data):
    size = data.draw(st.integers(2, 40))
    index = data.draw(st.integers(0, size - 1))
    entries = leaves(size)
    proof = list(inclusion_proof(index, entries))
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    altered = int.from_bytes(proof[at], "big") ^ (1 << bit)
    proof[at] = altered.to_bytes(32, "big")
    assert not verify_inclusion(entries[index], index, size, proof, root_of(entries))


def test_what_is_not_there_has_no_proof():
    with pytest.raises(IndexError):
        inclusion_proof(3, leaves(3))
    with pytest.raises(IndexError):
        consistency_proof(4, leaves(3))
