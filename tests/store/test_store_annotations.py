"""Annotations of `her2.store` mean something."""

from type_hints import modules_of, resolve_annotations


def test_every_annotation_can_be_resolved():
    assert sum(resolve_annotations(module) for module in modules_of("her2.store")) > 60
