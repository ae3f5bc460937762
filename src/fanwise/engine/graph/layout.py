"""Where the boxes of a drawing go: layers from left to right, few crossings, short arrows.

The method is that of Sugiyama, Tagawa and Toda (IEEE Transactions on Systems, Man, and Cybernetics
11, 1981): layers by longest path, invisible boxes where an arrow passes a layer, order within the
layers by barycentres. Heights are least squares under the least distance (pool adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

_SWEEPS = 12
_ALIGNMENTS = 8
_PASSING = 0.5  # the distance that a passing arrow keeps, as a part of a box's own

Spot: TypeAlias = tuple[str, int]  # a box and its layer; in another layer it is passing through


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing's geometry in units of layers and rows.

    Args:
        layers: How many layers there are.
        rows: How many rows high it is.
        places: Layer and row of each box's middle.
        routes: The spots that each arrow passes between its ends.
    """

    layers: int
    rows: float
    places: Mapping[str, tuple[int, float]]
    routes: Mapping[tuple[str, str], Sequence[tuple[int, float]]]


def lay_out(sources: Mapping[str, Sequence[str]]) -> Layout:
    """The layout of boxes, each given with those that arrows come from, in an order of flow.

    Takes about half a second for a thousand boxes, and is always the same for the same graph.
    """
    layer_of = _layers(sources)
    net = _Net(sources, layer_of)
    net.untangle()
    heights = net.align()
    lowest = min(heights.values(), default=0.0)
    highest = max(heights.values(), default=0.0)
    routes = {
        (source, name): [
            (layer, heights[source, layer] - lowest)
            for layer in range(layer_of[source] + 1, layer_of[name])
        ]
        for name, found in sources.items()
        for source in found
    }
    return Layout(
        layers=len(net.layers),
        rows=highest - lowest + 1.0,
        places={name: (layer, heights[name, layer] - lowest) for name, layer in layer_of.items()},
        routes=routes,
    )


def _layers(sources: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Longest path from the left; what nothing comes before stands beside what needs it first."""
    layers: dict[str, int] = {}
    for name, found in sources.items():
        layers[name] = 1 + max((layers[source] for source in found), default=-1)
    nearest: dict[str, int] = {}
    for name, found in sources.items():
        for source in found:
            nearest[source] = min(nearest.get(source, layers[name]), layers[name])
    for name, found in sources.items():
        if not found and name in nearest:
            layers[name] = nearest[name] - 1
    return layers


@dataclass(slots=True)
class _Net:
    """Spots in their layers, with the spots beside them to the left and to the right."""

    sources: Mapping[str, Sequence[str]]
    layer_of: Mapping[str, int]
    layers: list[list[Spot]] = field(default_factory=list[list[Spot]])
    left: dict[Spot, list[Spot]] = field(default_factory=dict[Spot, list[Spot]])
    right: dict[Spot, list[Spot]] = field(default_factory=dict[Spot, list[Spot]])

    def __post_init__(self) -> None:
        self.layers = [[] for _ in range(1 + max(self.layer_of.values(), default=-1))]
        for name in self.sources:
            self._spot((name, self.layer_of[name]))
        for name, found in self.sources.items():
            for source in found:
                # Arrows of one box to several others share their way as far as they can.
                at: Spot = (source, self.layer_of[source])
                for layer in range(self.layer_of[source] + 1, self.layer_of[name]):
                    at = self._join(at, (source, layer))
                self._join(at, (name, self.layer_of[name]))

    def _spot(self, spot: Spot) -> None:
        if spot not in self.left:
            self.left[spot], self.right[spot] = [], []
            self.layers[spot[1]].append(spot)

    def _join(self, spot: Spot, to: Spot) -> Spot:
        self._spot(to)
        if to not in self.right[spot]:
            self.right[spot].append(to)
            self.left[to].append(spot)
        return to

    def untangle(self) -> None:
        """Orders the layers so that few arrows cross; keeps the best order met."""
        best = [list(layer) for layer in self.layers]
        fewest = self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            forward = sweep % 2 == 0
            near = self.left if forward else self.right
            for at in range(len(self.layers)) if forward else reversed(range(len(self.layers))):
                self._order(at, near, beside=at - 1 if forward else at + 1)
            crossings = self._crossings()
            if crossings < fewest:
                fewest, best = crossings, [list(layer) for layer in self.layers]
        self.layers = best

    def _order(self, at: int, near: Mapping[Spot, Sequence[Spot]], *, beside: int) -> None:
        layer = self.layers[at]
        place = {spot: n for n, spot in enumerate(layer)}
        if 0 <= beside < len(self.layers):
            place |= {spot: n for n, spot in enumerate(self.layers[beside])}
        means = {
            spot: sum(place[other] for other in near[spot]) / len(near[spot])
            if near[spot]
            else place[spot]
            for spot in layer
        }
        layer.sort(key=means.__getitem__)

    def _crossings(self) -> int:
        count = 0
        for layer, following in pairwise(self.layers):
            place = {spot: n for n, spot in enumerate(following)}
            ends: list[int] = []
            for spot in layer:
                found = sorted(place[other] for other in self.right[spot])
                count += sum(len(ends) - bisect_right(ends, end) for end in found)
                for end in found:
                    insort(ends, end)
        return count

    def align(self) -> dict[Spot, float]:
        """A row for each spot: near those beside it, and never too near to one of its layer."""
        heights = {spot: float(place) for layer in self.layers for place, spot in enumerate(layer)}
        for turn in range(_ALIGNMENTS):
            for layer in self.layers if turn % 2 == 0 else reversed(self.layers):
                wanted: list[float] = []
                for spot in layer:
                    near = [*self.left[spot], *self.right[spot]]
                    wanted.append(
                        sum(heights[other] for other in near) / len(near) if near else heights[spot]
                    )
                gaps = [self._gap(spot, after) for spot, after in pairwise(layer)]
                heights.update(zip(layer, spread(wanted, gaps), strict=False))
        return heights

    def _gap(self, spot: Spot, after: Spot) -> float:
        passing = sum(self.layer_of[name] != layer for name, layer in (spot, after))
        return (1.0, (1.0 + _PASSING) / 2.0, _PASSING)[passing]


def spread(wanted: Sequence[float], gaps: Sequence[float]) -> Sequence[float]:
    """The places nearest to those wanted, by least squares, in order and so far apart at least."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, int]] = []  # sum and count of places that had to be pooled
    for place, offset in zip(wanted, offsets, strict=False):
        total, count = place - offset, 1
        while blocks and blocks[-1][0] * count > total * blocks[-1][1]:
            before, others = blocks.pop()
            total, count = total + before, count + others
        blocks.append((total, count))
    levels = [total / count for total, count in blocks for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]
