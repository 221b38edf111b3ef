"""The Merkle tree of RFC 9162, section 2.1, as pure functions over bytes.

Rules this module keeps:

1. A leaf is hashed as SHA-256(0x00 || data), a node as SHA-256(0x01 || left || right), so neither passes for the other.
2. Only perfect subtrees are stored, as nodes (level, index): node (k, i) covers the 2^k leaves from i * 2^k on. Such a
   node never changes once it exists, and every root and every proof is made of such nodes.
3. The two `verify_` functions take nothing for granted: sizes, positions and the length of every hash are checked, and
   a proof with a hash too many is as wrong as one with a hash too few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

NodeHash = Callable[[int, int], bytes]
"""Looks up the hash of the perfect subtree (level, index)."""


@dataclass(frozen=True, slots=True)
class Node:
    """A perfect subtree of 2^level leaves, the index-th of its size, and its hash."""

    level: int
    index: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(size: int, leaf: bytes, node: NodeHash) -> list[Node]:
    """The subtrees that a leaf hash completes when it joins a tree of `size` leaves: the leaf itself first."""
    grown = [Node(0, size, leaf)]
    while grown[-1].index % 2:
        left = node(grown[-1].level, grown[-1].index - 1)
        grown.append(Node(grown[-1].level + 1, grown[-1].index // 2, node_hash(left, grown[-1].hash)))
    return grown


def root(size: int, node: NodeHash) -> bytes:
    """The root of the first `size` leaves."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: NodeHash) -> list[bytes]:
    """The path from leaf `index` to the root of the first `size` leaves (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: There is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"Leaf {index} is not in a tree of {size} leaves.")
    low, high = 0, size
    siblings = []
    while high - low > 1:
        middle = low + _left_size(high - low)
        if index < middle:
            siblings.append((middle, high))
            high = middle
        else:
            siblings.append((low, middle))
            low = middle
    return [_range_hash(*sibling, node) for sibling in reversed(siblings)]


def consistency_proof(old_size: int, new_size: int, node: NodeHash) -> list[bytes]:
    """The proof that the first `old_size` leaves are unchanged in a tree of `new_size` leaves (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: The old tree is empty or larger than the new one.
    """
    if not 0 < old_size <= new_size:
        raise ValueError(f"There is no proof from {old_size} to {new_size} leaves.")
    low, high = 0, new_size
    ranges = []
    while high != old_size:
        middle = low + _left_size(high - low)
        if old_size <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low:  # the rest of the old tree is not its root, which the verifier has already
        ranges.append((low, high))
    return [_range_hash(*part, node) for part in reversed(ranges)]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether `proof` shows that leaf hash `leaf` is number `index` of the `size` leaves under a root (2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes((leaf, root_hash, *proof)):
        return False
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position % 2 or position == last:
            found = node_hash(sibling, found)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root_hash


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree under `old_root` is the beginning of the one under `new_root` (2.1.4.2).

    An empty old tree is refused: it is the beginning of everything, so a proof about it shows nothing.
    """
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if not _are_hashes((old_root, new_root, *proof)):
        return False
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    return bool(proof) and _replay_consistency(old_size - 1, new_size - 1, path) == (old_root, new_root)


def _replay_consistency(position: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The old and the new root a consistency path leads to; None when its length is wrong."""
    while position % 2:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position % 2 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return (old, new) if last == 0 else None


def peaks(size: int) -> list[tuple[int, int]]:
    """Level and index of the perfect subtrees without a parent in a tree of `size` leaves, the smallest first."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length()) if size >> level & 1]


class Frontier:
    """A tree that only grows, holding no more than the hashes its next root needs: one for each bit of its size."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """A tree of `size` leaves, with the hashes of its `peaks`."""
        self.size = size
        levels = (level for level, _ in peaks(size))
        self._subtrees = dict(zip(levels, hashes, strict=True))  # of each level, the one that has no parent yet

    def append(self, leaf: bytes) -> list[Node]:
        """Take in one leaf hash. Gives back the subtrees it completed, the leaf itself first."""
        grown = grow(self.size, leaf, lambda level, _index: self._subtrees.pop(level))
        self._subtrees[grown[-1].level] = grown[-1].hash
        self.size += 1
        return grown

    def root(self) -> bytes:
        """The root of the leaves so far."""
        return _fold(self._subtrees[level] for level in sorted(self._subtrees)) if self.size else EMPTY_ROOT


def _left_size(count: int) -> int:
    """The largest power of two below `count` (at least 2): how RFC 9162 splits a tree."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(low: int, high: int, node: NodeHash) -> bytes:
    """The hash over the leaves `low` to `high` - 1, where `low` is where a split of the tree can begin."""
    subtrees = []
    while low < high:
        level = (high - low).bit_length() - 1
        subtrees.append(node(level, low >> level))
        low += 1 << level
    return _fold(reversed(subtrees))


def _fold(subtrees_from_the_right: Iterable[bytes]) -> bytes:
    subtrees = iter(subtrees_from_the_right)
    folded = next(subtrees)
    for left in subtrees:
        folded = node_hash(left, folded)
    return folded


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
