"""The tree against RFC 9162: known roots, public vectors, its own definition, and every small change to a proof."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audit import tree

# The eight leaves of the Certificate Transparency reference implementation and the root of each tree of the first n:
# facts published with it (certificate-transparency, merkle_tree_test.cc; transparency-dev/merkle, constants.go; in
# Debian as golang-github-google-certificate-transparency and golang-github-transparency-dev-merkle).
REFERENCE_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
REFERENCE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 64


class StoredTree:
    """A tree whose perfect subtrees are kept, as the log keeps them in rows."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.size = 0
        for leaf in leaves:
            for node in tree.grow(self.size, leaf, self.node):
                assert (node.level, node.index) not in self.nodes
                self.nodes[node.level, node.index] = node.hash
            self.size += 1

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, over leaf hashes, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**power for power in range(10) if 2**power < len(leaves))
    return hashlib.sha256(b"\x01" + root_by_definition(leaves[:k]) + root_by_definition(leaves[k:])).digest()


def leaves_of(size: int) -> list[bytes]:
    return [tree.leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


@pytest.fixture(scope="module")
def stored() -> StoredTree:
    return StoredTree(leaves_of(LARGEST))


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    return [root_by_definition(leaves_of(size)) for size in range(LARGEST + 1)]


def test_the_roots_of_the_reference_leaves_are_the_published_ones() -> None:
    hashes = [tree.leaf_hash(leaf) for leaf in REFERENCE_LEAVES]
    frontier = tree.Frontier()
    stored = StoredTree(hashes)
    for size, expected in enumerate(REFERENCE_ROOTS):
        assert tree.root(size, stored.node).hex() == expected
        assert frontier.root().hex() == expected
        if size < len(hashes):
            frontier.append(hashes[size])


def test_the_reference_proofs_are_the_published_ones() -> None:
    """Paths of the same reference: leaf 5 of 8 (PATH(5, D[8])) and from 6 to 8 leaves (PROOF(6, D[8]))."""
    stored = StoredTree([tree.leaf_hash(leaf) for leaf in REFERENCE_LEAVES])
    assert [part.hex() for part in tree.inclusion_proof(5, 8, stored.node)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [part.hex() for part in tree.consistency_proof(6, 8, stored.node)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_leaves_and_nodes_are_hashed_with_different_prefixes() -> None:
    assert tree.leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert tree.node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    left, right = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    assert tree.leaf_hash(left + right) != tree.node_hash(left, right)


def test_stored_subtrees_and_the_frontier_agree_with_the_definition(stored: StoredTree, roots: list[bytes]) -> None:
    frontier = tree.Frontier()
    for size in range(LARGEST + 1):
        assert tree.root(size, stored.node) == frontier.root() == roots[size]
        if size < LARGEST:
            grown = frontier.append(leaves_of(LARGEST)[size])
            assert all(stored.nodes[node.level, node.index] == node.hash for node in grown)
            assert all((node.index + 1) << node.level == size + 1 for node in grown), "a leaf completes what ends in it"


def test_every_inclusion_proof_up_to_64_leaves_verifies_for_its_leaf_only(
    stored: StoredTree, roots: list[bytes]
) -> None:
    leaves = leaves_of(LARGEST)
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = tree.inclusion_proof(index, size, stored.node)
            assert tree.verify_inclusion(index, size, leaves[index], proof, roots[size])
            for other in {index - 1, index + 1, index ^ 1, index ^ 2, size, -1} - {index}:
                assert not tree.verify_inclusion(other, size, leaves[index], proof, roots[size])


def test_every_consistency_proof_up_to_64_leaves_verifies(stored: StoredTree, roots: list[bytes]) -> None:
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            proof = tree.consistency_proof(old, new, stored.node)
            assert tree.verify_consistency(old, new, proof, roots[old], roots[new])
            assert old == new or not tree.verify_consistency(old, new, proof, roots[new], roots[old])
            assert old == new or not tree.verify_consistency(new, old, proof, roots[new], roots[old])


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_an_inclusion_proof_with_anything_changed_is_rejected(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    proof = tree.inclusion_proof(index, size, StoredTree(leaves).node)
    good = [leaves[index], *proof, root_by_definition(leaves)]
    leaf, *changed, root = data.draw(changes_of(good))
    assert not tree.verify_inclusion(index, size, leaf, changed, root)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_consistency_proof_with_anything_changed_is_rejected(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGEST))
    old = data.draw(st.integers(1, new))
    leaves = leaves_of(new)
    proof = tree.consistency_proof(old, new, StoredTree(leaves).node)
    good = [root_by_definition(leaves[:old]), *proof, root_by_definition(leaves)]
    old_root, *changed, new_root = data.draw(changes_of(good))
    assert not tree.verify_consistency(old, new, changed, old_root, new_root)


@st.composite
def changes_of(draw: st.DrawFn, good: list[bytes]) -> list[bytes]:
    """The hashes of a good proof, with one bit flipped, one hash cut short or long, put in, or taken out."""
    bad = list(good)
    at = draw(st.integers(0, len(good) - 1))
    match draw(st.sampled_from(("flip", "cut", "lengthen", "insert", "remove"))):
        case "flip":
            bit = draw(st.integers(0, 255))
            bad[at] = (int.from_bytes(bad[at], "big") ^ (1 << bit)).to_bytes(32, "big")
        case "cut":
            bad[at] = bad[at][:-1]
        case "lengthen":
            bad[at] += b"\0"
        case "insert":
            bad.insert(max(1, at), draw(st.sampled_from([*good, bytes(32), b""])))
        case "remove" if len(good) > 2:
            del bad[min(max(1, at), len(good) - 2)]
        case _:
            bad[at] = b""
    return bad


def test_hashes_of_a_wrong_length_are_rejected_even_if_their_bytes_join_to_the_right_ones() -> None:
    leaves = leaves_of(2)
    root = root_by_definition(leaves)
    assert tree.verify_inclusion(0, 2, leaves[0], [leaves[1]], root)
    assert not tree.verify_inclusion(0, 2, leaves[0][:-1], [leaves[0][-1:] + leaves[1]], root)
    assert not tree.verify_inclusion(0, 2, leaves[0] + leaves[1][:1], [leaves[1][1:]], root)
    assert not tree.verify_inclusion(0, 1, b"", [], b"")
    assert tree.verify_consistency(1, 2, [leaves[1]], leaves[0], root)
    assert not tree.verify_consistency(1, 2, [leaves[0][-1:] + leaves[1]], leaves[0][:-1], root)


def test_a_proof_does_not_do_for_a_tree_of_twice_the_size(stored: StoredTree, roots: list[bytes]) -> None:
    leaves = leaves_of(LARGEST)
    for new in range(2, LARGEST + 1):
        for old in range(1, new):
            proof = tree.consistency_proof(old, new, stored.node)
            assert not tree.verify_consistency(old, 2 * new, proof, roots[old], roots[new])
            path = tree.inclusion_proof(old, new, stored.node)
            assert not tree.verify_inclusion(old, 4 * new, leaves[old], path, roots[new])


@pytest.mark.parametrize("size", [0, -1])
def test_nothing_is_included_in_an_empty_tree(size: int) -> None:
    leaf = tree.leaf_hash(b"")
    assert not tree.verify_inclusion(0, size, leaf, [], leaf)
    assert not tree.verify_inclusion(0, size, tree.EMPTY_ROOT, [], tree.EMPTY_ROOT)


def test_a_proof_from_an_empty_tree_shows_nothing_and_is_rejected(roots: list[bytes]) -> None:
    assert not tree.verify_consistency(0, 0, [], roots[0], roots[0])
    assert not tree.verify_consistency(0, 5, [], roots[0], roots[5])
    assert not tree.verify_consistency(0, 5, [roots[5]], roots[0], roots[5])


def test_proofs_that_cannot_be_are_refused(stored: StoredTree) -> None:
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="not in a tree"):
            tree.inclusion_proof(index, size, stored.node)
    for old, new in ((0, 5), (6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no proof"):
            tree.consistency_proof(old, new, stored.node)


VECTORS = Path(__file__).parents[2] / "data" / "merkle_vectors.json"
"""`testdata/inclusion` and `testdata/consistency` of transparency-dev/merkle (commit 417fb0c, Apache License 2.0), each
file of them an object, nothing changed."""


def test_the_196_public_vectors_are_judged_as_their_authors_say() -> None:
    inclusion, consistency = json.loads(VECTORS.read_text("utf-8")).values()
    assert (len(inclusion), len(consistency)) == (98, 98)
    assert sum(vector["wantErr"] for vector in (*inclusion, *consistency)) == 184
    wrong = [vector["desc"] for vector in inclusion if judge_inclusion(vector) == vector["wantErr"]]
    wrong += [vector["desc"] for vector in consistency if judge_consistency(vector) == vector["wantErr"]]
    assert wrong == []


def judge_inclusion(vector: dict[str, Any]) -> bool:
    leaf, root, proof = decoded(vector["leafHash"]), decoded(vector["root"]), vector["proof"] or []
    return tree.verify_inclusion(vector["leafIdx"], vector["treeSize"], leaf, [decoded(part) for part in proof], root)


def judge_consistency(vector: dict[str, Any]) -> bool:
    old_root, new_root, proof = decoded(vector["root1"]), decoded(vector["root2"]), vector["proof"] or []
    path = [decoded(part) for part in proof]
    return tree.verify_consistency(vector["size1"], vector["size2"], path, old_root, new_root)


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "", validate=True)
