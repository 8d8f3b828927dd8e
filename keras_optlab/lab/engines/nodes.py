"""Whether the nodes of a Ray cluster have what trials need."""

from __future__ import annotations

from typing import Any

import keras

PACKAGES = ("keras", "numpy")
OF_BACKEND = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "jax": ("jax", "jaxlib"),
    "torch": ("torch",),
}


def check_packages(variables: dict[str, str]) -> None:
    """Raise if a node lacks this package, or has other versions of what it needs.

    Args:
        variables: Environment variables of trials.

    Raises:
        ImportError: that names the node and the packages.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    names = [*PACKAGES, *OF_BACKEND[keras.backend.backend()]]
    facts = _facts_function()
    here = facts(names)
    alive = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    tasks = [
        ray.remote(
            max_retries=0,
            runtime_env={"env_vars": variables},
            scheduling_strategy=NodeAffinitySchedulingStrategy(n["NodeID"], soft=False),
        )(facts).remote(names)
        for n in alive
    ]
    for node, there in zip(alive, ray.get(tasks), strict=True):
        different = [k for k in here if here[k] != there[k]]
        if different:
            name = node["NodeManagerAddress"]
            says = ", ".join(f"{k} {there[k]}, here {here[k]}" for k in different)
            raise ImportError(
                "The nodes of the cluster must have the same packages as this process. "
                f"Received: node {name} has {says}."
            )


def _facts_function() -> Any:
    """Return a function that is sent by value, as a node may lack this package."""

    def facts(names: list[str]) -> dict[str, Any]:
        from importlib import metadata, util

        found: dict[str, Any] = {
            "keras_optlab installed": util.find_spec("keras_optlab") is not None
        }
        for name in names:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
        return found

    return facts
