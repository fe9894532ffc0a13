"""The dual graph of a partition: a node for each polytope, an edge for each fold between two."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from bitfold.polytopes import Partition

# Source: Brandes et al. 2002, "GraphML Progress Report"; http://graphml.graphdrawing.org.
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
_NODE_KEYS = {"x": "double", "y": "double", "area": "double"}
_EDGE_KEYS = {"neuron": "int", "layer": "int", "length": "double"}


def write_dual_graph(found: Partition, path: Path) -> None:
    """Write the polytopes and their neighbours as GraphML.

    Nodes have the centroid and the area of their polytope. Edges have the first neuron that folds
    between the two, its layer, both from 0, and the length of the fold.

    Args:
        found: the partition.
        path: of the file.
    """
    root = Element("graphml", xmlns=_NAMESPACE)
    for kind, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, of_type in keys.items():
            SubElement(root, "key", {"id": name, "for": kind, "attr.name": name,
                                     "attr.type": of_type})  # fmt: skip
    graph = SubElement(root, "graph", edgedefault="undirected")
    for number, ((x, y), area) in enumerate(zip(found.centroids, found.areas, strict=True)):
        node = SubElement(graph, "node", id=f"p{number}")
        _put(node, x=x, y=y, area=area)
    lengths = found.vertices[found.edges]
    for edge, (left, right) in enumerate(found.neighbours.tolist()):
        if left < 0 or right < 0:
            continue
        first = found.owner_offsets[edge]
        one = SubElement(graph, "edge", source=f"p{left}", target=f"p{right}")
        length = float(((lengths[edge, 1] - lengths[edge, 0]) ** 2).sum() ** 0.5)
        _put(one, neuron=found.owners[first], layer=found.owner_layers[first], length=length)
    indent(root, " ")
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _put(parent: Element, **numbers: float) -> None:
    for name, number in numbers.items():
        data = SubElement(parent, "data", key=name)
        data.text = f"{number:.17g}" if isinstance(number, float) else str(int(number))
