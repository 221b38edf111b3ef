"""The encoder as an OpenVINO graph, made from the weights without torch.

    token ids, mask -> embeddings -> layers of attention and feed-forward -> pooled -> vectors of length 1

Linear layers are made by `Linear`, which is told by the caller: plain ones compute in float32 or bfloat16, those of
`int8` in 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.inference.openvino.architecture import Architecture, Weights
from appliance.inference.openvino.runtime import openvino, ops

_MASKED = -10_000.0  # added to the score of padding; its exponential is zero in every precision
_TINY = 1e-12

Node = Any
Matrix = NDArray[np.float32]


class Linear(Protocol):
    """Makes the products of one input with several weight matrices."""

    def __call__(self, name: str, input_: Node, weights: Sequence[Matrix], /) -> list[Node]:
        """One node for each matrix (rows are outputs). `name` is that of the layer, unique in the graph."""


def plain_linear(name: str, input_: Node, weights: Sequence[Matrix]) -> list[Node]:  # noqa: ARG001
    """Products in the precision the graph is compiled for."""
    return [ops.matmul(input_, constant(matrix), transpose_a=False, transpose_b=True) for matrix in weights]


def build(architecture: Architecture, weights: Weights, linear: Linear = plain_linear) -> openvino.Model:
    """The graph. Inputs: `ids` int32 and `mask` float32, both [texts, tokens]. Output: [texts, dimension].

    Raises:
        KeyError: A weight is missing.
    """
    ids = ops.parameter([-1, -1], np.int32, name="ids")
    mask = ops.parameter([-1, -1], np.float32, name="mask")
    encoder = _Encoder(architecture, weights, linear)
    states = encoder.embedded(ids)
    padding = ops.multiply(ops.subtract(constant(1.0), mask), constant(_MASKED))
    bias = ops.unsqueeze(padding, _integers(1, 2))
    for number in range(architecture.layers):
        states = encoder.layer(f"encoder.layer.{number}", states, bias)
    vectors = _pooled(states, mask, architecture.pooling)
    return openvino.Model([ops.normalize_l2(vectors, _integers(1), _TINY, "max")], [ids, mask], "encoder")


def constant(value: Any) -> Node:
    """A float32 constant."""
    return ops.constant(np.ascontiguousarray(value, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Parts of the graph that read weights."""

    architecture: Architecture
    weights: Weights
    linear: Linear

    def embedded(self, ids: Node) -> Node:
        """Word, position and type embeddings, added and normalised."""
        words = ops.gather(constant(self.weights["embeddings.word_embeddings.weight"]), ids, _integer(0))
        first = self.architecture.first_position
        table = self.weights["embeddings.position_embeddings.weight"][first:]
        table = table + self.weights["embeddings.token_type_embeddings.weight"][0]
        tokens = ops.gather(ops.shape_of(ids, "i32"), _integers(1), _integer(0))
        positions = ops.slice(constant(table), _integers(0), tokens, _integers(1), _integers(0))
        return self._normalised("embeddings.LayerNorm", ops.add(words, positions))

    def layer(self, name: str, states: Node, bias: Node) -> Node:
        """One layer: attention, then feed-forward, each added to what came in."""
        heads = self.architecture.heads
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        query, key, value = (_split_heads(node, heads) for node in self._linear(states, *parts))
        seen = _join_heads(ops.scaled_dot_product_attention(query, key, value, bias))
        (attention,) = self._linear(seen, f"{name}.attention.output.dense")
        states = self._normalised(f"{name}.attention.output.LayerNorm", ops.add(attention, states))
        (wide,) = self._linear(states, f"{name}.intermediate.dense")
        (narrow,) = self._linear(ops.gelu(wide, self.architecture.activation), f"{name}.output.dense")
        return self._normalised(f"{name}.output.LayerNorm", ops.add(narrow, states))

    def _linear(self, input_: Node, *names: str) -> list[Node]:
        products = self.linear(names[0], input_, [self.weights[f"{name}.weight"] for name in names])
        return [
            ops.add(product, constant(self.weights[f"{name}.bias"]))
            for name, product in zip(names, products, strict=True)
        ]

    def _normalised(self, name: str, input_: Node) -> Node:
        flat = ops.mvn(
            input_, ops.constant(np.array([-1], np.int64)), True, self.architecture.norm_epsilon, "inside_sqrt"
        )
        scaled = ops.multiply(flat, constant(self.weights[f"{name}.weight"]))
        return ops.add(scaled, constant(self.weights[f"{name}.bias"]))


def _split_heads(input_: Node, heads: int) -> Node:
    return ops.transpose(ops.reshape(input_, _integers(0, 0, heads, -1), special_zero=True), _integers(0, 2, 1, 3))


def _join_heads(input_: Node) -> Node:
    return ops.reshape(ops.transpose(input_, _integers(0, 2, 1, 3)), _integers(0, 0, -1), special_zero=True)


def _pooled(states: Node, mask: Node, pooling: str) -> Node:
    if pooling == "cls":
        return ops.gather(states, _integer(0), _integer(1))
    weight = ops.unsqueeze(mask, _integers(2))
    total = ops.reduce_sum(ops.multiply(states, weight), _integers(1))
    return ops.divide(total, ops.reduce_sum(weight, _integers(1)))


def _integer(value: int) -> Node:
    return ops.constant(np.int32(value))


def _integers(*values: int) -> Node:
    return ops.constant(np.array(values, np.int32))
